#include "policy/rule_numbers.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <unordered_set>

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
  std::sort(rows.begin(), rows.end(), [](const Permission& a, const Permission& b) {
    if (meaning(a) != meaning(b)) return meaning(a) < meaning(b);
    if (ends_later(a, b) != ends_later(b, a)) return ends_later(a, b);
    return std::tie(a.name, a.origin) < std::tie(b.name, b.origin);
  });
  const auto same = [](const Permission& a, const Permission& b) { return meaning(a) == meaning(b); };
  rows.erase(std::unique(rows.begin(), rows.end(), same), rows.end());
  std::unordered_set<std::uint32_t> taken;
  taken.reserve(rows.size());
  for (Permission& row : rows) {
    std::uint32_t number = content_number(row);
    while (!taken.insert(number).second) number = number == kLargestRule ? 1 : number + 1;
    row.rule = RuleId{number};
  }
  std::sort(rows.begin(), rows.end(), [](const Permission& a, const Permission& b) { return a.rule < b.rule; });
}

}  // namespace policy
