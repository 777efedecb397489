#include "policy/redundant.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "policy/permissions.h"

namespace policy {
namespace {

using config::Diagnostic;

// Networks of facilities do not overlap and destinations are hosts, so only rows of one key can cover one another.
auto key_of(const Permission& row) {
  return std::tie(row.kind, row.source, row.destination, row.port.protocol);
}

bool holds_as_long(const Permission& other, const Permission& row) {
  return !other.until || (row.until && *other.until >= *row.until);
}

auto place_of(const PermissionLine& line) {
  return std::tie(line.at.file, line.at.line, line.at.column);
}

Diagnostic warning(const PermissionLine& line, std::string message, std::string hint) {
  return {.severity = config::Severity::kWarning,
          .at = line.at,
          .key_path = line.key_path,
          .message = std::move(message),
          .hint = std::move(hint),
          .also = {}};
}

class Shadows {
 public:
  Shadows(std::span<const Permission> rows, std::span<const PermissionLine> lines)
      : rows_(rows), lines_(lines), line_of_(rows.size()), order_(rows.size()), taken_out_(lines.size()) {
    for (std::size_t line = 0; line < lines.size(); ++line)
      for (std::size_t row = lines[line].begin; row < lines[line].end; ++row) line_of_[row] = line;
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto by_key = [&](std::size_t a, std::size_t b) {
      const auto order = key_of(rows_[a]) <=> key_of(rows_[b]);
      return order != 0 ? order < 0 : rows_[a].port.first < rows_[b].port.first;
    };
    // Lines of one source stand together: sorted by themselves first, they mostly are in order then.
    for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
      while (end < rows.size() && rows[end].kind == rows[begin].kind && rows[end].source == rows[begin].source) ++end;
      std::sort(order_.begin() + static_cast<std::ptrdiff_t>(begin), order_.begin() + static_cast<std::ptrdiff_t>(end),
                by_key);
    }
    if (!std::is_sorted(order_.begin(), order_.end(), by_key)) std::sort(order_.begin(), order_.end(), by_key);
    group_of_.resize(rows.size());
    for (std::size_t begin = 0, end = 0; begin < order_.size(); begin = end) {
      while (end < order_.size() && key_of(rows_[order_[end]]) == key_of(rows_[order_[begin]])) ++end;
      for (std::size_t at = begin; at < end; ++at) group_of_[order_[at]] = {begin, end};
    }
  }

  // The last written first: whoever copies a line writes the copy behind it.
  std::vector<Diagnostic> find() {
    std::vector<std::size_t> lines(lines_.size());
    std::iota(lines.begin(), lines.end(), std::size_t{0});
    std::sort(lines.begin(), lines.end(),
              [&](std::size_t a, std::size_t b) { return place_of(lines_[a]) > place_of(lines_[b]); });
    std::vector<Diagnostic> out;
    for (const std::size_t line : lines)
      if (auto found = judge(line)) out.push_back(std::move(*found));
    std::reverse(out.begin(), out.end());
    return out;
  }

 private:
  std::optional<Diagnostic> judge(std::size_t line) {
    const auto& [at, key_path, begin, end] = lines_[line];
    std::set<std::size_t> others;
    for (std::size_t row = begin; row < end; ++row)
      if (!covered(row, others)) return std::nullopt;
    if (begin == end) return std::nullopt;
    taken_out_[line] = true;
    auto found = warning(lines_[line], "everything this line allows is allowed by another line",
                         "take it out, or the other line if this one was meant to be narrower");
    for (const std::size_t other : others) found.also.push_back({lines_[other].at, lines_[other].key_path});
    return found;
  }

  // By one or several rows of other lines together; adds those to `others` (also when it ends in false).
  bool covered(std::size_t row, std::set<std::size_t>& others) const {
    const Permission& wanted = rows_[row];
    const auto [first, last] = group_of_[row];
    std::uint32_t next = wanted.port.first;  // lowest port that nobody has allowed yet
    for (auto at = first; at != last && next <= wanted.port.last; ++at) {
      const Permission& other = rows_[order_[at]];
      const std::size_t line = line_of_[order_[at]];
      if (line == line_of_[row] || taken_out_[line] || !holds_as_long(other, wanted)) continue;
      if (other.port.first > next) return false;  // sorted: what comes begins later still
      if (other.port.last < next) continue;
      others.insert(line);
      next = std::uint32_t{other.port.last} + 1;
    }
    return next > wanted.port.last;
  }

  std::span<const Permission> rows_;
  std::span<const PermissionLine> lines_;
  std::vector<std::size_t> line_of_;                           // of each row
  std::vector<std::size_t> order_;                             // of rows, by key and first port
  std::vector<std::pair<std::size_t, std::size_t>> group_of_;  // of each row: where in order_ those of its key stand
  std::vector<bool> taken_out_;
};

// The all-zeros and all-ones host (RFC 919); /31 and /32 have none, IPv6 has none.
bool is_broadcast(const IpAddress& address, const Prefix& network) {
  if (!address.is_v4() || network.length() > 30 || !network.contains(address)) return false;
  std::uint32_t number = 0;
  for (const std::uint8_t octet : address.octets()) number = number << 8 | octet;
  const std::uint32_t host_bits = ~std::uint32_t{0} >> network.length();
  return (number & host_bits) == 0 || (number & host_bits) == host_bits;
}

bool never_matches(const config::Facility& facility, const IpAddress& destination) {
  const auto networks = seen_networks(facility);
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Prefix& network) { return is_broadcast(destination, network); });
}

}  // namespace

std::vector<Diagnostic> shadowed(std::span<const Permission> rows, std::span<const PermissionLine> lines) {
  return Shadows(rows, lines).find();
}

std::vector<Diagnostic> unreachable(const config::GatewayConfig& config, std::span<const Permission> rows,
                                    std::span<const PermissionLine> lines) {
  std::vector<Diagnostic> out;
  for (const PermissionLine& line : lines) {
    const auto made = rows.subspan(line.begin, line.end - line.begin);
    if (made.empty() || made.front().to_facility.text.empty()) continue;
    const auto* facility = find_facility(config, made.front().to_facility);
    if (facility == nullptr) continue;
    std::set<IpAddress> never;
    for (const Permission& row : made)
      if (never_matches(*facility, row.destination.address())) never.insert(row.destination.address());
    if (never.empty()) continue;
    auto found = warning(
        line, never.begin()->to_string() + " is the broadcast address of its network: nothing ever passes to it",
        "name hosts in the offer");
    const std::string offer = made.front().name.substr(facility->name.text.size() + 1);  // "hakodate/images"
    if (const auto* named = find_offer(*facility, {offer}))
      found.also.push_back({named->at, "facilities." + facility->name.text + ".offers." + offer});
    out.push_back(std::move(found));
  }
  return out;
}

}  // namespace policy
