#include "gateway/audit/flow_shares.h"

namespace gateway::audit {

void FlowShares::add(const std::string& owner, std::uint64_t number) {
  auto& numbers = numbers_[owner];
  sizes_.erase({numbers.size(), owner});
  numbers.insert(number);
  sizes_.emplace(numbers.size(), owner);
}

void FlowShares::remove(const std::string& owner, std::uint64_t number) {
  const auto found = numbers_.find(owner);
  if (found == numbers_.end() || !found->second.contains(number)) return;
  sizes_.erase({found->second.size(), owner});
  found->second.erase(number);
  if (found->second.empty())
    numbers_.erase(found);
  else
    sizes_.emplace(found->second.size(), owner);
}

std::uint64_t FlowShares::oldest_of_largest() const {
  return *numbers_.at(sizes_.rbegin()->second).begin();
}

std::size_t FlowShares::held_by(const std::string& owner) const {
  const auto found = numbers_.find(owner);
  return found == numbers_.end() ? 0 : found->second.size();
}

}  // namespace gateway::audit
