// Cryptokey routing (WireGuard 2): each prefix belongs to one peer, and the longest one decides, for what is sent and
// for who may have sent.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "gateway/core/prefix_table.h"

namespace gateway::wg {

using config::value::IpAddress;
using config::value::Prefix;

class AllowedIps {
 public:
  static constexpr std::uint32_t kNobody = core::PrefixTable::kNone;

  // From now on this peer's, whoever had it before.
  void add(const Prefix& prefix, std::uint32_t peer);
  // Nothing happens when it is another's.
  void remove(const Prefix& prefix, std::uint32_t peer);
  void remove_all(std::uint32_t peer);
  // What find() answers from; after changes, once for all of them.
  void commit();

  // As of the last commit().
  [[nodiscard]] std::uint32_t find(const IpAddress& address) const { return table_.find(address); }
  // Sorted by address.
  [[nodiscard]] std::vector<Prefix> of(std::uint32_t peer) const;

 private:
  std::map<Prefix, std::uint32_t> owners_;
  std::map<std::uint32_t, std::set<Prefix>> prefixes_;  // the same, by peer
  core::PrefixTable table_;
  bool changed_ = false;
};

}  // namespace gateway::wg
