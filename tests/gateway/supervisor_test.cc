// The whole family with its real programs in a namespace: joined, restarted, watched, stopped closed. The programs must
// be built beside this one.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "gateway/daemon/supervisor.h"
#include "gateway/daemon/supervisor_process.h"
#include "gateway/os/privileges.h"
#include "gateway/os/sysctl.h"
#include "tests/gateway/child_outcome.h"
#include "tests/gateway/network_namespace.h"
#include "tests/gateway/patience.h"

namespace gateway::tests {
namespace {

using namespace std::chrono_literals;

constexpr const char* kConfiguration = R"({
  "gateway": { "name": "dc1", "outside": { "interface": "wan0", "addresses": ["203.0.113.10"] }, "inside": { "interface": "dc0" } },
  "services": { "karte": { "title": "k", "addresses": ["10.80.0.10"], "ports": ["tcp/443"] } },
  "facilities": { "matsumae": { "title": "m", "role": "viewing", "networks": ["10.2.0.0/24"], "may_use": ["karte"],
    "tunnel": { "protocol": "wireguard", "public_key": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "source": ["198.51.100.7"],
      "exception": { "reason": "test", "approved_by": "test", "until": "2099-03-31" } } } } })";

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// "keyd" -> pid, of the children of `parent`.
std::map<std::string, pid_t> children_of(pid_t parent) {
  std::map<std::string, pid_t> found;
  std::istringstream in(read_text("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children"));
  for (pid_t pid = 0; in >> pid;) {
    auto name = read_text("/proc/" + std::to_string(pid) + "/comm");
    if (name.starts_with("sekisho-")) found[name.substr(8, name.size() - 9)] = pid;
  }
  return found;
}

