// The table `inet sekisho` through libnftables, on one socket that also owns the table (docs/decisions/0002): a
// stranger's `nft flush ruleset` does not touch it and our death does not remove it. Text comes from `firewall` only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firewall/stages.h"
#include "gateway/os/error.h"
#include "gateway/os/nftables_query.h"

struct nft_ctx;

namespace gateway::os {

class NftablesTable {
 public:
  // How the kernel protects the table.
  enum class Protection : std::uint8_t {
    kNone,     // not claimed yet
    kOwned,    // OWNER|PERSIST: strangers get EPERM
    kWatched,  // a plain table (kernel before 6.9, or somebody made it before us): the watcher repairs it
  };

  [[nodiscard]] static OsResult<NftablesTable> open();

  // Creates the table or adopts the one a dead process left. Idempotent; its content stays as it is.
  [[nodiscard]] OsResult<Protection> claim();
  [[nodiscard]] Protection protection() const { return protection_; }

  // One batch, all or nothing. Empty text does nothing.
  [[nodiscard]] OsResult<void> run(const std::string& text);
  // The same for elements alone, in octets. `generation`: as for NftablesBatch.
  [[nodiscard]] OsResult<void> change_elements(const std::vector<firewall::ElementChange>& changes,
                                               std::optional<std::uint32_t> generation = std::nullopt);
  // The kernel asks none of its chains: somebody put it to sleep. ENOENT: there is no such table.
  [[nodiscard]] static OsResult<bool> asleep();
  // By one process, or by one that is dead: nobody else changes it.
  [[nodiscard]] static OsResult<bool> owned();
  // `nft -j -t list chains inet`, then `sets`, then `maps`: what there is, without elements. Quick whatever their
  // number: `list table` reads all of them also where it prints none.
  [[nodiscard]] OsResult<std::vector<std::string>> list_names_json();
  // `nft -a -s -t list ruleset`: the rules of every table, without elements and counts.
  [[nodiscard]] OsResult<std::string> list_rules();
  // Its named counters: cheap, whatever the number of facilities (`nft list counters` reads every element).
  [[nodiscard]] static OsResult<std::vector<NftablesCounter>> counters();
  [[nodiscard]] static OsResult<std::map<std::string, std::size_t>> rule_counts();  // by chain
  [[nodiscard]] static OsResult<std::map<std::string, NftablesSet>> sets();
  [[nodiscard]] static OsResult<std::vector<firewall::ElementOctets>> elements(const std::string& set);

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const;
  };
  NftablesTable(std::unique_ptr<nft_ctx, FreeContext> context, int socket)
      : context_(std::move(context)), socket_(socket) {}
  [[nodiscard]] OsResult<void> create(std::uint32_t flags);
  [[nodiscard]] OsResult<std::string> command(const std::string& text, unsigned int output_flags);

  std::unique_ptr<nft_ctx, FreeContext> context_;
  int socket_;  // libnftables' own, found when it appeared
  Protection protection_ = Protection::kNone;
};

}  // namespace gateway::os
