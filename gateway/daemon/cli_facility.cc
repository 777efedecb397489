// sekisho facility add NAME: a preshared key that nobody else has and facilities.d/NAME.json; for WireGuard also a key
// pair and the peer's wg-quick file, with the peer's private key in that file only. Nothing that exists is overwritten;
// what was made is taken back on failure.
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cerrno>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "gateway/daemon/cli_facility.h"
#include "gateway/daemon/cli_keys.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/state_files.h"

namespace gateway::daemon::cli {
namespace {

using config::value::Prefix;
using config::value::Result;

struct Wanted {
  std::string name, directory, peer_file;  // peer_file: WireGuard's
  bool wireguard = false;
  std::vector<config::Network> networks;
  const config::GatewayConfig* gateway = nullptr;
};

int failed(const std::string& sentence) {
  fmt::print(stderr, "sekisho facility add: {}\n", sentence);
  return kCouldNotRun;
}

bool is_name(const std::string& name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 31 && name[0] != '-' && std::ranges::all_of(name, fits);
}

Result<config::Network, std::string> network_of(const std::string& text) {
  const auto equals = text.find('=');
  config::Network network;
  network.real = TRY(Prefix::parse(text.substr(0, equals)));
  network.seen_as = equals == std::string::npos ? network.real : TRY(Prefix::parse(text.substr(equals + 1)));
  if (network.real.length() != network.seen_as.length() ||
      network.real.address().family() != network.seen_as.address().family())
    return std::unexpected("'" + text + "': both prefixes must have one family and one length");
  return network;
}

// Options that only one of the two protocols has.
Result<void, std::string> check_protocol(const CommandLine& line, bool wireguard) {
  const auto protocol = line.value("--protocol", "ikev2");
  if (protocol != "ikev2" && protocol != "wireguard")
    return std::unexpected("'" + protocol + "' is no protocol: ikev2 or wireguard");
  for (const auto* theirs : {"--reason", "--approved-by", "--until", "--out"}) {
    if (!wireguard && line.has(theirs))
      return std::unexpected(std::string(theirs) +
                             " belongs to WireGuard, which is an exception: add --protocol wireguard");
    if (wireguard && !line.has(theirs) && theirs != std::string_view("--out"))
      return std::unexpected(std::string(theirs) + " is missing; 'sekisho facility --help' lists all");
  }
  if (wireguard && line.has("--remote-id")) return std::unexpected("--remote-id belongs to ikev2");
  return {};
}

// What is asked for, or what is missing, as a sentence.
Result<Wanted, std::string> wanted_of(const CommandLine& line, const config::GatewayConfig& gateway) {
  Wanted wanted;
  wanted.name = line.words[1];
  wanted.gateway = &gateway;
  if (!is_name(wanted.name)) return std::unexpected("'" + wanted.name + "' is no name: a-z, 0-9 and '-', at most 31");
  if (std::ranges::any_of(gateway.facilities, [&](const auto& f) { return f.name.text == wanted.name; }))
    return std::unexpected("a facility " + wanted.name + " is there already");
  if (!line.has("--network")) return std::unexpected("--network is missing; 'sekisho facility --help' lists all");
  wanted.wireguard = line.value("--protocol", "ikev2") == "wireguard";
  TRY(check_protocol(line, wanted.wireguard));
  for (const auto& text : line.values("--network")) wanted.networks.push_back(TRY(network_of(text)));
  for (const auto& service : line.values("--may-use"))
    if (std::ranges::none_of(gateway.services, [&](const auto& s) { return s.name.text == service; }))
      return std::unexpected("no service is called '" + service + "'");
  const auto slash = line.config_file().rfind('/');
  wanted.directory = slash == std::string::npos ? "." : line.config_file().substr(0, slash);
  wanted.peer_file = line.value("--out", wanted.name + ".conf");
  return wanted;
}

Json tunnel_of(const CommandLine& line, const Wanted& wanted, const std::string& public_key) {
  Json tunnel;
  const auto psk = "keys/" + wanted.name + ".psk";
  if (wanted.wireguard)
    tunnel = {{"protocol", "wireguard"}, {"public_key", public_key}, {"preshared_key_file", psk}};
  else
    tunnel = {{"protocol", "ikev2"},
              {"remote_id", line.value("--remote-id", "fqdn:" + wanted.name)},
              {"authentication", {{"psk_file", psk}}}};
  if (line.has("--endpoint")) tunnel["endpoint"] = line.value("--endpoint");
  if (line.has("--source")) tunnel["source"] = line.values("--source");
  if (wanted.wireguard)
    tunnel["exception"] = {{"reason", line.value("--reason")},
                           {"approved_by", line.value("--approved-by")},
                           {"until", line.value("--until")}};
  return tunnel;
}

std::string facility_file(const CommandLine& line, const Wanted& wanted, const std::string& public_key) {
  Json networks = Json::array();
  for (const auto& network : wanted.networks) {
    if (network.real == network.seen_as)
      networks.push_back(network.real.to_string());
    else
      networks.push_back({{"real", network.real.to_string()}, {"seen_as", network.seen_as.to_string()}});
  }
  Json facility{{"title", line.value("--title", wanted.name)},
                {"role", line.value("--role", "viewing")},
                {"networks", networks},
                {"may_use", line.values("--may-use")},
                {"tunnel", tunnel_of(line, wanted, public_key)}};
  const Json file{{"facilities", {{wanted.name, facility}}}};
  return file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The peer itself takes the first host address of each of its networks, as a host: with the network's length the tunnel
// would take the route of the LAN behind it.
std::string peer_address(const Prefix& prefix) {
  auto octets = prefix.address().storage();
  if (!prefix.is_host()) octets[prefix.address().is_v4() ? 3 : 15] |= 1;
  const auto address = prefix.address().is_v4()
                           ? config::value::IpAddress::v4({octets[0], octets[1], octets[2], octets[3]})
                           : config::value::IpAddress::v6(octets);
  return Prefix::host(address).to_string();
}

std::string peer_file(const CommandLine& line, const Wanted& wanted, const KeyPair& keys, const KeyText& psk,
                      const std::string& gateway_key) {
  const auto& gateway = wanted.gateway->gateway;
  std::string addresses, allowed;
  for (const auto& network : wanted.networks) addresses += (addresses.empty() ? "" : ", ") + peer_address(network.real);
  const auto used = line.values("--may-use");
  for (const auto& service : wanted.gateway->services)
    if (std::ranges::find(used, service.name.text) != used.end())
      for (const auto& address : service.addresses)
        allowed += (allowed.empty() ? "" : ", ") + Prefix::host(address).to_string();
  const config::value::SocketAddress endpoint{gateway.outside.addresses.front(), gateway.wireguard.port};
  std::string text = fmt::format("# Sekisho gateway {}, facility {}. This file holds the facility's private key.\n",
                                 gateway.name, wanted.name);
  text += fmt::format("[Interface]\nPrivateKey = {}\nAddress = {}\nMTU = {}\n\n", keys.secret.text, addresses,
                      gateway.tunnel_mtu);
  text += fmt::format(
      "[Peer]\nPublicKey = {}\nPresharedKey = {}\nAllowedIPs = {}\nEndpoint = {}\nPersistentKeepalive = 25\n",
      gateway_key, psk.text, allowed, endpoint.to_string());
  return text;
}

// All files or none.
class NewFiles {
 public:
  Result<void, std::string> create(const std::string& path, const std::string& text, unsigned mode) {
    auto made = os::create_file(path, text, mode);
    if (made) made_.push_back(path);
    if (made) return {};
    return std::unexpected(made.error().number == EEXIST ? path + " is there already and is not overwritten"
                                                         : made.error().to_string());
  }
  void keep() { made_.clear(); }
  ~NewFiles() {
    for (const auto& path : made_) os::discard_file(path);
  }

 private:
  std::vector<std::string> made_;
};

// The configuration with the new file must be free of errors, or the file is not left there.
Result<void, std::string> check_whole(const CommandLine& line) {
  const auto loaded = os::load_configuration(line.config_file(), os::wall_now());
  std::string text;
  for (const auto& each : loaded.diagnostics)
    if (each.severity == config::Severity::kError) text += "\n" + config::to_text(each, loaded.config.files);
  if (!text.empty()) return std::unexpected("the configuration would have errors; nothing was made:" + text);
  return {};
}

Result<void, std::string> make(const CommandLine& line, const Wanted& wanted, const std::string& gateway_key) {
  const auto keys = wanted.wireguard ? make_key_pair() : KeyPair{};
  const auto psk = make_preshared_key();
  for (const auto* folder : {"/keys", "/facilities.d"})
    if (!os::make_folder(wanted.directory + folder, 0700))
      return std::unexpected("cannot make " + wanted.directory + folder);
  NewFiles files;
  TRY(files.create(wanted.directory + "/keys/" + wanted.name + ".psk", psk.text + "\n", 0600));
  if (wanted.wireguard) TRY(files.create(wanted.peer_file, peer_file(line, wanted, keys, psk, gateway_key), 0600));
  TRY(files.create(wanted.directory + "/facilities.d/" + wanted.name + ".json", facility_file(line, wanted, keys.open),
                   0640));
  TRY(check_whole(line));
  files.keep();
  return {};
}

// Empty for IKEv2, which has no need of it.
Result<std::string, std::string> gateway_key_of(const Wanted& wanted) {
  if (!wanted.wireguard) return "";
  const auto& file = wanted.gateway->gateway.wireguard.private_key_file;
  return public_key_of(file.starts_with('/') ? file : wanted.directory + "/" + file);
}

void print_next(const CommandLine& line, const Wanted& wanted) {
  const auto facility_path = wanted.directory + "/facilities.d/" + wanted.name + ".json";
  const auto key_path = wanted.directory + "/keys/" + wanted.name + ".psk";
  if (line.json()) {
    Json made{{"version", kControlVersion}, {"facility_file", facility_path}, {"preshared_key_file", key_path}};
    if (wanted.wireguard) made["peer_file"] = wanted.peer_file;
    fmt::print("{}", one_line(made));
  } else if (wanted.wireguard) {
    fmt::print(
        "{}\n{} (give it to the facility by a safe way, then delete it here)\nnow: sekisho check, sekisho reload\n",
        facility_path, wanted.peer_file);
  } else {
    fmt::print(
        "{0}\n{1} (the preshared key: to the facility by another way than the sheet)\nnow:\n"
        "  sekisho check && sekisho reload\n"
        "  sekisho facility sheet {2} --out {2}.html\n"
        "  sekisho facility router-config {2} --vendor {3} --out {2}.txt\n",
        facility_path, key_path, wanted.name, vendor_names("|", false));
  }
}

}  // namespace

int facility_add(const CommandLine& line) {
  if (sodium_init() < 0) return failed("libsodium did not start");
  const auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  // Errors that the new facility cures (a test that names it) are no hindrance: the whole is judged with the new files.
  if (config::has_errors(loaded.diagnostics) && loaded.config.gateway.outside.addresses.empty())
    return failed("the configuration has errors; 'sekisho check' shows them");
  const auto wanted = wanted_of(line, loaded.config);
  if (!wanted) return failed(wanted.error());
  const auto gateway_key = gateway_key_of(*wanted);
  if (!gateway_key) return failed(gateway_key.error());
  if (auto made = make(line, *wanted, *gateway_key); !made) return failed(made.error());
  print_next(line, *wanted);
  return kFine;
}

}  // namespace gateway::daemon::cli
