// The control socket: who asks is told by the kernel, long and slow clients are closed, several are served.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

#include "gateway/os/clock.h"
#include "gateway/os/control_socket.h"
#include "gateway/os/memory_file.h"

using namespace gateway::os;

namespace {

constexpr std::uint32_t kToken = 18;

struct Server {
  std::string folder;
  EventLoop loop = *EventLoop::create();
  std::optional<ControlSocket> socket;
  std::vector<ControlSocket::Request> requests;
  std::vector<std::uint64_t> lost;
  Server() {
    char name[] = "/tmp/acd-control-XXXXXX";
    folder = mkdtemp(name);
    socket = std::move(*ControlSocket::create(path(), kToken, loop));
  }
  ~Server() { std::filesystem::remove_all(folder); }
  [[nodiscard]] std::string path() const { return folder + "/control.sock"; }
  void turn(int times = 8) {
    for (int i = 0; i < times; ++i) {
      const auto now = boot_now();
      for (const auto& ready : loop.wait(now + std::chrono::milliseconds(20)))
        socket->on_ready(ready, now, loop, requests, lost);
    }
  }
};

}  // namespace

TEST_CASE("control: the socket is not open to others, and the actor is the kernel's word") {
  Server server;
  struct stat facts{};
  REQUIRE(stat(server.path().c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0660);
  auto client = ControlClient::connect(server.path());
  REQUIRE(client);
  REQUIRE(client->send("{\"actor\":\"uid 12345\"}\n"));
  server.turn();
  REQUIRE(server.requests.size() == 1);
  CHECK(server.requests[0].actor.starts_with("uid " + std::to_string(getuid())));
  CHECK(server.requests[0].actor.ends_with("pid " + std::to_string(getpid())));
  server.socket->send(server.requests[0].client, "answer\n", server.loop);
  CHECK(client->receive(2) == "answer");
}

TEST_CASE("control: an open file comes with its line, and nobody can change it any more") {
  Server server;
  auto client = ControlClient::connect(server.path());
  REQUIRE(client->send("{}\n"));
  server.turn();
  REQUIRE(server.requests.size() == 1);
  const std::vector<std::uint8_t> octets(3'000'000, 7);
  const auto file = memory_file("test", octets);
  REQUIRE(file);
  server.socket->send_with(server.requests[0].client, "answer\n", *file, server.loop);
  CHECK(client->receive(2) == "answer");
  const auto given = client->take_file();
  REQUIRE(given.valid());
  CHECK_FALSE(client->take_file().valid());
  CHECK(read_memory_file(given, octets.size()) == octets);
  CHECK_FALSE(read_memory_file(given, octets.size() - 1));
  CHECK(write(given.number(), "x", 1) < 0);
  CHECK(ftruncate(given.number(), 0) < 0);
}

TEST_CASE("control: a request without end is closed at the cap") {
  Server server;
  auto client = ControlClient::connect(server.path());
  REQUIRE(client->send(std::string(ControlSocket::kLongestRequest + 1, 'x')));
  server.turn(40);
  CHECK(server.requests.empty());
  CHECK(server.lost.size() == 1);
  CHECK_FALSE(client->receive(2));
}

TEST_CASE("control: a silent client is closed, one that waits is kept") {
  Server server;
  auto silent = ControlClient::connect(server.path()), waits = ControlClient::connect(server.path());
  REQUIRE(waits->send("ask\n"));
  server.turn();
  REQUIRE(server.requests.size() == 1);
  server.socket->keep(server.requests[0].client, true);
  server.socket->on_deadline(boot_now() + ControlSocket::kIdleTime, server.loop, server.lost);
  CHECK(server.lost.size() == 1);
  server.socket->send(server.requests[0].client, "late\n", server.loop);
  CHECK(waits->receive(2) == "late");
}

TEST_CASE("control: more clients than places are turned away, the others served") {
  Server server;
  std::vector<ControlClient> clients;
  for (std::size_t i = 0; i < ControlSocket::kMostClients + 1; ++i) {
    auto client = ControlClient::connect(server.path());
    REQUIRE(client);
    clients.push_back(std::move(*client));
    server.turn(1);
  }
  const auto turned_away = clients.back().receive(5);
  REQUIRE_FALSE(turned_away);
  CHECK(turned_away.error().number == 0);  // closed, not left to wait
  REQUIRE(clients.front().send("ask\n"));
  server.turn();
  CHECK(server.requests.size() == 1);
}
