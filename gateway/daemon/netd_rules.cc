// Every change is read back: what the kernel lists is what counts, not what it acknowledged.
#include "gateway/daemon/netd_rules.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <map>
#include <thread>
#include <utility>

#include "firewall/diff.h"
#include "firewall/render.h"
#include "firewall/stages.h"
#include "gateway/core/codec.h"
#include "gateway/daemon/netd_listing.h"
#include "gateway/os/clock.h"

namespace gateway::daemon {
namespace {

using os::OsError;
using os::OsResult;

constexpr int kClaims = 40;  // a killed predecessor's socket goes away within milliseconds
constexpr auto kBetweenClaims = std::chrono::milliseconds(50);
constexpr std::size_t kReadBackAtOnce = 20'000;  // elements: some hundredths of a second
constexpr std::size_t kLong = 4'000;
constexpr int kTries = 3;  // where others come in between

// There was no answer: it may have been done.
bool is_unknown(const OsError& error) {
  return error.number == ENOBUFS || error.number == ETIMEDOUT;
}

// In a process of its own, so with a socket of its own. First why nothing was read, or nothing; then the differences.
std::vector<std::string> differences_beside(const NetdRules::Differences& read, const firewall::RuleSet& wanted) {
  auto table = os::NftablesTable::open();
  if (!table) return {table.error().to_string()};
  const auto wrong = read(*table, wanted);
  if (!wrong) return {wrong.error().to_string()};
  std::vector<std::string> told{""};
  told.insert(told.end(), wrong->begin(), wrong->end());
  return told;
}

}  // namespace

OsResult<NetdRules> NetdRules::open(Differences read) {
  auto table = TRY(os::NftablesTable::open());
  for (int i = 1;; ++i) {
    auto claimed = table.claim();
    if (claimed) {
      NetdRules rules(std::move(table), std::move(read));
      if (auto awake = rules.wake(); !awake) return std::unexpected(awake.error());
      return rules;
    }
    if (i == kClaims) return std::unexpected(claimed.error());
    std::this_thread::sleep_for(kBetweenClaims);
  }
}

// Somebody deleted it: claimed again.
OsResult<void> NetdRules::be_there() {
  if (const auto asleep = table_.asleep(); !asleep && asleep.error().number == ENOENT)
    if (auto claimed = table_.claim(); !claimed) return std::unexpected(claimed.error());
  return {};
}

// Of what is there, awake.
OsResult<std::vector<std::string>> NetdRules::differences_to(const firewall::RuleSet& wanted) {
  if (auto there = be_there(); !there) return std::unexpected(there.error());
  if (auto awake = wake(); !awake) return std::unexpected(awake.error());
  return read_(table_, wanted);
}

OsResult<firewall::Listing> NetdRules::names() {
  if (auto there = be_there(); !there) return std::unexpected(there.error());
  return listed_names(table_);
}

OsResult<NetdRules::Listed> NetdRules::listed() {
  auto table = TRY(os::NftablesTable::open());
  for (int i = 0; i < kTries; ++i) {
    const auto before = TRY(os::nftables_generation());
    Listed out{TRY(table.list_rules()), {}};
    auto listing = listed_table(table);
    if (!listing && listing.error().number != ENOENT && listing.error().number != EAGAIN)
      return std::unexpected(listing.error());
    if (listing) out.sets = std::move(listing->sets);
    const bool read = listing || listing.error().number == ENOENT;
    const auto owned = os::NftablesTable::owned();  // what netd owns nobody changes while it is read
    if (read && ((owned && *owned) || TRY(os::nftables_generation()) == before)) return out;
  }
  return std::unexpected(OsError{EAGAIN, "nf_tables was changed each time it was read"});
}

std::size_t NetdRules::elements_of(const firewall::RuleSet& rules) {
  std::size_t count = 0;
  for (const auto& set : rules.sets) count += set.elements.size();
  return count;
}

bool NetdRules::is_long(std::size_t elements) {
  return elements > kLong;
}

std::size_t NetdRules::elements() const {
  return installed_ ? elements_of(*installed_) : 0;
}

bool NetdRules::quick_to_list() const {
  return elements() <= kReadBackAtOnce;
}

OsResult<std::vector<std::string>> NetdRules::differences() {
  if (!installed_) return std::vector<std::string>();
  return read_(table_, *installed_);
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

namespace {

// Both, so that nothing more passes before the rules are there than passes afterwards.
struct Filling {
  std::vector<firewall::ElementChange> before;  // what is not wanted goes; sets that are new come with all they have
  std::vector<firewall::ElementChange> after;   // what is missing comes
  std::set<std::string> kept;
};

// Of sets of `present` that are of the right form, or in `made`.
OsResult<Filling> filling(const firewall::Listing& present, const std::set<std::string>& made,
                          const firewall::RuleSet& wanted) {
  Filling out;
  for (const firewall::Set& set : wanted.sets) {
    const auto listed = std::ranges::find(present.sets, set.name, &firewall::ListedSet::name);
    const bool is_new = made.contains(set.name);
    if (set.is_dynamic() || (!is_new && (listed == present.sets.end() || !firewall::has_form(*listed, set)))) continue;
    auto change = firewall::element_change(set, is_new ? std::vector<std::string>() : listed->elements);
    if (!change) continue;  // something that we would never write: the set is made anew
    out.kept.insert(set.name);
    (is_new ? out.before : out.after).push_back({set.name, {}, std::move(change->added)});
    if (!is_new) out.before.push_back({set.name, std::move(change->gone), {}});
  }
  return out;
}

// Sets that are not there, with nothing in them.
firewall::RuleSet missing_sets(const firewall::Listing& present, const firewall::RuleSet& wanted) {
  firewall::RuleSet empty;
  for (const firewall::Set& set : wanted.sets)
    if (!set.is_dynamic() &&
        std::ranges::find(present.sets, set.name, &firewall::ListedSet::name) == present.sets.end())
      empty.sets.push_back({set.name, set.kind, set.type, set.flags, {}, set.limits});
  return empty;
}

}  // namespace

// What is not wanted goes before the rules are made anew, what is missing comes after them.
OsResult<void> NetdRules::replace_ahead(const firewall::RuleSet& wanted) {
  const auto found = TRY(listed_table(table_));
  const auto empty = missing_sets(found, wanted);
  std::set<std::string> made;
  for (const firewall::Set& set : empty.sets) made.insert(set.name);
  auto adding = firewall::stages(firewall::diff({}, empty), empty.sets);
  if (!adding) return std::unexpected(OsError{EOPNOTSUPP, "sets of a form that is not written in octets"});
  if (auto added = table_.run(firewall::render(adding->before)); !added) return added;
  std::optional<std::uint32_t> generation;  // what we own nobody else changes
  if (table_.protection() != os::NftablesTable::Protection::kOwned) generation = TRY(os::nftables_generation());
  const auto present = TRY(listed_table(table_));
  const auto steps = TRY(filling(present, made, wanted));
  if (auto done = table_.change_elements(steps.before, generation); !done) return done;
  auto replaced = table_.run(firewall::render(firewall::replace(present, wanted, steps.kept)));
  if (replaced) replaced = table_.change_elements(steps.after);
  return replaced;
}

bool NetdRules::has_others(const firewall::Listing& present, const firewall::RuleSet& wanted) {
  const auto among = [](const auto& all, const std::string& name) {
    return std::ranges::any_of(all, [&](const auto& each) { return each.name == name; });
  };
  return std::ranges::any_of(present.sets, [&](const auto& set) { return !among(wanted.sets, set.name); }) ||
         std::ranges::any_of(present.chains, [&](const auto& chain) { return !among(wanted.chains, chain.name); });
}

// What a stranger made may keep all of ours from being taken away: then the table goes with it, in one transaction. Not
// one that we own, which nobody else has written to.
OsResult<void> NetdRules::replace_table(const firewall::RuleSet& wanted) {
  return table_.run(firewall::render_new_table() + firewall::render(wanted));
}

OsResult<void> NetdRules::replace_with(const firewall::RuleSet& wanted, Elements elements) {
  if (auto awake = wake(); !awake) return awake;
  if (elements == Elements::kAhead && is_long(elements_of(wanted)))
    for (int i = 0; i < kTries; ++i) {
      const auto done = replace_ahead(wanted);
      if (done) return {};
      if (done.error().number != ERESTART && done.error().number != EAGAIN) break;  // somebody came in between
    }
  const auto present = TRY(names());
  auto done = table_.run(firewall::render(firewall::replace(present, wanted)));
  const bool watched = table_.protection() == os::NftablesTable::Protection::kWatched;
  if (!done && watched && has_others(present, wanted)) done = replace_table(wanted);
  return done;
}

// In one transaction, of elements or of text; where many elements are new, sets that no rule names yet are filled
// first.
OsResult<void> NetdRules::change_to(const firewall::RuleSet& wanted) {
  const auto transaction = firewall::diff(*installed_, wanted);
  const auto stages = firewall::stages(transaction, wanted.sets);
  if (!stages) return table_.run(firewall::render(transaction));
  auto done = table_.run(firewall::render(stages->before));
  if (done) done = table_.change_elements(stages->elements);
  if (done) done = table_.run(firewall::render(stages->after));
  // Sets that no rule names may be left, with elements in them: the next change must not take them for empty ones. And
  // without an answer nobody knows what was done.
  if (!done && (!stages->before.empty() || is_unknown(done.error()))) distrust();
  return done;
}

OsResult<void> NetdRules::install(firewall::RuleSet wanted) {
  const bool by_difference = installed_.has_value();
  auto done = installed_ ? change_to(wanted) : replace_with(wanted, Elements::kAhead);
  // A difference to something that is no longer there: start from what is.
  if (!done && by_difference) done = replace_with(wanted, Elements::kInOne);
  if (!done && !installed_) uncertain_ = true;
  if (!done) return done;
  look_anew();
  if (elements_of(wanted) <= kReadBackAtOnce) {
    auto held = read_back(wanted);
    if (!held && held.error().number == EAGAIN) return leave_unread(std::move(wanted));
    if (held || !by_difference) return held;
    // A stranger's change whose event is not read yet: it must not make a cut fail, and with it close everybody.
    if (auto replaced = replace_with(wanted, Elements::kAhead); !replaced) return replaced;
    held = read_back(wanted);
    return !held && held.error().number == EAGAIN ? leave_unread(std::move(wanted)) : held;
  }
  return leave_unread(std::move(wanted));
}

// It was taken, and is read back later: somebody who writes to other tables all the time makes no cut fail.
OsResult<void> NetdRules::leave_unread(firewall::RuleSet wanted) {
  installed_ = std::move(wanted);
  uncertain_ = false, unconfirmed_ = true;
  return {};
}

OsResult<void> NetdRules::take_away(const std::vector<firewall::Set>& sets) {
  if (!installed_ || uncertain_) return std::unexpected(OsError{0, "what the table holds is not known"});
  std::vector<firewall::ElementChange> changes;
  std::map<firewall::Set*, std::vector<std::string>> left;
  for (const firewall::Set& set : sets) {
    const auto held = std::ranges::find(installed_->sets, set.name, &firewall::Set::name);
    if (held == installed_->sets.end()) continue;
    std::vector<std::string> gone, kept;
    std::ranges::set_intersection(held->elements, set.elements, std::back_inserter(gone));
    if (gone.empty()) continue;
    std::ranges::set_difference(held->elements, gone, std::back_inserter(kept));
    auto change = firewall::element_change({set.name, set.kind, set.type, set.flags, {}}, gone);
    if (!change) return std::unexpected(OsError{0, change.error()});
    changes.push_back(*std::move(change));
    left[&*held] = std::move(kept);
  }
  if (auto done = table_.change_elements(changes); !done) {
    if (is_unknown(done.error())) distrust();
    return done;
  }
  for (auto& [set, elements] : left) set->elements = std::move(elements);
  look_anew();
  unconfirmed_ = true;
  return {};
}

OsResult<void> NetdRules::read_back(const firewall::RuleSet& wanted) {
  distrust();
  const auto wrong = TRY(differences_to(wanted));
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
    auto started = os::ForkedWorker::start([this] { return core::encode(differences_beside(read_, *installed_)); }, now,
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
  if (os::boot_now() < look_at_) return;
  auto wanted = *installed_;
  const auto held = read_back(wanted);  // what is wrong makes it uncertain
  if (held || held.error().number != EAGAIN) {
    look_anew();
    unconfirmed_ = false;
    return;
  }
  (void)leave_unread(std::move(wanted));
  look_later(held.error().to_string());
}

OsResult<std::vector<std::string>> NetdRules::repair(bool surely) {
  std::vector<std::string> wrong;
  if (!installed_) return wrong;
  if (!quick_to_list() && !surely) {  // looked at beside, by confirm(), from now on
    look_anew();
    unconfirmed_ = true;
    return wrong;
  }
  const auto found = quick_to_list() ? differences_to(*installed_) : OsResult<std::vector<std::string>>(wrong);
  if (!found && !surely) return unconfirmed_ = true, wrong;  // confirm() looks again, and tells why it cannot
  if (found) wrong = *found;
  if (wrong.empty() && !surely) return wrong;
  if (wrong.empty()) wrong.emplace_back("table inet sekisho was changed");
  const auto wanted = *installed_;
  distrust();  // until it is there again: what is tried next starts from what is there
  if (auto replaced = replace_with(wanted, Elements::kAhead); !replaced) return std::unexpected(replaced.error());
  look_anew();
  (void)leave_unread(wanted);  // reading back takes as long again; the repair must be quick
  return wrong;
}

}  // namespace gateway::daemon
