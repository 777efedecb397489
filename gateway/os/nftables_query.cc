#include "gateway/os/nftables_query.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

namespace gateway::os {
namespace {

constexpr int kAnswerMilliseconds = 2000;
constexpr int kTries = 5;  // of a list that changed while it was read

using Socket = std::unique_ptr<mnl_socket, decltype(&mnl_socket_close)>;

// One question, and every message of its answer to `take(const nlmsghdr&)`.
class Question {
 public:
  Question(std::uint16_t type, std::uint16_t flags) {
    header_ = mnl_nlmsg_put_header(octets_.data());
    header_->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type);
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header_->nlmsg_seq = 1;
    *static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header_, sizeof(nfgenmsg))) = {NFPROTO_INET, NFNETLINK_V0, 0};
  }
  void put(std::uint16_t type, const std::string& text) { mnl_attr_put_strz(header_, type, text.c_str()); }
  void put(std::uint16_t type, std::uint32_t number) { mnl_attr_put_u32(header_, type, htonl(number)); }

  template <class Take>
  OsResult<void> ask(Take take) const {
    const Socket socket(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC), &mnl_socket_close);
    if (!socket) return failed("netlink socket");
    if (mnl_socket_sendto(socket.get(), header_, header_->nlmsg_len) < 0) return failed("ask nf_tables");
    const bool many = (header_->nlmsg_flags & NLM_F_DUMP) != 0;
    alignas(nlmsghdr) std::array<char, 1 << 16> octets;
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
      pollfd readable{mnl_socket_get_fd(socket.get()), POLLIN, 0};
      if (poll(&readable, 1, kAnswerMilliseconds) <= 0) return std::unexpected(OsError{ETIMEDOUT, "nf_tables"});
      const auto size = mnl_socket_recvfrom(socket.get(), octets.data(), octets.size());
      if (size < 0) return failed("read nf_tables");
      const auto each = [](const nlmsghdr* header, void* to) { return (*static_cast<Take*>(to))(*header), MNL_CB_OK; };
      more = mnl_cb_run(octets.data(), static_cast<std::size_t>(size), header_->nlmsg_seq, 0, each, &take);
      if (more < 0) return failed("nf_tables");
      if (!many) break;
    }
    return {};
  }

 private:
  static std::unexpected<OsError> failed(const char* what) { return std::unexpected(OsError{errno, what}); }
  alignas(nlmsghdr) std::array<char, 1024> octets_{};
  nlmsghdr* header_ = nullptr;
};

// The attributes of a message (behind its nfgenmsg), or nested in one of them; of each type the last.
template <std::size_t kMost>
class Attributes {
 public:
  explicit Attributes(const nlmsghdr& message) { (void)mnl_attr_parse(&message, sizeof(nfgenmsg), keep, this); }
  explicit Attributes(const nlattr* nest) {
    if (nest != nullptr) (void)mnl_attr_parse_nested(nest, keep, this);
  }
  [[nodiscard]] const nlattr* of(std::size_t type) const { return found_[type]; }
  [[nodiscard]] std::uint32_t number(std::size_t type) const {
    const auto* at = found_[type];
    return at == nullptr || mnl_attr_validate(at, MNL_TYPE_U32) < 0 ? 0 : ntohl(mnl_attr_get_u32(at));
  }
  [[nodiscard]] std::uint64_t long_number(std::size_t type) const {
    const auto* at = found_[type];
    return at == nullptr || mnl_attr_validate(at, MNL_TYPE_U64) < 0 ? 0 : be64toh(mnl_attr_get_u64(at));
  }
  [[nodiscard]] std::string text(std::size_t type) const {
    const auto* at = found_[type];
    return at == nullptr || mnl_attr_validate(at, MNL_TYPE_NUL_STRING) < 0 ? "" : mnl_attr_get_str(at);
  }

 private:
  static int keep(const nlattr* attribute, void* to) {
    const auto type = mnl_attr_get_type(attribute);
    if (type < kMost) static_cast<Attributes*>(to)->found_[type] = attribute;
    return MNL_CB_OK;
  }
  std::array<const nlattr*, kMost> found_{};
};

