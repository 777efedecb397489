// sekisho-wg: the gateway's WireGuard engine behind the UAPI socket, for wg and wg-quick in wireguard-go's place
// (docs/decisions/0008).
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "gateway/daemon/wg_engine.h"
#include "gateway/os/background.h"
#include "gateway/os/privileges.h"

namespace {

using gateway::daemon::WgEngine;
using gateway::os::Background;

struct Arguments {
  std::string interface;
  bool foreground = false;
};

constexpr const char* kUsage =
    "usage: sekisho-wg [-f|--foreground] INTERFACE\n"
    "Makes the WireGuard interface INTERFACE; wg and wg-quick configure it. See sekisho-wg(8).\n";

std::optional<Arguments> read_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "-f" || word == "--foreground") {
      arguments.foreground = true;
    } else if (word.empty() || word.front() == '-' || !arguments.interface.empty()) {
      return std::nullopt;
    } else {
      arguments.interface = word;
    }
  }
  const char* const environment = std::getenv("WG_PROCESS_FOREGROUND");  // as wireguard-go reads it
  if (environment != nullptr && std::string_view(environment) == "1") arguments.foreground = true;
  return arguments.interface.empty() ? std::nullopt : std::optional(arguments);
}

int fail(const Arguments& arguments, const gateway::os::OsError& error) {
  std::fprintf(stderr, "sekisho-wg %s: %s\n", arguments.interface.c_str(), error.to_string().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = read_arguments(argc, argv);
  if (!arguments) return std::fputs(kUsage, stderr), 1;
  std::optional<Background> background;
  if (!arguments->foreground) {
    auto entered = Background::enter();
    if (!entered) return fail(*arguments, entered.error());
    background.emplace(*std::move(entered));
  }
  auto parts = WgEngine::open(arguments->interface);
  if (!parts) return fail(*arguments, parts.error());
  // The device is made; from here on ports, marks and the socket file are all that is needed.
  if (auto kept = gateway::os::keep_only_capabilities(gateway::os::wg_capabilities()); !kept)
    return fail(*arguments, kept.error());
  if (auto forbidden = gateway::os::forbid_dumps(); !forbidden) return fail(*arguments, forbidden.error());
  if (auto forbidden = gateway::os::forbid_dangerous_calls(); !forbidden) return fail(*arguments, forbidden.error());
  WgEngine engine(*std::move(parts));
  if (background) background->ready();
  return engine.run();
}
