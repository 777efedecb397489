// libnftables gives its socket away to nobody, so it is found among our descriptors; the raw message that claims the
// table goes through it, because the kernel binds ownership to a socket.
#include "gateway/os/nftables_table.h"

#include <dirent.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>

#include "gateway/os/nftables_batch.h"

namespace gateway::os {
namespace {

constexpr const char* kTable = "sekisho";
constexpr std::uint32_t kOwner = 2;    // NFT_TABLE_F_OWNER
constexpr std::uint32_t kPersist = 4;  // NFT_TABLE_F_PERSIST, Linux 6.9: newer than the headers of Debian 12

bool is_netfilter_socket(int descriptor) {
  int domain = 0, protocol = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_NETLINK) return false;
  size = sizeof protocol;
  return getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_NETFILTER;
}

std::set<int> netfilter_sockets() {
  std::set<int> found;
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return found;
  while (const dirent* entry = readdir(directory)) {
    const int descriptor = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && is_netfilter_socket(descriptor)) found.insert(descriptor);
  }
  closedir(directory);
  return found;
}

}  // namespace

void NftablesTable::FreeContext::operator()(nft_ctx* context) const {
  nft_ctx_free(context);
}

OsResult<NftablesTable> NftablesTable::open() {
  const auto before = netfilter_sockets();
  std::unique_ptr<nft_ctx, FreeContext> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return std::unexpected(OsError{ENOMEM, "nft_ctx_new"});
  nft_ctx_buffer_output(context.get());
  nft_ctx_buffer_error(context.get());
  for (const int descriptor : netfilter_sockets())
    if (!before.contains(descriptor)) return NftablesTable(std::move(context), descriptor);
  return std::unexpected(OsError{0, "libnftables opened no netlink socket"});
}

OsResult<void> NftablesTable::create(std::uint32_t flags) {
  NftablesBatch batch(kTable);
  batch.new_table(flags);
  if (auto done = batch.send(socket_); !done)
    return std::unexpected(OsError{done.error().number, "create table inet sekisho"});
  return {};
}

OsResult<NftablesTable::Protection> NftablesTable::claim() {
  if (auto owned = create(kOwner | kPersist); owned)
    return protection_ = Protection::kOwned;
  else if (owned.error().number != EOPNOTSUPP && owned.error().number != EINVAL)
    return std::unexpected(owned.error());  // EPERM: another living process owns it
  if (auto plain = create(0); !plain) return std::unexpected(plain.error());
  return protection_ = Protection::kWatched;
}

OsResult<std::string> NftablesTable::command(const std::string& text, unsigned int output_flags) {
  nft_ctx_output_set_flags(context_.get(), output_flags);
  const int result = nft_run_cmd_from_buffer(context_.get(), text.c_str());
  const int number = errno;
  std::string output = nft_ctx_get_output_buffer(context_.get());
  std::string error = nft_ctx_get_error_buffer(context_.get());
  if (result == 0) return output;
  if (error.size() > 600) error.resize(600);
  const bool absent = error.find("No such file or directory") != std::string::npos;
  return std::unexpected(OsError{absent ? ENOENT : 0, "nftables: " + (error.empty() ? std::strerror(number) : error)});
}

OsResult<void> NftablesTable::run(const std::string& text) {
  if (text.empty()) return {};
  if (auto done = command(text, 0); !done) return std::unexpected(done.error());
  return {};
}

OsResult<void> NftablesTable::change_elements(const std::vector<firewall::ElementChange>& changes,
                                              std::optional<std::uint32_t> generation) {
  NftablesBatch batch(kTable, generation);
  for (const auto& change : changes) batch.delete_elements(change.set, change.gone);  // first what would overlap
  for (const auto& change : changes) batch.new_elements(change.set, change.added);
  return batch.send(socket_);
}

OsResult<std::vector<std::string>> NftablesTable::list_names_json() {
  std::vector<std::string> documents;
  for (const char* what : {"chains", "sets", "maps"})
    documents.push_back(
        TRY(command(std::string("list ") + what + " inet", NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_TERSE)));
  return documents;
}

OsResult<std::string> NftablesTable::list_rules() {
  return command("list ruleset", NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
}

OsResult<bool> NftablesTable::asleep() {
  return (TRY(nftables_flags(kTable)) & NFT_TABLE_F_DORMANT) != 0;
}

OsResult<bool> NftablesTable::owned() {
  return (TRY(nftables_flags(kTable)) & kOwner) != 0;
}

OsResult<std::vector<NftablesCounter>> NftablesTable::counters() {
  return nftables_counters(kTable);
}

OsResult<std::map<std::string, std::size_t>> NftablesTable::rule_counts() {
  return nftables_rule_counts(kTable);
}

OsResult<std::map<std::string, NftablesSet>> NftablesTable::sets() {
  return nftables_sets(kTable);
}

OsResult<std::vector<firewall::ElementOctets>> NftablesTable::elements(const std::string& set) {
  return nftables_elements(kTable, set);
}

}  // namespace gateway::os
