#include "gateway/daemon/isolation_file.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "gateway/os/state_files.h"

namespace gateway::daemon {
namespace {

using Json = nlohmann::ordered_json;
using config::value::Result;
using policy::Isolation;
using policy::IsolationOrder;

constexpr int kVersion = 1;
constexpr std::size_t kMostOctets = 16 << 20;

std::string path_in(const std::string& state_directory) {
  return state_directory + "/isolation.json";
}

Json to_json(const IsolationOrder& order) {
  Json networks = Json::array();
  for (const auto& network : order.networks) networks.push_back(network.to_string());
  return {{"number", order.number},
          {"facility", order.facility.text},
          {"since_ns", std::max<std::int64_t>(order.since.time_since_epoch().count(), 0)},
          {"actor", order.actor},
          {"reason", order.reason},
          {"identities", order.identities},
          {"networks", std::move(networks)}};
}

const Json* at(const Json& json, const char* key, Json::value_t type) {
  const auto found = json.find(key);
  if (found == json.end()) return nullptr;
  const bool whole = type == Json::value_t::number_unsigned && found->is_number_integer();
  return found->type() == type || (whole && *found >= 0) ? &*found : nullptr;
}

Result<IsolationOrder, std::string> order_of(const Json& json) {
  using Type = Json::value_t;
  if (!json.is_object()) return std::unexpected("an order is no object");
  const auto* number = at(json, "number", Type::number_unsigned);
  const auto* facility = at(json, "facility", Type::string);
  const auto* since = at(json, "since_ns", Type::number_unsigned);
  const auto* actor = at(json, "actor", Type::string);
  const auto* reason = at(json, "reason", Type::string);
  const auto* identities = at(json, "identities", Type::array);
  const auto* networks = at(json, "networks", Type::array);
  if (!number || !facility || !since || !actor || !reason || !identities || !networks || json.size() != 7)
    return std::unexpected(
        "an order has not the fields number, facility, since_ns, actor, reason, identities, networks");
  IsolationOrder order;
  order.number = number->get<std::uint64_t>();
  order.facility.text = facility->get<std::string>();
  order.since = config::value::WallTime(config::value::Duration(since->get<std::int64_t>()));
  order.actor = actor->get<std::string>(), order.reason = reason->get<std::string>();
  for (const auto& each : *identities) {
    if (!each.is_string()) return std::unexpected("an identity is no text");
    order.identities.push_back(each.get<std::string>());
  }
  for (const auto& each : *networks) {
    const auto network = config::value::Prefix::parse(each.is_string() ? each.get<std::string>() : "");
    if (!network) return std::unexpected("a network is none");
    order.networks.push_back(*network);
  }
  std::ranges::sort(order.identities);
  std::ranges::sort(order.networks);
  return order;
}

}  // namespace

std::string isolation_text(const Isolation& isolation) {
  Json orders = Json::array();
  for (const auto& order : isolation.orders) orders.push_back(to_json(order));
  const Json file{{"version", kVersion}, {"last", isolation.last}, {"orders", std::move(orders)}};
  return file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Isolation, std::string> parse_isolation(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.size() != 3)
    return std::unexpected("it is not one JSON object with version, last, orders");
  const auto* version = at(json, "version", Json::value_t::number_unsigned);
  const auto* last = at(json, "last", Json::value_t::number_unsigned);
  const auto* orders = at(json, "orders", Json::value_t::array);
  if (version == nullptr || *version != kVersion) return std::unexpected("its version is not 1");
  if (last == nullptr || orders == nullptr) return std::unexpected("\"last\" or \"orders\" is missing");
  Isolation isolation;
  isolation.last = last->get<std::uint64_t>();
  std::uint64_t before = 0;
  for (const auto& each : *orders) {
    auto order = TRY(order_of(each));
    if (order.number <= before || order.number > isolation.last)
      return std::unexpected("the numbers of its orders do not rise to \"last\"");
    before = order.number;
    isolation.orders.push_back(std::move(order));
  }
  return isolation;
}

os::OsResult<void> keep_isolation(const std::string& state_directory, const Isolation& isolation) {
  const auto text = isolation_text(isolation);
  const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
  return os::replace_state_file(path_in(state_directory), {octets, text.size()});
}

os::OsResult<Isolation> read_isolation(const std::string& state_directory) {
  const auto path = path_in(state_directory);
  const auto file = TRY(os::read_state_file(path, kMostOctets));
  if (!file) return Isolation{};
  auto isolation = parse_isolation({reinterpret_cast<const char*>(file->data()), file->size()});
  if (!isolation) return std::unexpected(os::OsError{0, path + ": " + isolation.error()});
  return *std::move(isolation);
}

std::string isolation_aside(const std::string& state_directory) {
  return path_in(state_directory) + ".damaged";
}

void set_isolation_aside(const std::string& state_directory) {
  std::error_code code;
  std::filesystem::rename(path_in(state_directory), isolation_aside(state_directory), code);
}

Isolation everything_isolated(const std::string& why, config::value::WallTime now) {
  return {1, {{1, {}, now, "sekisho-accessd", "the isolation that was kept cannot be read: " + why, {}, {}}}};
}

}  // namespace gateway::daemon
