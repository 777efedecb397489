// FNV-1a, 32 bits.
#include "firewall/numbers.h"

namespace firewall {
namespace {

std::uint32_t folded(const auto& octets) {
  std::uint32_t number = 2166136261U;
  for (const auto octet : octets) number = (number ^ static_cast<std::uint8_t>(octet)) * 16777619U;
  return number;
}

}  // namespace

void ClassNumbers::add(const policy::Prefix& network) {
  const auto octets = network.address().octets();
  std::uint32_t number = folded(octets);
  if (network.address().is_v4()) {
    number = 0;
    for (const std::uint8_t octet : octets) number = number << 8 | octet;
  }
  auto& taken = network.address().is_v4() ? taken_v4_ : taken_v6_;
  while (number == 0 || !taken.insert(number).second) ++number;
  numbers_.emplace(network, number);
}

std::uint32_t FacilityNumbers::add(const policy::FacilityName& name) {
  std::uint32_t number = folded(name.text);
  while (number == 0 || !taken_.insert(number).second) ++number;
  return numbers_[name.text] = number;
}

std::uint32_t FacilityNumbers::of(const policy::FacilityName& name) const {
  const auto at = numbers_.find(name.text);
  return at == numbers_.end() ? 0 : at->second;
}

}  // namespace firewall