std::string status_field(pid_t pid, const std::string& name) {
  std::istringstream in(read_text("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  return {};
}

bool forwards() {
  return os::read_sysctl("net/ipv4/ip_forward").value_or("") == "1";
}

class Gateway {
 public:
  Gateway() {
    REQUIRE(mkdtemp(folder_.data()) != nullptr);
    std::filesystem::create_directories(folder_ + "/etc/keys");
    std::ofstream(folder_ + "/etc/sekisho.json") << kConfiguration;
    std::ofstream(folder_ + "/etc/keys/gateway.key")
        << "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n";  // published with wg(8)
    REQUIRE(chmod((folder_ + "/etc/keys/gateway.key").c_str(), 0600) == 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder_ + "/notify").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(bind(notify_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    pid_ = start();
    REQUIRE(eventually([] { return forwards(); }));
  }
  ~Gateway() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
    close(notify_);
    std::filesystem::remove_all(folder_);
  }
  // What the service manager was told since the last call, without the watchdog's beat.
  [[nodiscard]] std::string notified() const {
    std::string all;
    std::array<char, 1024> text{};
    for (ssize_t size = 0; (size = recv(notify_, text.data(), text.size(), MSG_DONTWAIT)) > 0;)
      if (std::string one(text.data(), static_cast<std::size_t>(size)); one != "WATCHDOG=1") all += one + "|";
    return all;
  }
  [[nodiscard]] std::string log() const { return read_text(folder_ + "/log"); }
  void write_config(const std::string& text) const { std::ofstream(folder_ + "/etc/sekisho.json") << text; }

  [[nodiscard]] pid_t start() const {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      dup2(open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
      setenv("NOTIFY_SOCKET", (folder_ + "/notify").c_str(), 1);
    }
    if (pid == 0) _exit(daemon::run_gateway({folder_ + "/etc/sekisho.json", folder_ + "/state", folder_ + "/run"}));
    return pid;
  }
  static int status_of(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int stop(int signal) {
    ::kill(pid_, signal);
    return status_of(std::exchange(pid_, 0));
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::string folder_ = "/tmp/sekisho-run-XXXXXX";
  pid_t pid_ = 0;
  // Takes more than the ten words of a default: the supervisor would wait for whoever reads them, and the test for it.
  static int socket_of_words() {
    REQUIRE(os::write_sysctl("net/unix/max_dgram_qlen", "10000").has_value());
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }
  int notify_ = socket_of_words();
};

TEST_CASE("supervisor: four children, each with its own privilege and no more", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  const auto children = children_of(gateway.pid());
  REQUIRE(children.size() == 4);
  for (const auto& [name, pid] : children) {
    INFO(name);
    const std::string expected = name == "netd" ? "0000000000003400" : "0000000000000000";  // BIND_SERVICE, ADMIN, RAW
    CHECK(status_field(pid, "CapEff") == expected);
    CHECK(status_field(pid, "CapPrm") == expected);
    CHECK(status_field(pid, "CapBnd") == "0000000000000000");
    CHECK(status_field(pid, "NoNewPrivs") == "1");
    CHECK(status_field(pid, "Seccomp") == "2");
    const auto limits = read_text("/proc/" + std::to_string(pid) + "/limits");
    CHECK(limits.find("Max core file size        0                    0 ") != std::string::npos);
  }
}

#if !defined(SEKISHO_TEST_SANITIZED)
// What a daemon of the same user sees that has broken out, with no privilege: each other's keys lie in that memory.
TEST_CASE("supervisor: no child's memory is open to another process of its user", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  const auto children = children_of(gateway.pid());
  REQUIRE(children.size() == 4);
  const pid_t ordinary = fork();
  REQUIRE(ordinary >= 0);
  if (ordinary == 0) {
    (void)os::keep_only_capabilities(0);
    for (;;) pause();
  }
  REQUIRE(eventually([&] { return status_field(ordinary, "CapPrm") == "0000000000000000"; }));
  const auto opens = [](pid_t pid) {
    const auto outcome = in_child([&] {
      if (!os::keep_only_capabilities(0)) return 2;
      return open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY) >= 0 ? 0 : 1;
    });
    REQUIRE(outcome.exit_status != 2);
    return outcome.exit_status == 0;
  };
  CHECK(opens(ordinary));
  for (const auto& [name, pid] : children) {
    INFO(name);
    CHECK_FALSE(opens(pid));
  }
  kill(ordinary, SIGKILL), waitpid(ordinary, nullptr, 0);
}
#endif

TEST_CASE("supervisor: who is killed comes back, and the gateway goes on", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  const std::string name = GENERATE("netd", "tunneld", "keyd", "accessd");
  INFO(name);
  const auto before = children_of(gateway.pid());
  REQUIRE(kill(before.at(name), SIGKILL) == 0);
  REQUIRE(eventually([&] {
    const auto now = children_of(gateway.pid());
    return now.contains(name) && now.at(name) != before.at(name);
  }));
  for (const auto& [other, pid] : before)
    if (other != name) CHECK(children_of(gateway.pid()).at(other) == pid);
  CHECK(forwards());
  CHECK(stranger("nft list map inet sekisho service4") == 0);
}

// In how many seconds: the watchdog's own test, below.
TEST_CASE("supervisor: who hangs is killed, and comes back", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  const auto before = children_of(gateway.pid()).at("tunneld");
  REQUIRE(kill(before, SIGSTOP) == 0);
  CHECK(eventually([&] {
    const auto now = children_of(gateway.pid());
    return now.contains("tunneld") && now.at("tunneld") != before;
  }));
}

TEST_CASE("supervisor: when it stood still itself, nobody is to blame", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  const auto before = children_of(gateway.pid());
  REQUIRE(kill(gateway.pid(), SIGSTOP) == 0);
  std::this_thread::sleep_for(8s);
  REQUIRE(kill(gateway.pid(), SIGCONT) == 0);
  std::this_thread::sleep_for(3s);
  CHECK(children_of(gateway.pid()) == before);
}

TEST_CASE("supervisor: the watchdog waits longer for who said so, to a bound, and not twice") {
  using daemon::SupervisedProcess;
  SupervisedProcess netd(core::ProcessRole::kNetd, 16);
  const config::value::Instant start{100s};
  netd.answered(start);
  CHECK_FALSE(netd.overdue(start + 5s));
  CHECK(netd.overdue(start + 6s));
  netd.busy(10s);
  CHECK_FALSE(netd.overdue(start + 15s));
  CHECK(netd.overdue(start + 16s));
  netd.busy(24h);
  CHECK_FALSE(netd.overdue(start + 35s));
  CHECK(netd.overdue(start + 36s));
  netd.answered(start + 20s);
  CHECK_FALSE(netd.overdue(start + 25s));
  CHECK(netd.overdue(start + 26s));
}

TEST_CASE("supervisor: two gateways never share a state", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  CHECK(Gateway::status_of(gateway.start()) == 2);
  CHECK(children_of(gateway.pid()).size() == 4);
}

TEST_CASE("supervisor: an orderly stop leaves the kernel closed, also when netd has just died", "[osn]") {
  const NetworkNamespace space;
  Gateway gateway;
  if (GENERATE(false, true)) kill(children_of(gateway.pid()).at("netd"), SIGKILL);
  CHECK(gateway.stop(SIGTERM) == 0);
  CHECK_FALSE(forwards());
  CHECK(stranger("nft list chain inet sekisho forward") == 0);
  CHECK(stranger("nft list map inet sekisho service4") != 0);  // nothing that lets a facility pass
}

TEST_CASE("supervisor: one line says ready, an orderly stop warns of nothing", "[osn]") {
  const NetworkNamespace space;
  Gateway gateway;
  REQUIRE(eventually([&] { return gateway.log().find("gateway.ready") != std::string::npos; }));
  CHECK(gateway.notified().find("READY=1\nSTATUS=generation 1") != std::string::npos);
  CHECK(gateway.stop(SIGTERM) == 0);
  const auto log = gateway.log();
  CHECK(log.find("gateway.ready") == log.rfind("gateway.ready"));
  const auto after = log.substr(log.find("gateway.ready"));
  CHECK(after.find("\"warning\"") == std::string::npos);
  CHECK(after.find("\"error\"") == std::string::npos);
  CHECK(after.find("process.ended") != std::string::npos);
}

TEST_CASE("supervisor: a death that nobody asked for is a warning", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  REQUIRE(kill(children_of(gateway.pid()).at("keyd"), SIGKILL) == 0);
  CHECK(eventually([&] { return gateway.log().find("\"warning\",\"event\":\"process.lost\"") != std::string::npos; }));
}

TEST_CASE("supervisor: systemd is told when a reload begins and how it ended", "[osn]") {
  const NetworkNamespace space;
  const Gateway gateway;
  std::string told;
  const auto hears = [&](const std::string& words) {
    return eventually([&] { return (told += gateway.notified()).find(words) != std::string::npos; });
  };
  REQUIRE(hears("READY=1"));
  told.clear();
  REQUIRE(kill(gateway.pid(), SIGHUP) == 0);
  REQUIRE(hears("READY=1\nSTATUS=generation 2"));
  CHECK(told.starts_with("RELOADING=1\nMONOTONIC_USEC="));
  told.clear();
  gateway.write_config("{");
  REQUIRE(kill(gateway.pid(), SIGHUP) == 0);
  REQUIRE(hears("READY=1\nSTATUS=reload refused, generation 2 stays: "));
  CHECK(told.starts_with("RELOADING=1\n"));
}

TEST_CASE("supervisor: its own kill -9 takes every child with it and leaves the table", "[osn]") {
  const NetworkNamespace space;
  Gateway gateway;
  const auto children = children_of(gateway.pid());
  CHECK(gateway.stop(SIGKILL) == 137);
  for (const auto& [name, pid] : children)
    CHECK(eventually([pid = pid] { return kill(pid, 0) != 0 || status_field(pid, "State").starts_with("Z"); }));
  CHECK(stranger("nft list chain inet sekisho forward") == 0);
}

}  // namespace
}  // namespace gateway::tests
