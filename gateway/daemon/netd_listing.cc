#include "gateway/daemon/netd_listing.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "gateway/os/nftables_query.h"

namespace gateway::daemon {
namespace {

using os::OsError;
using os::OsResult;

constexpr int kTries = 8;
constexpr auto kBetweenReadings = std::chrono::milliseconds(20);
constexpr std::size_t kSteady = 100;  // elements: within one part
constexpr std::size_t kMostTold = 20;
constexpr const char* kOtherLayout = " of another layout";  // behind a type: it is not what it says

// The plan has no elements of them, and they may be many.
bool is_filled_by_rules(const firewall::ListedSet& set) {
  const bool named = set.name == "flows" || set.name.starts_with("fragments");
  return named && set.flags.find("dynamic") != std::string::npos && set.flags.find("interval") == std::string::npos;
}

// libnftables prints neither the lengths of a key's fields nor what else a set may have. With other ones the same
// octets are another key.
bool is_laid_out(const os::NftablesSet& set, const firewall::ElementForm& form, const firewall::ListedSet& listed) {
  const auto fields = form.field_sizes();
  const bool concatenated = set.field_sizes == fields || (fields.empty() && set.field_sizes.size() <= 1) ||
                            (set.field_sizes.empty() && !set.has_intervals);
  return !set.more && set.is_map == (listed.kind == "map") && set.has_intervals == (listed.flags == "interval") &&
         set.key_size == form.key_size() && set.value_size == (set.is_map ? sizeof(std::uint32_t) : 0) && concatenated;
}

OsResult<firewall::Listing> read_once(os::NftablesTable& table) {
  auto listing = TRY(listed_names(table));
  const auto rules = TRY(os::NftablesTable::rule_counts());
  for (firewall::ListedChain& chain : listing.chains)
    if (const auto at = rules.find(chain.name); at != rules.end()) chain.rules = at->second;
  for (firewall::ListedSet& set : listing.sets) {
    if (is_filled_by_rules(set)) continue;
    auto elements = TRY(os::NftablesTable::elements(set.name));
    const auto form = firewall::ElementForm::of({set.name, set.kind, set.type, set.flags, {}});
    const bool readable = form && set.type.find(kOtherLayout) == std::string::npos;
    set.elements = readable ? form->decode(std::move(elements)) : firewall::unread_elements(elements);
  }
  return listing;
}

// EAGAIN: somebody changed nf_tables meanwhile.
OsResult<firewall::Listing> read_generation(os::NftablesTable& table) {
  const auto before = TRY(os::nftables_generation());
  const bool owned = TRY(os::NftablesTable::owned());  // then others' changes are of other tables
  auto listing = read_once(table);
  const bool gone = !listing && (listing.error().number == ENOENT || listing.error().number == EINTR);
  if (!listing && !gone) return listing;
  if (gone || (!owned && TRY(os::nftables_generation()) != before))
    return std::unexpected(OsError{EAGAIN, "it was changed"});
  return listing;
}

// The kernel lists a large hash table in parts, by their place in it. For some milliseconds after it was filled it
// grows, and then some are listed twice and others not.
bool is_short(const firewall::Listing& listing) {
  return std::ranges::all_of(listing.sets, [](const auto& set) { return set.elements.size() < kSteady; });
}

bool same_elements(const firewall::Listing& a, const firewall::Listing& b) {
  return std::ranges::equal(a.sets, b.sets,
                            [](const auto& one, const auto& other) { return one.elements == other.elements; });
}

}  // namespace

OsResult<firewall::Listing> listed_names(os::NftablesTable& table) {
  auto names = firewall::read_names(TRY(table.list_names_json()));
  if (!names) return std::unexpected(OsError{0, names.error()});
  const auto described = TRY(os::NftablesTable::sets());
  for (firewall::ListedSet& set : names->sets) {
    if (is_filled_by_rules(set)) continue;
    const auto form = firewall::ElementForm::of({set.name, set.kind, set.type, set.flags, {}});
    const auto at = described.find(set.name);
    if (form && (at == described.end() || !is_laid_out(at->second, *form, set))) set.type += kOtherLayout;
  }
  for (const auto& counter : TRY(os::NftablesTable::counters()))
    names->counters.push_back({counter.name, counter.packets, counter.bytes});
  return *std::move(names);
}

OsResult<firewall::Listing> listed_table(os::NftablesTable& table) {
  OsError last{EAGAIN, "nf_tables was changed each time it was read"};
  std::optional<firewall::Listing> before;
  for (int i = 0; i < kTries; ++i) {
    auto listing = read_generation(table);
    if (!listing && listing.error().number != EAGAIN) return listing;
    if (listing && (is_short(*listing) || (before && same_elements(*before, *listing)))) return listing;
    before.reset();
    if (listing) before = *std::move(listing);
    std::this_thread::sleep_for(kBetweenReadings);
  }
  return std::unexpected(last);
}

OsResult<std::vector<std::string>> listed_differences(os::NftablesTable& table, const firewall::RuleSet& wanted) {
  const auto asleep = table.asleep();
  if (!asleep && asleep.error().number == ENOENT) return std::vector<std::string>{"table inet sekisho missing"};
  if (!asleep) return std::unexpected(asleep.error());
  if (*asleep) return std::vector<std::string>{"table inet sekisho was put to sleep"};
  auto first = read_generation(table);
  if (!first && first.error().number != EAGAIN) return std::unexpected(first.error());
  if (first && firewall::differences(wanted, *first).empty()) return std::vector<std::string>();
  auto wrong = firewall::differences(wanted, TRY(listed_table(table)));
  if (wrong.size() <= kMostTold) return wrong;
  const std::size_t more = wrong.size() - kMostTold;
  wrong.resize(kMostTold);
  wrong.push_back("and " + std::to_string(more) + " more differences of the table");
  return wrong;
}

}  // namespace gateway::daemon
