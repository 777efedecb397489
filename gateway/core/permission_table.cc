// A class is one distinct prefix of the permissions. Prefixes may nest: a permission for a prefix is entered for every
// class inside it, because look-up answers with the narrowest.
#include "gateway/core/permission_table.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "policy/prefix_hash.h"

namespace gateway::core {
namespace {

using config::value::IpProtocol;
using config::value::Prefix;
using config::value::Result;
using config::value::WallTime;
using policy::Permission;

// A cap against a plan that would not fit memory: 100 times what 10,000 facilities with 20 services need.
constexpr std::size_t kMostRows = 20'000'000;

std::vector<Prefix> distinct(const std::vector<Permission>& permissions, Prefix Permission::* member) {
  std::unordered_set<Prefix, policy::PrefixHash> found;  // few of many
  for (const Permission& p : permissions) found.insert(p.*member);
  std::vector<Prefix> prefixes(found.begin(), found.end());
  std::sort(prefixes.begin(), prefixes.end());
  return prefixes;
}

PrefixTable table_of(const std::vector<Prefix>& prefixes) {
  std::vector<PrefixEntry> entries;
  entries.reserve(prefixes.size());
  for (std::size_t i = 0; i < prefixes.size(); ++i) entries.push_back({prefixes[i], static_cast<std::uint32_t>(i)});
  return PrefixTable(std::move(entries));
}

// Of each class the addresses that look-up gives to it: its prefix without the narrower ones inside.
std::vector<std::vector<policy::AddressRange>> own_ranges(const std::vector<Prefix>& sorted) {
  std::vector<std::vector<policy::AddressRange>> out(sorted.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    std::vector<policy::AddressRange> narrower;
    for (std::size_t j = i + 1; j < sorted.size() && sorted[i].contains(sorted[j]); ++j)
      narrower.push_back(policy::range_of(sorted[j]));
    out[i] = {policy::range_of(sorted[i])};
    if (!narrower.empty()) out[i] = (policy::PacketSet::from(out[i]) - policy::PacketSet::from(narrower)).sources();
  }
  return out;
}

// The classes inside each of them: itself and what sorts behind it for as long as it is contained.
using Inside = std::unordered_map<Prefix, std::pair<std::uint32_t, std::uint32_t>, policy::PrefixHash>;
Inside inside(const std::vector<Prefix>& sorted) {
  Inside out;
  for (std::size_t begin = 0; begin < sorted.size(); ++begin) {
    std::size_t end = begin;
    while (end < sorted.size() && sorted[begin].contains(sorted[end])) ++end;
    out.emplace(sorted[begin], std::pair(static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)));
  }
  return out;
}

std::uint8_t wire_protocol(const Permission& p) {
  if (p.port.protocol != IpProtocol::kIcmp) return static_cast<std::uint8_t>(p.port.protocol);
  return p.destination.address().is_v4() ? 1
                                         : 58;  // kIcmp stands for both families; a compiled plan names kIcmpV6 itself
}

const char* fault_of(const Permission& p) {
  if (p.source.address().family() != p.destination.address().family()) return "mixes address families";
  if (p.port.protocol == IpProtocol::kIcmpV6 && p.destination.address().is_v4()) return "names ICMPv6 towards IPv4";
  if (p.port.first > p.port.last) return "has an empty port range";
  return nullptr;
}

}  // namespace

std::size_t PermissionTable::hash(const Key& key) {
  // The keys are ours, not an attacker's: mixing is enough (splitmix64 finaliser).
  std::uint64_t x =
      (std::uint64_t{key.source} << 32 | key.destination) + std::uint64_t{key.protocol} * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::size_t>(x ^ (x >> 31));
}