bool is_inet(const nlmsghdr& message) {
  return static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message))->nfgen_family == NFPROTO_INET;
}

// All messages of a list; from the start again where it changed while it was read.
template <class Restart, class Take>
OsResult<void> listed(const Question& question, Restart restart, Take take) {
  for (int i = 1;; ++i) {
    restart();
    const auto asked = question.ask(take);
    if (asked || asked.error().number != EINTR || i == kTries) return asked;
  }
}

// NFTA_SET_ELEM_KEY and its likes: octets in a nest.
std::string data_of(const nlattr* nest) {
  const Attributes<NFTA_DATA_MAX + 1> data(nest);
  const nlattr* const value = data.of(NFTA_DATA_VALUE);
  if (value == nullptr) return {};
  return {static_cast<const char*>(mnl_attr_get_payload(value)), mnl_attr_get_payload_len(value)};
}

firewall::ElementOctets element_of(const nlattr* nest) {
  const Attributes<NFTA_SET_ELEM_MAX + 1> element(nest);
  const std::uint32_t flags = element.number(NFTA_SET_ELEM_FLAGS);
  firewall::ElementOctets out{data_of(element.of(NFTA_SET_ELEM_KEY)), data_of(element.of(NFTA_SET_ELEM_KEY_END)),
                              data_of(element.of(NFTA_SET_ELEM_DATA)), (flags & NFT_SET_ELEM_INTERVAL_END) != 0};
  constexpr int kMore[] = {NFTA_SET_ELEM_TIMEOUT, NFTA_SET_ELEM_EXPIRATION, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_OBJREF,
                           NFTA_SET_ELEM_EXPRESSIONS};
  for (const int each : kMore) out.more = out.more || element.of(static_cast<std::size_t>(each)) != nullptr;
  out.more = out.more || (flags & ~std::uint32_t{NFT_SET_ELEM_INTERVAL_END | NFT_SET_ELEM_CATCHALL}) != 0;
  return out;
}

// NFTA_SET_DESC_CONCAT: a list of fields, each with its length.
std::vector<std::uint32_t> fields_of(const nlattr* concat) {
  std::vector<std::uint32_t> sizes;
  const auto each = [](const nlattr* field, void* to) {
    static_cast<std::vector<std::uint32_t>*>(to)->push_back(
        Attributes<NFTA_SET_FIELD_MAX + 1>(field).number(NFTA_SET_FIELD_LEN));
    return MNL_CB_OK;
  };
  if (concat != nullptr) (void)mnl_attr_parse_nested(concat, each, &sizes);
  return sizes;
}

NftablesSet set_of(const Attributes<NFTA_SET_MAX + 1>& set) {
  const Attributes<NFTA_SET_DESC_MAX + 1> description(set.of(NFTA_SET_DESC));
  const std::uint32_t flags = set.number(NFTA_SET_FLAGS);
  NftablesSet out{(flags & NFT_SET_MAP) != 0, (flags & NFT_SET_INTERVAL) != 0, set.number(NFTA_SET_KEY_LEN),
                  set.number(NFTA_SET_DATA_LEN), fields_of(description.of(NFTA_SET_DESC_CONCAT))};
  out.more = (flags & ~std::uint32_t{NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_CONCAT}) != 0;
  constexpr int kMore[] = {NFTA_SET_TIMEOUT, NFTA_SET_GC_INTERVAL, NFTA_SET_OBJ_TYPE, NFTA_SET_EXPR,
                           NFTA_SET_EXPRESSIONS};
  for (const int each : kMore) out.more = out.more || set.of(static_cast<std::size_t>(each)) != nullptr;
  out.more = out.more || description.of(NFTA_SET_DESC_SIZE) != nullptr;
  return out;
}

}  // namespace

