// sekisho doctor: is this machine fit? First form: devices, kernel tables, sysctls, key files, clock. Looks only.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "gateway/daemon/accessd_views.h"
#include "gateway/daemon/cli.h"
#include "gateway/daemon/cli_text.h"
#include "gateway/os/clock.h"
#include "gateway/os/config_files.h"
#include "gateway/os/file_descriptor.h"
#include "gateway/os/state_files.h"

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

std::string first_line(const std::string& path) {
  os::FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(256, '\0');
  const auto size = file.valid() ? read(file.number(), text.data(), text.size()) : -1;
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text.substr(0, text.find('\n'));
}

void look_at_kernel(Findings& findings) {
  os::FileDescriptor tun(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  add(findings, tun.valid(), "/dev/net/tun", "cannot be opened: load the module tun, run as root");
  os::FileDescriptor netfilter(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  add(findings, netfilter.valid(), "netfilter netlink", "the kernel has no nfnetlink: load the module nf_tables");
  const bool conntrack = access("/proc/sys/net/netfilter/nf_conntrack_max", R_OK) == 0;
  add(findings, conntrack, "connection tracking", "load the module nf_conntrack (loaded with the first rule set)",
      Finding::Grade::kWarning);
  if (conntrack) {
    const auto most = first_line("/proc/sys/net/netfilter/nf_conntrack_max");
    add(findings, most.size() >= 5, "nf_conntrack_max " + most,
        "fewer than 10,000 flows: raise net.netfilter.nf_conntrack_max", Finding::Grade::kWarning);
  }
  os::FileDescriptor routing(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  add(findings, routing.valid(), "routing netlink", "the kernel has no rtnetlink");
  add(findings, access("/proc/sys/net/ipv6", R_OK) == 0, "IPv6",
      "switched off in the kernel: IPv6 facilities cannot work", Finding::Grade::kWarning);
}

void look_at_clock(Findings& findings) {
  timex clock{};
  const int state = adjtimex(&clock);
  const bool synchronised = state >= 0 && state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
  add(findings, synchronised, "clock",
      "not synchronised: end dates and records follow it; run chrony or systemd-timesyncd", Finding::Grade::kWarning);
}

void look_at_keys(Findings& findings, const CommandLine& line) {
  const auto loaded = os::load_configuration(line.config_file(), os::wall_now(), os::KeyFiles::kLeave);
  const bool readable = !config::has_errors(loaded.diagnostics);
  add(findings, readable, "configuration " + line.config_file(), "has errors: 'sekisho check' shows them");
  if (!readable) return;
  const auto slash = line.config_file().rfind('/');
  const auto directory = slash == std::string::npos ? "." : line.config_file().substr(0, slash);
  const auto& gateway_key = loaded.config.gateway.wireguard.private_key_file;
  for (const auto& file : config::referenced_key_files(loaded.config)) {
    const auto path = file.starts_with('/') ? file : directory + "/" + file;
    const auto kind = file == gateway_key ? os::KeyKind::kPrivate : os::KeyKind::kPreshared;
    const auto fact = os::inspect_key_file(path, file, kind);
    add(findings, fact.state == config::KeyFileFact::State::kGood, "key file " + file,
        fact.detail.empty() ? "not a good key file" : fact.detail);
  }
  for (const auto& interface : {loaded.config.gateway.outside.interface, loaded.config.gateway.inside.interface})
    add(findings, access(("/sys/class/net/" + interface).c_str(), F_OK) == 0, "interface " + interface, "is not there");
}

void look_at_state(Findings& findings, const CommandLine& line) {
  struct stat facts{};
  const auto state = line.state_directory();
  if (stat(state.c_str(), &facts) != 0)
    return add(findings, false, "state " + state, "is not there; 'sekisho run' makes it", Finding::Grade::kWarning);
  add(findings, (facts.st_mode & 077) == 0, "state " + state, "is open to others: chmod 0700 " + state);
}

const char* grade_name(Finding::Grade grade) {
  return grade == Finding::Grade::kGood ? "good" : grade == Finding::Grade::kWarning ? "warning" : "bad";
}

}  // namespace

int doctor(const CommandLine& line) {
  Findings findings;
  look_at_kernel(findings);
  look_at_clock(findings);
  look_at_keys(findings, line);
  look_at_state(findings, line);
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
