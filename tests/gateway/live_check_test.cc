// The check of what is installed, in a child: a verdict comes back as it was made, or why there is none; and what is
// new and what is gone from one verdict to the next.
#include "gateway/daemon/live_check.h"

#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "gateway/core/live_verdict.h"
#include "gateway/daemon/live_views.h"
#include "gateway/os/clock.h"
#include "policy/compile.h"
#include "tests/gateway/patience.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using core::LiveDifference;
using core::LiveVerdict;
using daemon::LiveCheck;
using Taken = config::value::Result<LiveCheck::Done, std::string>;

Taken taken(LiveCheck& check) {
  const auto end = os::boot_now() + kPatience;
  while (os::boot_now() < end) {
    pollfd waiting{check.descriptor(), POLLIN, 0};
    (void)poll(&waiting, 1, 1000);
    if (auto done = check.take(os::boot_now())) return *std::move(done);
  }
  FAIL("no answer");
  return std::unexpected(std::string());
}

core::LiveState state() {
  core::LiveState out;
  out.generation = 5, out.now = ::tests::at_second(1);
  out.plan = policy::compile(::tests::sample_config(), out.now).plan;
  out.kernel.writers = {{"sekisho", {12, "nft"}}};
  return out;
}

std::string why_not(const std::function<LiveCheck::Octets()>& work) {
  LiveCheck check;
  REQUIRE(check.start(state(), work, os::boot_now()));
  const auto done = taken(check);
  REQUIRE_FALSE(done.has_value());
  CHECK_FALSE(check.under_way());
  return done.error();
}

bool has(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

LiveDifference difference(const std::string& what) {
  return {"nftables", what, true, false, "says", {}, true};
}

core::Proof proof(const std::string& breach = "") {
  core::Proof out;
  out.theorems = {{"P1", "nothing passes that is not declared", {}}};
  if (!breach.empty()) out.theorems[0].breaches = {{breach, {}, "", {}}};
  return out;
}

LiveVerdict verdict(std::vector<LiveDifference> differences, std::optional<core::Proof> of) {
  LiveVerdict out;
  out.differences = std::move(differences);
  out.proof = std::move(of);
  if (!out.proof) out.not_proved = "not read";
  return out;
}

}  // namespace

TEST_CASE("live check: the verdict of the child is the verdict of the state") {
  LiveCheck check;
  CHECK_FALSE(check.under_way());
  CHECK_FALSE(check.deadline());
  CHECK_FALSE(check.take(os::boot_now()).has_value());
  const auto about = state();
  REQUIRE(check.start(about, os::boot_now()));
  CHECK((check.under_way() && check.deadline()));
  const auto done = taken(check);
  REQUIRE(done.has_value());
  CHECK_FALSE(check.under_way());
  CHECK((done->generation == 5 && done->writers.size() == 1 && done->took.count() > 0));
  CHECK(core::encode(done->verdict) == core::encode(core::prove_live(about)));
  CHECK_FALSE(done->verdict.differences.empty());  // nothing of it is there
  CHECK(done->verdict.proof);
}

TEST_CASE("live check: one that hangs is ended in time, with accessd free meanwhile") {
  LiveCheck check;
  const auto began = os::boot_now();
  const auto hang = []() -> LiveCheck::Octets {
    for (volatile bool on = true; on;) {
    }
    return {};
  };
  REQUIRE(check.start(state(), hang, began));
  CHECK(check.deadline() == began + os::ForkedWorker::kMostTime);
  CHECK_FALSE(check.take(began + os::ForkedWorker::kMostTime - std::chrono::seconds(1)).has_value());
  const auto done = check.take(began + os::ForkedWorker::kMostTime);
  REQUIRE(done.has_value());
  REQUIRE_FALSE(done->has_value());
  CHECK(done->error() == "the process that checks it did not finish: it took longer than 60 s");
  CHECK_FALSE(check.under_way());
  REQUIRE(check.start(state(), hang, began));
  // and what goes out of scope does not wait for it
}

TEST_CASE("live check: a child that dies or answers something else has checked nothing") {
  CHECK(has(why_not([]() -> LiveCheck::Octets { _exit(3); }), "status 3"));
  CHECK(has(why_not([] { return LiveCheck::Octets(); }), "no known form"));
  CHECK(has(why_not([] {
              auto octets = core::encode(LiveVerdict());
              octets.push_back(0);
              return octets;
            }),
            "no known form"));
  CHECK(has(why_not([] { return LiveCheck::Octets(LiveCheck::kMostAnswer + 1); }), "too long"));
}

TEST_CASE("live check: every part of a verdict comes back") {
  auto whole = verdict({difference("a")}, proof("b"));
  whole.differences[0].packet = policy::PacketPoint{*config::value::IpAddress::parse("10.1.0.1"),
                                                    *config::value::IpAddress::parse("10.80.0.10"), 6, 443};
  whole.proof->facilities = 3, whole.proof->pairs = 6, whole.proof->open_pairs = 1, whole.proof->boxes = 9;
  whole.proof->theorems[0].breaches[0].rules = {"chain across4, rule 4"};
  whole.left_out = 4, whole.notes = {"note"};
  const auto back = core::decode<LiveVerdict>(core::encode(whole));
  REQUIRE(back.has_value());
  CHECK(core::encode(*back) == core::encode(whole));
  CHECK(back->differences[0].packet == whole.differences[0].packet);
  CHECK((back->left_out == 4 && back->proof->boxes == 9 && back->notes.size() == 1 && !back->good()));
}

TEST_CASE("live news: each difference once when it comes and once when it is gone, whatever its handle") {
  const auto first = verdict({difference("rule added: \"accept\" (handle 7)")}, proof("open"));
  const auto news = daemon::news_of(nullptr, first);
  CHECK((news.differences.size() == 1 && news.breaches.size() == 1 && news.restored.empty()));
  const auto same = daemon::news_of(&first, verdict({difference("rule added: \"accept\" (handle 9)")}, proof("open")));
  CHECK((same.differences.empty() && same.breaches.empty() && same.restored.empty()));
  const auto gone = daemon::news_of(&first, verdict({}, proof()));
  CHECK((gone.differences.empty() && gone.breaches.empty()));
  CHECK(gone.restored.size() == 2);
}

TEST_CASE("live news: what could not be looked at is not gone") {
  const auto before = verdict({difference("rule added")}, proof("open"));
  const auto unread = verdict({}, std::nullopt);
  CHECK(unread.nothing_read());
  CHECK(daemon::news_of(&before, unread).restored.empty());
  auto cut = verdict({difference("another")}, proof("open"));  // of more than are told
  cut.left_out = 1;
  CHECK(daemon::news_of(&before, cut).restored.empty());
  CHECK(daemon::news_of(&before, cut).differences.size() == 1);
  // Compared and not proved: the difference is gone, of the promise nothing is known.
  const auto half = verdict({difference("another")}, std::nullopt);
  const auto news = daemon::news_of(&before, half);
  REQUIRE(news.restored.size() == 1);
  CHECK(has(news.restored[0], "rule added"));
}

}  // namespace gateway::tests
