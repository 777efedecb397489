#include "gateway/wg/allowed_ips.h"

namespace gateway::wg {

void AllowedIps::add(const Prefix& prefix, std::uint32_t peer) {
  const auto [owner, fresh] = owners_.try_emplace(prefix, peer);
  if (!fresh && owner->second == peer) return;
  if (!fresh) prefixes_[owner->second].erase(prefix);
  owner->second = peer;
  prefixes_[peer].insert(prefix);
  changed_ = true;
}

void AllowedIps::remove(const Prefix& prefix, std::uint32_t peer) {
  const auto owner = owners_.find(prefix);
  if (owner == owners_.end() || owner->second != peer) return;
  prefixes_[peer].erase(prefix);
  owners_.erase(owner);
  changed_ = true;
}

void AllowedIps::remove_all(std::uint32_t peer) {
  const auto found = prefixes_.find(peer);
  if (found == prefixes_.end()) return;
  for (const Prefix& prefix : found->second) owners_.erase(prefix);
  changed_ = changed_ || !found->second.empty();
  prefixes_.erase(found);
}

void AllowedIps::commit() {
  if (!changed_) return;
  changed_ = false;
  std::vector<core::PrefixEntry> entries;
  entries.reserve(owners_.size());
  for (const auto& [prefix, peer] : owners_) entries.push_back({prefix, peer});
  table_ = core::PrefixTable(entries);
}

std::vector<Prefix> AllowedIps::of(std::uint32_t peer) const {
  const auto found = prefixes_.find(peer);
  if (found == prefixes_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace gateway::wg
