#include "gateway/os/nftables_batch.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

namespace gateway::os {
namespace {

constexpr int kAnswerMilliseconds = 2000;
constexpr std::size_t kMostInAMessage = 32 << 10;  // octets; a nest of attributes cannot be longer than 65,535
constexpr std::size_t kOneElement = 256;           // at most: 2 keys of 60 octets, a value, and their headers

// Other users of the socket count from elsewhere: an answer is never taken for another's.
std::uint32_t next_sequences(std::uint32_t count) {
  static std::uint32_t next = 0x5e710000;
  return std::exchange(next, next + count);
}

class NetlinkMessage {
 public:
  NetlinkMessage(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource,
                 std::uint32_t sequence) {
    header_ = mnl_nlmsg_put_header(octets_.data());
    header_->nlmsg_type = type;
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header_->nlmsg_seq = sequence;
    auto* of_family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header_, sizeof(nfgenmsg)));
    *of_family = {family, NFNETLINK_V0, htons(resource)};
  }
  [[nodiscard]] nlmsghdr* header() { return header_; }
  [[nodiscard]] std::span<const char> octets() const { return {octets_.data(), header_->nlmsg_len}; }

 private:
  alignas(nlmsghdr) std::array<char, kMostInAMessage + 2 * kOneElement> octets_{};
  nlmsghdr* header_ = nullptr;
};

void put_data(nlmsghdr* header, std::uint16_t type, const std::string& octets) {
  if (octets.empty()) return;
  nlattr* const data = mnl_attr_nest_start(header, type);
  mnl_attr_put(header, NFTA_DATA_VALUE, octets.size(), octets.data());
  mnl_attr_nest_end(header, data);
}

void put_element(nlmsghdr* header, const firewall::ElementOctets& element) {
  nlattr* const nest = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
  if (element.ends) mnl_attr_put_u32(header, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
  put_data(header, NFTA_SET_ELEM_KEY, element.key);
  put_data(header, NFTA_SET_ELEM_KEY_END, element.key_end);
  put_data(header, NFTA_SET_ELEM_DATA, element.value);
  mnl_attr_nest_end(header, nest);
}

OsResult<void> make_room(int socket, std::size_t octets) {
  int room = 0;
  socklen_t size = sizeof room;
  if (getsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room, &size) != 0) return std::unexpected(OsError{errno, "SO_SNDBUF"});
  const auto wanted = static_cast<int>(octets + 4096);
  if (room >= wanted) return {};
  if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) == 0) return {};
  return std::unexpected(OsError{errno, "SO_SNDBUFFORCE"});
}

// The kernel has worked through the batch when send() returns, so that all answers are there: those of the messages
// [first, last] it refused, and the acknowledgement of the last. All are taken, so that none is left for another
// reader.
int read_answers(int socket, std::uint32_t first, std::uint32_t last) {
  std::vector<char> octets(2 * kMostInAMessage);
  std::optional<int> refused;
  bool acknowledged = false, missed = false;
  for (int wait = kAnswerMilliseconds;; wait = 0) {
    pollfd readable{socket, POLLIN, 0};
    const int ready = poll(&readable, 1, wait);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    auto left = static_cast<int>(recv(socket, octets.data(), octets.size(), MSG_DONTWAIT));
    if (left < 0 && errno == ENOBUFS) missed = true;
    if (left < 0 && errno != ENOBUFS && errno != EINTR) break;
    for (auto* header = reinterpret_cast<nlmsghdr*>(octets.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_len < mnl_nlmsg_size(sizeof(nlmsgerr))) continue;
      if (header->nlmsg_seq < first || header->nlmsg_seq > last) continue;
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      if (error->error != 0 && !refused) refused = -error->error;
      acknowledged = acknowledged || error->error == 0;
    }
  }
  if (refused) return *refused;
  return acknowledged ? 0 : missed ? ENOBUFS : ETIMEDOUT;  // all answers are there before the first is read
}

}  // namespace

NftablesBatch::NftablesBatch(std::string table, std::optional<std::uint32_t> generation)
    : table_(std::move(table)), first_sequence_(next_sequences(0)), sequence_(first_sequence_) {
  put_mark(NFNL_MSG_BATCH_BEGIN, generation);
}

void NftablesBatch::put_mark(std::uint16_t type, std::optional<std::uint32_t> generation) {
  NetlinkMessage message(type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, sequence_++);
  if (generation) mnl_attr_put_u32(message.header(), NFNL_BATCH_GENID, htonl(*generation));
  octets_.insert(octets_.end(), message.octets().begin(), message.octets().end());
}

void NftablesBatch::new_table(std::uint32_t flags) {
  NetlinkMessage message((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_INET, 0, sequence_++);
  mnl_attr_put_strz(message.header(), NFTA_TABLE_NAME, table_.c_str());
  if (flags != 0) mnl_attr_put_u32(message.header(), NFTA_TABLE_FLAGS, htonl(flags));
  last_ = octets_.size();
  octets_.insert(octets_.end(), message.octets().begin(), message.octets().end());
}

void NftablesBatch::put_elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                                 std::span<const firewall::ElementOctets> elements) {
  while (!elements.empty()) {
    NetlinkMessage message(static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type), flags, NFPROTO_INET, 0,
                           sequence_++);
    mnl_attr_put_strz(message.header(), NFTA_SET_ELEM_LIST_TABLE, table_.c_str());
    mnl_attr_put_strz(message.header(), NFTA_SET_ELEM_LIST_SET, set.c_str());
    nlattr* const list = mnl_attr_nest_start(message.header(), NFTA_SET_ELEM_LIST_ELEMENTS);
    while (!elements.empty() && message.octets().size() + kOneElement <= kMostInAMessage) {
      put_element(message.header(), elements.front());
      elements = elements.subspan(1);
    }
    mnl_attr_nest_end(message.header(), list);
    last_ = octets_.size();
    octets_.insert(octets_.end(), message.octets().begin(), message.octets().end());
  }
}

void NftablesBatch::new_elements(const std::string& set, std::span<const firewall::ElementOctets> elements) {
  put_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);  // one that is there already is no error
}

void NftablesBatch::delete_elements(const std::string& set, std::span<const firewall::ElementOctets> elements) {
  put_elements(NFT_MSG_DELSETELEM, 0, set, elements);
}

OsResult<void> NftablesBatch::send(int socket) {
  if (last_ == 0) return {};
  reinterpret_cast<nlmsghdr*>(octets_.data() + last_)->nlmsg_flags |= NLM_F_ACK;
  put_mark(NFNL_MSG_BATCH_END);
  (void)next_sequences(sequence_ - first_sequence_);
  if (auto room = make_room(socket, octets_.size()); !room) return room;
  if (::send(socket, octets_.data(), octets_.size(), 0) < 0)
    return std::unexpected(OsError{errno, "send to nf_tables"});
  if (const int number = read_answers(socket, first_sequence_, sequence_ - 1); number != 0)
    return std::unexpected(OsError{number, "nf_tables refused a transaction"});
  return {};
}

}  // namespace gateway::os