Result<PermissionTable, std::string> PermissionTable::compile(const std::vector<Permission>& permissions) {
  const std::vector<Prefix> sources = distinct(permissions, &Permission::source);
  const std::vector<Prefix> destinations = distinct(permissions, &Permission::destination);
  const Inside inside_sources = inside(sources), inside_destinations = inside(destinations);
  std::vector<Row> rows;
  rows.reserve(permissions.size());
  for (const Permission& p : permissions) {
    if (const char* fault = fault_of(p)) return std::unexpected("permission " + p.name + " " + fault);
    const Range range{p.port.first, p.port.last, p.until.value_or(WallTime::max())};
    const auto [s_begin, s_end] = inside_sources.at(p.source);
    const auto [d_begin, d_end] = inside_destinations.at(p.destination);
    if (rows.size() + std::size_t{s_end - s_begin} * (d_end - d_begin) > kMostRows)
      return std::unexpected(std::string("too many permissions with nested prefixes"));
    for (std::uint32_t s = s_begin; s < s_end; ++s)
      for (std::uint32_t d = d_begin; d < d_end; ++d) rows.push_back({{s, d, wire_protocol(p)}, range});
  }
  PermissionTable table;
  table.sources_ = table_of(sources);
  table.destinations_ = table_of(destinations);
  table.source_classes_ = sources, table.destination_classes_ = destinations;
  table.fill(rows);
  return table;
}

void PermissionTable::fill(std::vector<Row>& rows) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key < b.key; });
  std::size_t groups = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) groups += i == 0 || rows[i].key != rows[i - 1].key;
  std::size_t size = 2;
  while (size < groups * 2) size *= 2;
  slots_.assign(size, Slot{});
  for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    while (end < rows.size() && rows[end].key == rows[begin].key) ++end;
    add_group(std::span(rows).subspan(begin, end - begin));
  }
}

// Overlapping ranges become disjoint ones, each with the latest end among those that cover it.
void PermissionTable::add_group(std::span<const Row> group) {
  const std::size_t first = ranges_.size();
  if (group.size() == 1) {
    ranges_.push_back(group.front().range);
    return insert({group.front().key, static_cast<std::uint32_t>(first), 1});
  }
  std::set<std::uint32_t> cuts;
  for (const Row& row : group) cuts.insert(row.range.first), cuts.insert(row.range.last + 1u);
  for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
    std::optional<WallTime> until;
    for (const Row& row : group)
      if (row.range.first <= *cut && *cut <= row.range.last)
        until = std::max(until.value_or(WallTime::min()), row.range.until);
    if (!until) continue;
    ranges_.push_back({static_cast<std::uint16_t>(*cut), static_cast<std::uint16_t>(*std::next(cut) - 1), *until});
  }
  insert({group.front().key, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(ranges_.size() - first)});
}

void PermissionTable::insert(const Slot& slot) {
  std::size_t at = hash(slot.key) & (slots_.size() - 1);
  while (slots_[at].range_count != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = slot;
}

std::vector<PermissionRow> PermissionTable::rows() const {
  const auto sources = own_ranges(source_classes_), destinations = own_ranges(destination_classes_);
  std::vector<PermissionRow> out;
  const auto add = [&](const Key& key, const Range& range) {
    for (const policy::AddressRange& source : sources[key.source])
      for (const policy::AddressRange& destination : destinations[key.destination])
        out.push_back({source, destination, key.protocol, range.first, range.last, range.until});
  };
  for (const Slot& slot : slots_)
    for (std::uint32_t i = 0; i < slot.range_count; ++i) add(slot.key, ranges_[slot.first_range + i]);
  return out;
}

policy::PacketSet PermissionTable::packets(WallTime now) const {
  std::vector<policy::PacketBox> boxes;
  for (const PermissionRow& row : rows())
    if (now < row.until)
      boxes.push_back(
          policy::box_of(row.source, row.destination, {static_cast<IpProtocol>(row.protocol), row.first, row.last}));
  return policy::PacketSet::of(std::move(boxes));
}

Match PermissionTable::find(const config::value::IpAddress& source, const config::value::IpAddress& destination,
                            std::uint8_t protocol, std::uint16_t port, WallTime now) const {
  if (slots_.empty()) return Match::kNone;
  const Key key{sources_.find(source), destinations_.find(destination), protocol};
  if (key.source == PrefixTable::kNone || key.destination == PrefixTable::kNone) return Match::kNone;
  for (std::size_t at = hash(key) & (slots_.size() - 1); slots_[at].range_count != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.key != key) continue;
    const auto begin = ranges_.begin() + slot.first_range, end = begin + slot.range_count;
    const auto range = std::partition_point(begin, end, [port](const Range& r) { return r.last < port; });
    if (range == end || port < range->first) return Match::kNone;
    return now < range->until ? Match::kPermitted : Match::kExpired;
  }
  return Match::kNone;
}

}  // namespace gateway::core
