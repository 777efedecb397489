// sekisho verify --live against a control socket that hands over a state: what a person is told, and the exit status.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "gateway/core/codec.h"
#include "gateway/daemon/accessd_views.h"
#include "gateway/os/clock.h"
#include "gateway/os/control_socket.h"
#include "gateway/os/memory_file.h"
#include "tests/gateway/cli_told.h"
#include "tests/model/live_world.h"

using namespace gateway::daemon;
using gateway::tests::has;
using gateway::tests::Told;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

class Gateway {
 public:
  explicit Gateway(const gateway::core::LiveState& state) : octets_(gateway::core::encode(state)) {
    char name[] = "/tmp/acd-live-XXXXXX";
    folder_ = mkdtemp(name);
    auto socket = gateway::os::ControlSocket::create(folder_ + "/control.sock", kToken, loop_);
    REQUIRE(socket.has_value());
    socket_.emplace(*std::move(socket));
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) turn();
    });
  }
  ~Gateway() {
    thread_.request_stop(), thread_.join();
    fs::remove_all(folder_);
  }

  [[nodiscard]] Told told(Words words) const {
    words.insert(words.end(), {"--config", folder_ + "/sekisho.json", "--runtime", folder_});
    return gateway::tests::told(folder_, words);
  }

 private:
  static constexpr std::uint32_t kToken = 18;

  void turn() {
    std::vector<gateway::os::ControlSocket::Request> requests;
    std::vector<std::uint64_t> lost;
    const auto now = gateway::os::boot_now();
    for (const auto& ready : loop_.wait(now + std::chrono::milliseconds(20)))
      socket_->on_ready(ready, now, loop_, requests, lost);
    for (const auto& request : requests) {
      const auto file = gateway::os::memory_file("installed", octets_);
      if (Json::parse(request.line)["verb"] == "installed" && file)
        socket_->send_with(request.client, answer_line({{"octets", octets_.size()}}), *file, loop_);
    }
  }

  std::vector<std::uint8_t> octets_;
  std::string folder_;
  gateway::os::EventLoop loop_ = *gateway::os::EventLoop::create();
  std::optional<gateway::os::ControlSocket> socket_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("cli: verify --live of what was applied is proved, and of something else it names the difference") {
  live_world::World world;
  (void)world.prove();  // makes the state whole
  const auto good = Gateway(world.state).told({"verify", "--live"});
  INFO(good.out << good.err);
  CHECK(good.status == cli::kFine);
  CHECK(has(good.out, "proved: what is installed is generation 5"));
  world.chain("forward").rules.insert(world.chain("forward").rules.begin(), "accept");
  (void)world.prove();
  const auto open = Gateway(world.state).told({"verify", "--live"});
  CHECK(open.status == cli::kFindings);
  CHECK(has(open.out, "nftables opens: rule added: table inet sekisho, chain forward: \"accept\""));
  CHECK(has(open.out, "what is installed is not what was applied: 1 difference"));
}

TEST_CASE("cli: verify --live of what could not be read is no finding and no proof") {
  live_world::World world;
  std::string why;
  SECTION("a listing that is torn") {
    world.more_tables = "table inet x {\n";
    (void)world.prove();
  }
  SECTION("a kernel that refused") {
    (void)world.prove();
    world.state.kernel.error = "netlink: Permission denied";
    why = "Permission denied";
  }
  const Gateway gateway(world.state);
  const auto text = gateway.told({"verify", "--live"});
  INFO(text.out << text.err);
  CHECK(text.status == cli::kCouldNotRun);
  CHECK(has(text.err, "nothing is known of what is installed"));
  CHECK(has(text.err, why));
  CHECK(text.out.empty());
  const auto json = gateway.told({"verify", "--live", "--json"});
  CHECK(json.status == cli::kCouldNotRun);
  const auto answer = Json::parse(json.out);
  CHECK(answer["ok"] == false);
  CHECK(answer["differences"].empty());
  CHECK(has(answer["proof"]["error"].get<std::string>(), why));
}
