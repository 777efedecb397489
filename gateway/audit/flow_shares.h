// Who holds how many of the bounded table's places. When it is full, the one who holds most loses its own oldest: a
// facility that opens flows without end never pushes out another's.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace gateway::audit {

class FlowShares {
 public:
  void add(const std::string& owner, std::uint64_t number);
  void remove(const std::string& owner, std::uint64_t number);
  // Not when nothing was added.
  [[nodiscard]] std::uint64_t oldest_of_largest() const;
  [[nodiscard]] std::size_t held_by(const std::string& owner) const;

 private:
  std::map<std::string, std::set<std::uint64_t>> numbers_;  // owners without flows are not kept
  std::set<std::pair<std::size_t, std::string>> sizes_;
};

}  // namespace gateway::audit
