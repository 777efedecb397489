#include "policy/rule_numbers.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <unordered_set>
#include <utility>

namespace policy {
namespace {

constexpr std::uint32_t kLargestRule = 0x7fffffff;

class Fnv1a {
 public:
  void add(std::uint8_t octet) { state_ = (state_ ^ octet) * 0x100000001b3ULL; }
  void add(std::uint16_t number) {
    add(static_cast<std::uint8_t>(number >> 8));
    add(static_cast<std::uint8_t>(number & 0xff));
  }
  void add(const Prefix& prefix) {
    add(static_cast<std::uint8_t>(prefix.address().family()));
    for (const std::uint8_t octet : prefix.address().octets()) add(octet);
    add(prefix.length());
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

auto meaning(const Permission& row) {
  return std::tie(row.kind, row.from_facility, row.to_facility, row.source, row.destination, row.port);
}

bool ends_later(const Permission& a, const Permission& b) {
  if (!a.until) return b.until.has_value();
  return b.until && *a.until > *b.until;
}

bool before(const Permission& a, const Permission& b) {
  const auto order = meaning(a) <=> meaning(b);
  if (order != 0) return order < 0;
  if (ends_later(a, b) != ends_later(b, a)) return ends_later(a, b);
  return std::tie(a.name, a.origin) < std::tie(b.name, b.origin);
}

using Rows = std::vector<Permission>::iterator;

// Rows come in the order of the lines that make them, and so nearly in this one: those of two ends stand together, the
// ends mostly in their order. Kinds come one after the other.
void sort_by_meaning(std::vector<Permission>& rows) {
  const auto while_same = [&rows](Rows from, const auto& same) {
    return std::find_if(from, rows.end(), [&](const Permission& each) { return !same(*from, each); });
  };
  const auto same_kind = [](const Permission& a, const Permission& b) { return a.kind == b.kind; };
  const auto same_ends = [](const Permission& a, const Permission& b) {
    return a.kind == b.kind && a.from_facility == b.from_facility && a.to_facility == b.to_facility;
  };
  for (Rows from = rows.begin(), end = from; from != rows.end(); from = end)
    std::sort(from, end = while_same(from, same_ends), before);
  for (Rows from = rows.begin(), end = from; from != rows.end(); from = end) {
    end = while_same(from, same_kind);
    if (!std::is_sorted(from, end, before)) std::sort(from, end, before);
  }
  if (!std::is_sorted(rows.begin(), rows.end(), before)) std::sort(rows.begin(), rows.end(), before);
}

// Numbers are as good as random: they are sorted by themselves, and each row is moved once.
void sort_by_number(std::vector<Permission>& rows) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> order;
  order.reserve(rows.size());
  for (const Permission& row : rows) order.emplace_back(row.rule.number, static_cast<std::uint32_t>(order.size()));
  std::sort(order.begin(), order.end());
  std::vector<Permission> sorted;
  sorted.reserve(rows.size());
  for (const auto& [number, at] : order) sorted.push_back(std::move(rows[at]));
  rows = std::move(sorted);
}

}  // namespace

std::uint32_t content_number(const Permission& row) {
  Fnv1a hash;
  hash.add(static_cast<std::uint8_t>(row.kind));
  hash.add(row.source);
  hash.add(row.destination);
  hash.add(static_cast<std::uint8_t>(row.port.protocol));
  hash.add(row.port.first);
  hash.add(row.port.last);
  const auto folded = static_cast<std::uint32_t>((hash.value() >> 31 ^ hash.value()) & kLargestRule);
  return folded == 0 ? 1 : folded;
}

void number_rows(std::vector<Permission>& rows) {
  sort_by_meaning(rows);
  const auto same = [](const Permission& a, const Permission& b) { return meaning(a) == meaning(b); };
  rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
  std::unordered_set<std::uint32_t> taken;
  taken.reserve(rows.size());
  for (Permission& row : rows) {
    std::uint32_t number = content_number(row);
    while (!taken.insert(number).second) number = number == kLargestRule ? 1 : number + 1;
    row.rule = RuleId{number};
  }
  sort_by_number(rows);
}

}  // namespace policy
