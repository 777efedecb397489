// Every change is read back: what the kernel lists is what counts, not what it acknowledged.
#include "gateway/daemon/netd_rules.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "firewall/diff.h"
#include "firewall/render.h"
#include "gateway/core/codec.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

using os::OsError;
using os::OsResult;

constexpr int kClaims = 40;  // a killed predecessor's socket goes away within milliseconds
constexpr auto kBetweenClaims = std::chrono::milliseconds(50);
constexpr std::size_t kReadBackAtOnce = 4'000;  // elements: a tenth of a second or two

// Of `wanted` and what `table` lists now; nothing is changed.
OsResult<std::vector<std::string>> listed_differences(os::NftablesTable& table, const firewall::RuleSet& wanted) {
  constexpr std::size_t kMostTold = 20;
  const auto json = table.list_json();
  if (!json && json.error().number == ENOENT) return std::vector<std::string>{"table inet sekisho missing"};
  if (!json && json.error().number == EOPNOTSUPP) return std::vector<std::string>{json.error().to_string()};
  if (!json) return std::unexpected(json.error());
  const auto listing = firewall::read_listing(*json);
  if (!listing) return std::unexpected(OsError{0, listing.error()});
  auto wrong = firewall::differences(wanted, *listing);
  if (wrong.size() <= kMostTold) return wrong;
  const std::size_t more = wrong.size() - kMostTold;
  wrong.resize(kMostTold);
  wrong.push_back("and " + std::to_string(more) + " more differences of the table");
  return wrong;
}

// In a process of its own, so with a socket of its own. First why nothing was read, or nothing; then the differences.
std::vector<std::string> differences_beside(const firewall::RuleSet& wanted) {
  auto table = os::NftablesTable::open();
  if (!table) return {table.error().to_string()};
  const auto wrong = listed_differences(*table, wanted);
  if (!wrong) return {wrong.error().to_string()};
  std::vector<std::string> told{""};
  told.insert(told.end(), wrong->begin(), wrong->end());
  return told;
}

}  // namespace

OsResult<NetdRules> NetdRules::open() {
  auto table = TRY(os::NftablesTable::open());
  for (int i = 1;; ++i) {
    auto claimed = table.claim();
    if (claimed) {
      NetdRules rules(std::move(table));
      if (auto awake = rules.wake(); !awake) return std::unexpected(awake.error());
      return rules;
    }
    if (i == kClaims) return std::unexpected(claimed.error());
    std::this_thread::sleep_for(kBetweenClaims);
  }
}

OsResult<firewall::Listing> NetdRules::listing() {
  auto json = table_.list_json();
  if (!json && json.error().number == ENOENT) {  // somebody deleted it
    if (auto claimed = table_.claim(); !claimed) return std::unexpected(claimed.error());
    json = table_.list_json();
  }
  if (!json && json.error().number == EOPNOTSUPP) {  // it is listed awake only
    if (auto awake = wake(); !awake) return std::unexpected(awake.error());
    json = table_.list_json();
  }
  if (!json) return std::unexpected(json.error());
  auto listing = firewall::read_listing(*json);
  if (!listing) return std::unexpected(OsError{0, listing.error()});
  return *std::move(listing);
}

// Claimed again when somebody deleted it. What is there, without elements.
OsResult<firewall::Listing> NetdRules::names() {
  if (const auto flags = table_.flags(); !flags && flags.error().number == ENOENT)
    if (auto claimed = table_.claim(); !claimed) return std::unexpected(claimed.error());
  auto names = firewall::read_names(TRY(table_.list_names_json()));
  if (!names) return std::unexpected(OsError{0, names.error()});
  for (const auto& counter : TRY(os::NftablesTable::counters()))
    names->counters.push_back({counter.name, counter.packets, counter.bytes});
  return *std::move(names);
}

OsResult<NetdRules::Listed> NetdRules::listed() {
  auto table = TRY(os::NftablesTable::open());
  Listed out{TRY(table.list_rules()), ""};
  auto elements = table.list_json();
  // Of a table that sleeps the elements are nobody's question.
  if (!elements && elements.error().number != ENOENT && elements.error().number != EOPNOTSUPP)
    return std::unexpected(elements.error());
  if (elements) out.elements = *std::move(elements);
  return out;
}

std::size_t NetdRules::elements_of(const firewall::RuleSet& rules) {
  std::size_t count = 0;
  for (const auto& set : rules.sets) count += set.elements.size();
  return count;
}

bool NetdRules::is_long(std::size_t elements) {
  return elements > kReadBackAtOnce;
}

std::size_t NetdRules::elements() const {
  return installed_ ? elements_of(*installed_) : 0;
}

bool NetdRules::quick_to_list() const {
  return !is_long(elements());
}