OsResult<std::uint32_t> nftables_flags(const std::string& table) {
  Question question(NFT_MSG_GETTABLE, 0);
  question.put(NFTA_TABLE_NAME, table);
  std::uint32_t flags = 0;
  const auto asked = question.ask(
      [&](const nlmsghdr& message) { flags = Attributes<NFTA_TABLE_MAX + 1>(message).number(NFTA_TABLE_FLAGS); });
  if (!asked) return std::unexpected(asked.error());
  return flags;
}

OsResult<std::vector<NftablesCounter>> nftables_counters(const std::string& table) {
  Question question(NFT_MSG_GETOBJ, NLM_F_DUMP);
  question.put(NFTA_OBJ_TABLE, table);
  question.put(NFTA_OBJ_TYPE, std::uint32_t{NFT_OBJECT_COUNTER});
  std::vector<NftablesCounter> found;
  TRY(listed(
      question, [&] { found.clear(); },
      [&](const nlmsghdr& message) {
        const Attributes<NFTA_OBJ_MAX + 1> object(message);
        if (object.number(NFTA_OBJ_TYPE) != NFT_OBJECT_COUNTER || object.text(NFTA_OBJ_TABLE) != table) return;
        const Attributes<NFTA_COUNTER_MAX + 1> counter(object.of(NFTA_OBJ_DATA));
        found.push_back({object.text(NFTA_OBJ_NAME), counter.long_number(NFTA_COUNTER_PACKETS),
                         counter.long_number(NFTA_COUNTER_BYTES)});
      }));
  std::ranges::sort(found, {}, &NftablesCounter::name);
  return found;
}

OsResult<std::uint32_t> nftables_generation() {
  const Question question(NFT_MSG_GETGEN, 0);
  std::uint32_t generation = 0;
  TRY(question.ask(
      [&](const nlmsghdr& message) { generation = Attributes<NFTA_GEN_MAX + 1>(message).number(NFTA_GEN_ID); }));
  return generation;
}

OsResult<std::map<std::string, std::size_t>> nftables_rule_counts(const std::string& table) {
  Question question(NFT_MSG_GETRULE, NLM_F_DUMP);
  question.put(NFTA_RULE_TABLE, table);
  std::map<std::string, std::size_t> found;
  TRY(listed(
      question, [&] { found.clear(); },
      [&](const nlmsghdr& message) {
        const Attributes<NFTA_RULE_MAX + 1> rule(message);
        if (is_inet(message) && rule.text(NFTA_RULE_TABLE) == table) ++found[rule.text(NFTA_RULE_CHAIN)];
      }));
  return found;
}

OsResult<std::map<std::string, NftablesSet>> nftables_sets(const std::string& table) {
  Question question(NFT_MSG_GETSET, NLM_F_DUMP);
  question.put(NFTA_SET_TABLE, table);
  std::map<std::string, NftablesSet> found;
  TRY(listed(
      question, [&] { found.clear(); },
      [&](const nlmsghdr& message) {
        const Attributes<NFTA_SET_MAX + 1> set(message);
        if (is_inet(message) && set.text(NFTA_SET_TABLE) == table) found[set.text(NFTA_SET_NAME)] = set_of(set);
      }));
  return found;
}

OsResult<std::vector<firewall::ElementOctets>> nftables_elements(const std::string& table, const std::string& set) {
  Question question(NFT_MSG_GETSETELEM, NLM_F_DUMP);
  question.put(NFTA_SET_ELEM_LIST_TABLE, table);
  question.put(NFTA_SET_ELEM_LIST_SET, set);
  std::vector<firewall::ElementOctets> found;
  TRY(listed(
      question, [&] { found.clear(); },
      [&](const nlmsghdr& message) {
        const Attributes<NFTA_SET_ELEM_LIST_MAX + 1> list(message);
        const auto each = [](const nlattr* element, void* to) {
          static_cast<decltype(found)*>(to)->push_back(element_of(element));
          return MNL_CB_OK;
        };
        if (const nlattr* const nest = list.of(NFTA_SET_ELEM_LIST_ELEMENTS); nest != nullptr)
          (void)mnl_attr_parse_nested(nest, each, &found);
      }));
  return found;
}

}  // namespace gateway::os
