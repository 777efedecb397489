// libnftables gives its socket away to nobody, so it is found among our descriptors; the raw message that claims the
// table goes through it, because the kernel binds ownership to a socket.
#include "gateway/os/nftables_table.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <set>

namespace gateway::os {
namespace {

constexpr const char* kTable = "sekisho";
constexpr std::uint32_t kOwner = 2;    // NFT_TABLE_F_OWNER
constexpr std::uint32_t kPersist = 4;  // NFT_TABLE_F_PERSIST, Linux 6.9: newer than the headers of Debian 12
constexpr int kAnswerMilliseconds = 2000;

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

void put_batch_mark(mnl_nlmsg_batch* batch, std::uint16_t type, std::uint32_t sequence) {
  nlmsghdr* header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST;
  header->nlmsg_seq = sequence;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  *family = {AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)};
  mnl_nlmsg_batch_next(batch);
}

void put_new_table(mnl_nlmsg_batch* batch, std::uint32_t flags, std::uint32_t sequence) {
  nlmsghdr* header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
  header->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
  header->nlmsg_seq = sequence;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  *family = {NFPROTO_INET, NFNETLINK_V0, 0};
  mnl_attr_put_strz(header, NFTA_TABLE_NAME, kTable);
  if (flags != 0) mnl_attr_put_u32(header, NFTA_TABLE_FLAGS, htonl(flags));
  mnl_nlmsg_batch_next(batch);
}

// Reads acknowledgements until the one of `sequence`; its errno, 0 for success.
int answer_to(int socket, std::uint32_t sequence) {
  std::array<char, 8192> octets;
  for (;;) {
    pollfd readable{socket, POLLIN, 0};
    if (poll(&readable, 1, kAnswerMilliseconds) <= 0) return ETIMEDOUT;
    auto left = static_cast<int>(recv(socket, octets.data(), octets.size(), MSG_DONTWAIT));
    if (left < 0) return errno;
    for (auto* header = reinterpret_cast<nlmsghdr*>(octets.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_len < mnl_nlmsg_size(sizeof(nlmsgerr))) continue;
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      if (header->nlmsg_seq == sequence || error->error != 0) return -error->error;
    }
  }
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
  static std::uint32_t sequence = 0x5e710000;
  alignas(nlmsghdr) std::array<char, 4096> octets{};
  mnl_nlmsg_batch* batch = mnl_nlmsg_batch_start(octets.data(), octets.size() / 2);
  if (batch == nullptr) return std::unexpected(OsError{ENOMEM, "mnl_nlmsg_batch_start"});
  sequence += 3;
  put_batch_mark(batch, NFNL_MSG_BATCH_BEGIN, sequence);
  put_new_table(batch, flags, sequence + 1);
  put_batch_mark(batch, NFNL_MSG_BATCH_END, sequence + 2);
  const auto sent = send(socket_, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch), 0);
  mnl_nlmsg_batch_stop(batch);
  if (sent < 0) return std::unexpected(OsError{errno, "send to nf_tables"});
  if (const int number = answer_to(socket_, sequence + 1); number != 0)
    return std::unexpected(OsError{number, "create table inet sekisho"});
  return {};
}

OsResult<NftablesTable::Protection> NftablesTable::claim() {
  if (auto owned = create(kOwner | kPersist); owned)
    return protection_ = Protection::kOwned;
  else if (owned.error().number == EPERM)
    return std::unexpected(owned.error());  // another living process owns it
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

OsResult<std::string> NftablesTable::list_json() {
  if (const auto set = nftables_flags(kTable); !set)
    return std::unexpected(set.error());
  else if (std::has_single_bit(*set))
    return std::unexpected(OsError{EOPNOTSUPP, "table inet sekisho was put to sleep, or has another flag alone"});
  return command("list table inet sekisho", NFT_CTX_OUTPUT_JSON);
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

OsResult<std::uint32_t> NftablesTable::flags() {
  return nftables_flags(kTable);
}

OsResult<std::vector<NftablesCounter>> NftablesTable::counters() {
  return nftables_counters(kTable);
}

}  // namespace gateway::os
