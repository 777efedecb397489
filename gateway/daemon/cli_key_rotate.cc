// sekisho key rotate FACILITY: another preshared key in two steps, because both ends must change over together. The new
// one is made beside the old (FILE.next) and counts for nothing until `--swap` puts it in its place; the old one stays
// as FILE.previous for `--back`. The gateway uses what stands in FILE at its next reload or start. No key is shown.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli_keys.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/state_files.h"

namespace gateway::daemon::cli {
namespace {

using config::value::Result;
using State = config::KeyFileFact::State;

struct Files {
  std::string facility, file, next, previous;
  bool wireguard = false, ppk = false;
};

Result<std::string, std::string> named_file(const config::Facility& facility, bool ppk) {
  const auto& name = facility.name.text;
  const auto& tunnel = facility.tunnel;
  const bool ike = tunnel.protocol == config::TunnelProtocol::kIkev2;
  if (ppk && ike && tunnel.ikev2.ppk) return tunnel.ikev2.ppk->file;
  if (ppk) return std::unexpected("facility " + name + " has no postquantum key (tunnel.ppk)");
  if (ike && tunnel.ikev2.certificate)
    return std::unexpected("facility " + name +
                           " proves itself by certificate and has no preshared key; its router gets a new certificate "
                           "from its authority, the gateway one by 'sekisho key csr'");
  const auto& file = ike ? tunnel.ikev2.psk_file : tunnel.wireguard.preshared_key_file;
  if (!file) return std::unexpected("facility " + name + " has no preshared key");
  return *file;
}

Result<Files, std::string> files_of(const CommandLine& line) {
  const auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  const auto& all = loaded.config.facilities;
  const auto& name = line.words[1];
  const auto found = std::ranges::find(all, name, [](const auto& each) { return each.name.text; });
  if (found == all.end()) {
    std::vector<std::string_view> names;
    for (const auto& each : all) names.push_back(each.name.text);
    const auto near = nearest(name, names);
    return std::unexpected(
        "no facility is called '" + name + "'" + (near.empty() ? "" : ", did you mean '" + near + "'") +
        (config::has_errors(loaded.diagnostics) ? "; the configuration has errors: 'sekisho check' shows them" : ""));
  }
  Files files;
  files.facility = name, files.ppk = line.has("--ppk");
  files.wireguard = found->tunnel.protocol == config::TunnelProtocol::kWireguard;
  files.file = TRY(named_file(*found, files.ppk));
  const auto slash = line.config_file().rfind('/');
  if (!files.file.starts_with('/') && slash != std::string::npos)
    files.file = line.config_file().substr(0, slash) + "/" + files.file;
  files.next = files.file + ".next", files.previous = files.file + ".previous";
  return files;
}

std::string again(const Files& files, const char* step) {
  return "sekisho key rotate " + files.facility + (files.ppk ? " --ppk" : "") + step;
}

void print_json(const Files& files, const char* step) {
  fmt::print("{}", one_line({{"version", kControlVersion},
                             {"facility", files.facility},
                             {"step", step},
                             {"file", files.file},
                             {"next", files.next},
                             {"previous", files.previous}}));
}

void print_made(const Files& files) {
  fmt::print(
      "{0}: the new key. It is not in use, and a reload or restart changes nothing yet.\n"
      "1. Take it to the facility by another way than the sheet: {1}.\n"
      "2. At the agreed time first at the router, then at once here: {2} && sekisho reload\n"
      "   That reload ends the tunnel; it comes back with the new key when either side calls. No other facility "
      "notices.\n"
      "3. It stays down (sekisho show tunnels {3} says why): {4} && sekisho reload\n"
      "4. It is up: delete {5}\n",
      files.next,
      files.wireguard ? "PresharedKey in its configuration"
      : files.ppk     ? "the 44 characters in it are entered as text, as the postquantum key (PPK)"
                      : "the 44 characters in it are entered as text, as the preshared key",
      again(files, " --swap"), files.facility, again(files, " --back"), files.previous);
}

Result<void, std::string> make(const Files& files) {
  const auto key = make_preshared_key();
  if (auto made = os::create_file(files.next, key.text + "\n", 0600); !made)
    return std::unexpected(made.error().number == EEXIST
                               ? files.next +
                                     " is there already and not in use: give that one to the facility and go "
                                     "on with '" +
                                     again(files, " --swap") + "', or delete it to have another"
                               : made.error().to_string());
  return {};
}

Result<void, std::string> good_key(const std::string& path, const std::string& otherwise) {
  const auto fact = os::inspect_key_file(path, path, os::KeyKind::kPreshared);
  if (fact.state == State::kGood) return {};
  if (fact.state == State::kMissing) return std::unexpected(path + " does not exist: " + otherwise);
  return std::unexpected(path + " is not a good key file" + (fact.detail.empty() ? "" : " (" + fact.detail + ")") +
                         "; nothing was changed");
}

Result<void, std::string> swap(const Files& files) {
  TRY(good_key(files.next, "'" + again(files, "") + "' makes it"));
  auto done = os::turn_over(files.next, files.file, files.previous);
  return done ? Result<void, std::string>() : std::unexpected(done.error().to_string());
}

Result<void, std::string> back(const Files& files) {
  TRY(good_key(files.previous, "no earlier key was kept"));
  auto done = os::exchange_files(files.previous, files.file);
  return done ? Result<void, std::string>() : std::unexpected(done.error().to_string());
}

}  // namespace

int key_rotate(const CommandLine& line) {
  if (line.has("--swap") && line.has("--back")) return key_failed("--swap and --back are opposites: give one of them");
  const auto files = files_of(line);
  if (!files) return key_failed(files.error());
  const bool swaps = line.has("--swap"), goes_back = line.has("--back");
  const auto done = swaps ? swap(*files) : goes_back ? back(*files) : make(*files);
  if (!done) return key_failed(done.error());
  if (line.json())
    print_json(*files, swaps ? "swapped" : goes_back ? "back" : "made");
  else if (swaps || goes_back)
    fmt::print("{} now holds the {} key, {} the {} one. Go on at once: sekisho reload\n", files->file,
               swaps ? "new" : "earlier", files->previous, swaps ? "old" : "new");
  else
    print_made(*files);
  return kFine;
}

}  // namespace gateway::daemon::cli
