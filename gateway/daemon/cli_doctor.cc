// sekisho doctor: is this machine fit? Devices, kernel tables, sysctls, key files, certificates and lists, room for
// records, clock. Looks only.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/daemon/last_good.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/credential_check.h"
#include "gateway/os/host_facts.h"
#include "gateway/os/offload_probe.h"
#include "gateway/os/sysctl.h"

namespace gateway::daemon::cli {
namespace {

struct Finding {
  enum class Grade : std::uint8_t { kGood, kWarning, kBad } grade = Grade::kGood;
  std::string what, why;
};
using Findings = std::vector<Finding>;

void add(Findings& findings, bool good, std::string what, std::string why,
         Finding::Grade otherwise = Finding::Grade::kBad) {
  findings.push_back({good ? Finding::Grade::kGood : otherwise, std::move(what), good ? "" : std::move(why)});
}

void look_at_kernel(Findings& findings) {
  add(findings, os::has_tun(), "/dev/net/tun", "cannot be opened: load the module tun, run as root");
  add(findings, os::has_netfilter(), "netfilter netlink", "the kernel has no nfnetlink: load the module nf_tables");
  const auto most = os::read_sysctl("net/netfilter/nf_conntrack_max");
  add(findings, most.has_value(), "connection tracking",
      "load the module nf_conntrack (loaded with the first rule set)", Finding::Grade::kWarning);
  if (most)
    add(findings, most->size() >= 5, "nf_conntrack_max " + *most,
        "fewer than 10,000 flows: raise net.netfilter.nf_conntrack_max", Finding::Grade::kWarning);
  add(findings, os::has_routing(), "routing netlink", "the kernel has no rtnetlink");
  add(findings, os::has_ipv6(), "IPv6", "switched off in the kernel: IPv6 facilities cannot work",
      Finding::Grade::kWarning);
}

// Without them everything works, and slower.
void look_at_offloads(Findings& findings) {
  const auto kernel = os::probe_offloads();
  if (!kernel)
    return add(findings, false, "offloads", "cannot be found out without the rights to make a network namespace",
               Finding::Grade::kWarning);
  const auto offload = [&findings](bool there, const char* name, const char* since) {
    add(findings, there, std::string("offload ") + name, std::string("this kernel does without (") + since + ")",
        Finding::Grade::kWarning);
  };
  offload(kernel->tun.tcp, "tun_tcp: TCP super-packets (TSO)", "Linux 2.6.27 has it");
  offload(kernel->tun.udp, "tun_udp: UDP super-packets (USO)", "Linux 6.2 has it");
  offload(kernel->udp.segment, "udp_segment: several datagrams sent as one", "Linux 4.18 has it");
  offload(kernel->udp.gro, "udp_gro: several datagrams received as one", "Linux 5.0 has it");
}

void look_at_clock(Findings& findings) {
  add(findings, os::clock_synchronised(), "clock",
      "not synchronised: end dates and records follow it; run chrony or systemd-timesyncd", Finding::Grade::kWarning);
}

std::string directory_of(const CommandLine& line) {
  const auto slash = line.config_file().rfind('/');
  return slash == std::string::npos ? "." : line.config_file().substr(0, slash);
}

// A key that was rotated: what is left of it.
void look_at_rotation(Findings& findings, const std::string& path, const std::string& file) {
  if (os::permission_bits(path + ".previous"))
    add(findings, false, "key file " + file + ".previous",
        "the key of before is still kept: delete it when the tunnel is up with the new one", Finding::Grade::kWarning);
  if (os::permission_bits(path + ".next"))
    add(findings, false, "key file " + file + ".next",
        "a new key is made and not in use: 'sekisho key rotate FACILITY --swap' puts it in its place",
        Finding::Grade::kWarning);
}

void look_at_keys(Findings& findings, const config::GatewayConfig& config, const std::string& directory) {
  const auto& gateway_key = config.gateway.wireguard.private_key_file;
  for (const auto& file : config::referenced_key_files(config)) {
    const auto path = file.starts_with('/') ? file : directory + "/" + file;
    const auto kind = file == gateway_key ? os::KeyKind::kPrivate : os::KeyKind::kPreshared;
    const auto fact = os::inspect_key_file(path, file, kind);
    add(findings, fact.state == config::KeyFileFact::State::kGood, "key file " + file,
        fact.detail.empty() ? "not a good key file" : fact.detail);
    if (kind == os::KeyKind::kPreshared) look_at_rotation(findings, path, file);
  }
}

// What `check` says of them, and which files nothing is said of.
void look_at_credentials(Findings& findings, const config::GatewayConfig& config, const std::string& directory) {
  using Kind = config::CredentialFile::Kind;
  const auto report = os::check_credentials(config, directory, os::wall_now(), os::is_root());
  const auto about = [](const config::Diagnostic& said, const config::CredentialFile& file) {
    return said.key_path == file.key_path && said.message.find(file.path) != std::string::npos;
  };
  for (const auto& said : report.diagnostics)
    add(findings, false, said.key_path, said.message + (said.hint.empty() ? "" : "; " + said.hint),
        said.severity == config::Severity::kError ? Finding::Grade::kBad : Finding::Grade::kWarning);
  for (const auto& file : config::credential_files(config)) {
    if (file.kind == Kind::kSigningKey && !os::is_root()) continue;
    if (std::ranges::any_of(report.diagnostics, [&](const auto& said) { return about(said, file); })) continue;
    add(findings, true,
        (file.kind == Kind::kSigningKey     ? "signing key "
         : file.kind == Kind::kCertificates ? "certificates "
                                            : "revocation lists ") +
            file.path,
        "");
  }
}

void look_at_interfaces(Findings& findings, const config::GatewayConfig& config) {
  const auto& gateway = config.gateway;
  for (const auto& interface : {gateway.outside.interface, gateway.inside.interface})
    add(findings, os::has_interface(interface), "interface " + interface, "is not there");
  const auto facts = os::host_facts();
  const auto& own = facts.addresses;
  for (const auto& interface : {gateway.outside.interface, gateway.inside.interface})
    if (std::ranges::find(facts.without_link, interface) != facts.without_link.end())
      add(findings, false, "link of " + interface,
          "there is none: nothing passes there; `ip link show` says whether it is down or has no carrier");
  for (const auto& address : gateway.outside.addresses)
    add(findings, std::ranges::find(own, address) != own.end(), "outside address " + address.to_string(),
        "no interface has it");
}

// A certificate that is missing is an error of the configuration; what stands beside it is looked at all the same.
void look_at_configuration(Findings& findings, const CommandLine& line, const config::Loaded& loaded) {
  add(findings, !config::has_errors(loaded.diagnostics), "configuration " + line.config_file(),
      "has errors: 'sekisho check' shows them");
  if (loaded.config.gateway.outside.interface.empty()) return;
  look_at_keys(findings, loaded.config, directory_of(line));
  look_at_credentials(findings, loaded.config, directory_of(line));
  look_at_interfaces(findings, loaded.config);
}

// As the recorder judges it (gateway.records): below keep_free flows are only summed.
void look_at_disk(Findings& findings, const std::string& state, std::uint64_t keep_free) {
  std::error_code fault;
  const auto room = std::filesystem::space(state, fault);
  if (fault) return add(findings, false, "disk of " + state, fault.message());
  const std::string what = "disk of " + state + ", " + bytes_text(room.available) + " free";
  const std::string keep = bytes_text(keep_free) + " (gateway.records.keep_free_mib)";
  if (room.available < keep_free)
    return add(findings, false, what, "less than " + keep + ": flows are only summed; move closed record files away");
  add(findings, room.available / 2 >= keep_free, what, "less than twice " + keep + ": room is getting short",
      Finding::Grade::kWarning);
}

void look_at_state(Findings& findings, const CommandLine& line, const config::RecordLimits& limits) {
  const auto state = line.state_directory();
  const auto mode = os::permission_bits(state);
  if (!mode)
    return add(findings, false, "state " + state, "is not there; 'sekisho run' makes it", Finding::Grade::kWarning);
  add(findings, (*mode & 077) == 0, "state " + state, "is open to others: chmod 0700 " + state);
  look_at_disk(findings, state, std::uint64_t{limits.keep_free_mib} << 20);
  const auto floor = read_timestamp_floor(state);
  add(findings, floor.has_value(), "handshake timestamps", floor ? "" : floor.error().to_string(),
      Finding::Grade::kWarning);
}

const char* grade_name(Finding::Grade grade) {
  return grade == Finding::Grade::kGood ? "good" : grade == Finding::Grade::kWarning ? "warning" : "bad";
}

}  // namespace

int doctor(const CommandLine& line) {
  Findings findings;
  look_at_kernel(findings);
  look_at_offloads(findings);
  look_at_clock(findings);
  const auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  look_at_configuration(findings, line, loaded);
  look_at_state(findings, line, loaded.config.gateway.records);
  bool all_good = true;
  Json list = Json::array();
  for (const auto& each : findings) {
    all_good = all_good && each.grade != Finding::Grade::kBad;
    list.push_back({{"grade", grade_name(each.grade)}, {"what", each.what}, {"why", each.why}});
    if (line.json()) continue;
    const auto colour = each.grade == Finding::Grade::kGood      ? Colour::kGreen
                        : each.grade == Finding::Grade::kWarning ? Colour::kYellow
                                                                 : Colour::kRed;
    fmt::print("{:<8}{}{}\n", coloured(colour, grade_name(each.grade)), printable(each.what),
               each.why.empty() ? "" : ": " + printable(each.why));
  }
  if (line.json()) fmt::print("{}", one_line({{"version", kControlVersion}, {"ok", all_good}, {"findings", list}}));
  return all_good ? kFine : kFindings;
}

}  // namespace gateway::daemon::cli
