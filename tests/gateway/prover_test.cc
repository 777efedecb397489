// The child that proves a candidate, and every way in which it can fail to: none of them is a proof.
#include "gateway/daemon/prover.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "gateway/os/clock.h"
#include "policy/compile.h"
#include "tests/gateway/patience.h"
#include "tests/policy/sample_config.h"

namespace gateway::tests {
namespace {

using daemon::Prover;
using Breaches = std::vector<std::string>;
using Octets = Prover::Octets;

// As accessd's loop: asks when there is something to read.
Breaches answer_of(Prover& prover) {
  const auto end = os::boot_now() + kPatience;
  while (os::boot_now() < end) {
    pollfd waiting{prover.descriptor(), POLLIN, 0};
    (void)poll(&waiting, 1, 1000);
    if (auto answer = prover.answer(os::boot_now())) return *std::move(answer);
  }
  FAIL("no answer");
  return {};
}

Breaches of(const std::function<Octets(std::uint64_t)>& work) {
  Prover prover;
  REQUIRE(prover.start(work, os::boot_now()));
  auto answer = answer_of(prover);
  CHECK_FALSE(prover.running());
  return answer;
}

void refused(const Breaches& breaches, const std::string& why) {
  REQUIRE(breaches.size() == 1);
  CAPTURE(breaches[0]);
  CHECK(breaches[0].find("the plan was not proved, so it is not applied") == 0);
  CHECK(breaches[0].find(why) != std::string::npos);
}

core::Unproved judged(const config::GatewayConfig& config) {
  config::Loaded loaded;
  loaded.config = config;
  return core::judge(loaded, "", ::tests::at_second(0));
}

}  // namespace

TEST_CASE("prover: a candidate is proved in the child, and what breaks a promise comes back as it was said") {
  Prover prover;
  const auto good = judged(::tests::sample_config());
  REQUIRE(prover.start(good, os::boot_now()));
  CHECK((prover.running() && prover.deadline()));
  CHECK(answer_of(prover).empty());
  CHECK_FALSE(prover.deadline());
  const Breaches said{"the plan breaks promise P1: \"a\" -> \"b\"", "函館 -> 松前"};
  CHECK(of([&](std::uint64_t question) { return Prover::octets_of(question, said); }) == said);
  CHECK(of([&](std::uint64_t question) { return Prover::octets_of(question, {}); }).empty());
}

TEST_CASE("prover: what is refused already is not made whole by a proof that has nothing to say") {
  auto refused_one = judged(::tests::sample_config());
  refused_one.refuse({"because"});
  CHECK_FALSE(refused_one.needs_proof());
  CHECK(refused_one.prove().empty());
  CHECK(std::move(refused_one).decided({}).errors == Breaches{"because"});
}

TEST_CASE("prover: killed, at its end or at work, is not proved") {
  refused(of([](std::uint64_t) -> Octets { _exit(0); }), "has no known form");  // ended well, and said nothing
  refused(of([](std::uint64_t) -> Octets { _exit(1); }), "it ended with status 1");
  refused(of([](std::uint64_t question) -> Octets {
            const auto whole = Prover::octets_of(question, {});
            (void)!write(3, whole.data(), whole.size());  // to nobody
            volatile int* nowhere = nullptr;
            *nowhere = 1;
            return whole;
          }),
          "did not finish");
}

TEST_CASE("prover: one that hangs is ended in time, and what it was about is refused") {
  Prover prover;
  const auto begun = os::boot_now();
  const auto hang = [](std::uint64_t) -> Octets {
    for (volatile bool on = true; on;) {
    }
    return {};
  };
  REQUIRE(prover.start(hang, begun));
  CHECK_FALSE(prover.answer(begun + os::ForkedWorker::kMostTime - std::chrono::seconds(1)));
  refused(prover.answer(begun + os::ForkedWorker::kMostTime).value(), "longer than 60 s");
  CHECK_FALSE(prover.running());
  refused(prover.answer(begun).value(), "nothing proves it");
}

TEST_CASE("prover: an answer that is not exactly one of the two is no proof") {
  const std::string form = "no known form";
  refused(of([](std::uint64_t) { return Octets{}; }), form);
  refused(of([](std::uint64_t) { return Octets(64, 0); }), form);
  refused(of([](std::uint64_t question) { return Prover::octets_of(question + 1, {}); }), form);  // to another question
  for (const std::size_t cut : {1u, 8u, 20u})
    refused(of([cut](std::uint64_t question) {
              auto octets = Prover::octets_of(question, {});
              octets.resize(octets.size() - cut);
              return octets;
            }),
            form);
  refused(of([](std::uint64_t question) {
            auto octets = Prover::octets_of(question, {});
            octets.push_back(0);
            return octets;
          }),
          form);
  // "proved", and breaches; "not proved", and none; a breach that says nothing. The flag stands behind form and
  // question.
  refused(of([](std::uint64_t question) {
            auto octets = Prover::octets_of(question, {"breach"});
            octets[16] = 1;
            return octets;
          }),
          form);
  refused(of([](std::uint64_t question) {
            auto octets = Prover::octets_of(question, {});
            octets[16] = 0;
            return octets;
          }),
          form);
  refused(of([](std::uint64_t question) { return Prover::octets_of(question, {""}); }), form);
  refused(of([](std::uint64_t) { return Octets(os::ForkedWorker::kMostAnswer + 1, 7); }), "too long");
}

// The sanitizer's own calls are not foreseeable: its builds have no filter.
#if defined(__SANITIZE_ADDRESS__)
#define SEKISHO_NO_FILTER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEKISHO_NO_FILTER 1
#endif
#endif
#if !defined(SEKISHO_NO_FILTER)
TEST_CASE("prover: the child opens nothing, sends nothing, starts nothing") {
  const auto dies = [](void (*call)()) {
    refused(of([call](std::uint64_t question) {
              call();
              return Prover::octets_of(question, {});
            }),
            "killed by signal 31");  // SIGSYS
  };
  dies([] { (void)open("/etc/passwd", O_RDONLY); });
  dies([] { (void)socket(AF_INET, SOCK_DGRAM, 0); });
  dies([] { (void)!read(0, nullptr, 0); });
  dies([] { (void)kill(getppid(), 0); });
  dies([] { (void)fork(); });
}
#endif

TEST_CASE("prover: what the parent holds open is not open in the child") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const int kept = fcntl(ends[1], F_DUPFD, 40);
  refused(of([kept](std::uint64_t question) {
            const char octet = 'x';
            const bool closed = write(kept, &octet, 1) < 0 && write(2, &octet, 1) < 0;
            return closed ? Octets{} : Prover::octets_of(question, {});
          }),
          "no known form");
  for (const int each : {ends[0], ends[1], kept}) close(each);
}

TEST_CASE("prover: a new question ends the one before") {
  Prover prover;
  REQUIRE(prover.start(
      [](std::uint64_t) -> Octets {
        for (volatile bool on = true; on;) {
        }
        return {};
      },
      os::boot_now()));
  REQUIRE(prover.start([](std::uint64_t question) { return Prover::octets_of(question, {}); }, os::boot_now()));
  CHECK(answer_of(prover).empty());
}

}  // namespace gateway::tests
