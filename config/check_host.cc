// What the configuration names and this machine does not have. The shell looks, here is only compared.
#include <algorithm>

#include <fmt/format.h>

#include "config/load.h"
#include "config/report.h"

namespace config {
namespace {

void add(std::vector<Diagnostic>& out, const Position& at, std::string key_path, std::string message,
         std::string hint) {
  Diagnostic diagnostic;
  diagnostic.severity = Severity::kWarning;
  diagnostic.at = at;
  diagnostic.key_path = std::move(key_path);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  out.push_back(std::move(diagnostic));
}

// At boot an interface may come later; a gateway that runs on one that is there is not moved to one that is not.
void check_interface(const std::string& name, const Position& at, const char* key_path, const HostFacts& facts,
                     const std::string& running, std::vector<Diagnostic>& out) {
  if (name.empty()) return;
  if (std::ranges::find(facts.without_link, name) != facts.without_link.end())
    add(out, at, key_path, fmt::format("the interface {} has no link", quoted(name)),
        "nothing passes there: `ip link show` says whether it is down or has no carrier");
  if (std::ranges::find(facts.interfaces, name) != facts.interfaces.end()) return;
  const std::vector<std::string_view> known(facts.interfaces.begin(), facts.interfaces.end());
  add(out, at, key_path, fmt::format("this machine has no interface {}", quoted(name)), did_you_mean(name, known));
  if (running.empty() || running == name) return;
  out.back().severity = Severity::kError;
  out.back().message += fmt::format("; the gateway runs on {}", quoted(running));
}

}  // namespace

std::vector<Diagnostic> check_host(const GatewayConfig& config, const HostFacts& facts, const RunningOn& running) {
  std::vector<Diagnostic> out;
  const auto& gateway = config.gateway;
  check_interface(gateway.outside.interface, gateway.outside.interface_at, "gateway.outside.interface", facts,
                  running.outside, out);
  for (const auto& address : gateway.outside.addresses)
    if (std::ranges::find(facts.addresses, address) == facts.addresses.end())
      add(out, gateway.outside.addresses_at, "gateway.outside.addresses",
          fmt::format("no interface of this machine has the address {}", address.to_string()),
          "no tunnel reaches the gateway there");
  check_interface(gateway.inside.interface, gateway.inside.interface_at, "gateway.inside.interface", facts,
                  running.inside, out);
  return out;
}

}  // namespace config