OsResult<std::vector<std::string>> NetdRules::differences() {
  if (!installed_) return std::vector<std::string>();
  return listed_differences(table_, *installed_);
}

OsResult<bool> NetdRules::empty() {
  if (auto awake = wake(); !awake) return std::unexpected(awake.error());
  return TRY(names()).chains.empty();
}

// A table that is nobody's own may have been put to sleep, and no listing of elements shows that: adding it without
// flags wakes it. By itself, as the kernel takes no new base chain in the transaction that does so.
OsResult<void> NetdRules::wake() {
  if (table_.protection() != os::NftablesTable::Protection::kWatched) return {};
  return table_.run(firewall::render_create_table());
}

OsResult<void> NetdRules::replace_with(const firewall::RuleSet& wanted) {
  if (auto awake = wake(); !awake) return awake;
  const auto present = TRY(names());
  return table_.run(firewall::render(firewall::replace(present, wanted)));
}

OsResult<void> NetdRules::install(firewall::RuleSet wanted) {
  const bool by_difference = installed_.has_value();
  auto done = installed_ ? table_.run(firewall::render(firewall::diff(*installed_, wanted))) : replace_with(wanted);
  // A difference to something that is no longer there: start from what is.
  if (!done && installed_) done = replace_with(wanted);
  if (!done && !installed_) uncertain_ = true;
  if (!done) return done;
  look_anew();
  if (!is_long(elements_of(wanted))) {
    auto held = read_back(wanted);
    if (held || !by_difference) return held;
    // A stranger's change whose event is not read yet: it must not make a cut fail, and with it close everybody.
    if (auto replaced = replace_with(wanted); !replaced) return replaced;
    return read_back(wanted);
  }
  installed_ = std::move(wanted);
  uncertain_ = false, unconfirmed_ = true;
  return {};
}

OsResult<void> NetdRules::read_back(const firewall::RuleSet& wanted) {
  distrust();
  const auto wrong = firewall::differences(wanted, TRY(listing()));
  if (!wrong.empty()) return std::unexpected(OsError{0, "nftables does not hold what was installed: " + wrong.front()});
  installed_ = wanted;
  uncertain_ = false;
  return {};
}

// What is under way is about what was there before.
void NetdRules::look_anew() {
  reader_.end();
  look_at_ = {}, unread_times_ = 0, unread_.clear();
}

// Only what was read can differ: a reader that dies, is late or meets an error says nothing of the table. It looks
// again later and later, and from then on before others.
void NetdRules::read_back_beside() {
  const auto now = os::boot_now();
  if (!reader_.running()) {
    if (now < look_at_) return;
    const auto haste = unread_times_ == 0 ? os::ForkedWorker::Haste::kBehind : os::ForkedWorker::Haste::kNow;
    auto started = os::ForkedWorker::start([this] { return core::encode(differences_beside(*installed_)); }, now,
                                           os::ForkedWorker::May::kAskTheKernel, haste);
    if (started) return void(reader_ = std::move(*started));
    return look_later(started.error().to_string());
  }
  const auto answer = reader_.receive(now);
  if (!answer) return;
  if (!*answer) return look_later("the process that reads it did not finish: " + answer->error());
  const auto told = core::decode<std::vector<std::string>>(**answer);
  if (!told || told->empty()) return look_later("the answer of the process that reads it has no known form");
  if (!told->front().empty()) return look_later(told->front());
  unconfirmed_ = false;
  look_anew();
  if (told->size() > 1) distrust();
}

void NetdRules::look_later(const std::string& why) {
  unread_ = why;
  look_at_ = os::boot_now() + std::min<config::value::Duration>(std::chrono::seconds(1 << std::min(unread_times_, 6)),
                                                                std::chrono::seconds(60));
  ++unread_times_;
}

void NetdRules::confirm() {
  if (!unconfirmed_ || !installed_) return;
  if (!quick_to_list()) return read_back_beside();
  unconfirmed_ = false;
  const auto wanted = *installed_;
  (void)read_back(wanted);  // what is wrong makes it uncertain
}

OsResult<std::vector<std::string>> NetdRules::repair(bool surely) {
  std::vector<std::string> wrong;
  if (!installed_) return wrong;
  if (!quick_to_list() && !surely) {  // looked at beside, by confirm(), from now on
    look_anew();
    unconfirmed_ = true;
    return wrong;
  }
  if (quick_to_list()) wrong = firewall::differences(*installed_, TRY(listing()));
  if (wrong.empty() && !surely) return wrong;
  if (wrong.empty()) wrong.emplace_back("table inet sekisho was changed");
  uncertain_ = true;
  if (auto replaced = replace_with(*installed_); !replaced) return std::unexpected(replaced.error());
  look_anew();
  uncertain_ = false;
  unconfirmed_ = true;  // reading back takes as long again; the repair must be quick
  return wrong;
}

}  // namespace gateway::daemon
