// The real sekisho-tunneld with this test as its supervisor and its accessd: what it takes over and what it refuses.
// It must be built beside this program.
#include <poll.h>
#include <sys/socket.h>

#include "gateway/os/child_process.h"
#include "gateway/os/message_channel.h"
#include "gateway/os/outside_socket.h"
#include "gateway/os/tun_device.h"
#include "policy/plan.h"
#include "tests/gateway/network_namespace.h"
#include "tests/gateway/patience.h"

namespace gateway::tests {
namespace {

using core::MessageType;
using core::ProcessRole;
using os::FileDescriptor;
using os::MessageChannel;

class Tunneld {
 public:
  Tunneld() {
    auto supervisor = MessageChannel::pair(), accessd = MessageChannel::pair();
    REQUIRE((supervisor && accessd));
    auto program = os::own_program_folder();
    REQUIRE(program);
    auto started = os::ChildProcess::start({*program + "/sekisho-tunneld"}, {}, supervisor->second.number());
    REQUIRE(started);
    process_ = *std::move(started);
    supervisor_ = MessageChannel(std::move(supervisor->first));
    accessd_ = MessageChannel(std::move(accessd->first));
    const std::array end{accessd->second.number()};
    REQUIRE(supervisor_.send(MessageType::kPeerChannel, core::PeerChannel{ProcessRole::kAccessd}, end));
  }
  ~Tunneld() {
    process_.kill();
    process_.reap();
  }
  Tunneld(const Tunneld&) = delete;
  Tunneld& operator=(const Tunneld&) = delete;

  core::TunnelsConfigured configure(const std::vector<core::BoundSocket>& said, std::span<const int> descriptors) {
    core::ConfigureTunnels request;
    request.generation = {++generation_};
    request.plan.gateway_key = "gateway.key";
    request.sockets = said;
    REQUIRE(accessd_.send(MessageType::kConfigureTunnels, request, descriptors));
    while (readable(accessd_.descriptor())) {
      const auto messages = accessd_.receive();
      REQUIRE(messages);
      for (const auto& message : *messages) {
        if (message.type != MessageType::kTunnelsConfigured) continue;
        const auto answer = core::decode<core::TunnelsConfigured>(message.payload);
        REQUIRE(answer);
        CHECK(answer->generation.number == generation_);
        return *answer;
      }
    }
    FAIL("tunneld did not answer");
    return {};
  }

 private:
  os::ChildProcess process_;
  MessageChannel supervisor_, accessd_;
  std::uint64_t generation_ = 0;
};

core::BoundSocket bound(const FileDescriptor& socket) {
  const auto address = os::bound_address(socket.number());
  REQUIRE(address);
  return {*address};
}

}  // namespace

TEST_CASE("tunneld: takes the sockets that are bound to what they are said to be, and no others", "[osn]") {
  const NetworkNamespace space;
  const auto tun = os::open_tun(policy::kTunnelInterface);
  const auto loopback = config::value::IpAddress::v4({127, 0, 0, 1});
  const auto one = os::bind_outside({loopback, 0}), other = os::bind_outside({loopback, 0});
  const FileDescriptor unbound(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE((tun && one && other && unbound.valid()));
  Tunneld tunneld;
  const auto refused = [&](const std::vector<core::BoundSocket>& said, const std::vector<int>& given) {
    const auto answer = tunneld.configure(said, given);
    CHECK_FALSE(answer.good);
    return answer.error;
  };
  const std::string wrong = "a socket is not bound to " + bound(*one).address.to_string();
  CHECK(refused({}, {}) == "no descriptors were handed over");
  CHECK(refused({bound(*one)}, {tun->number()}) == "the descriptors are not those named");
  CHECK(refused({bound(*one)}, {tun->number(), other->number()}) == wrong);
  CHECK(refused({bound(*one)}, {tun->number(), unbound.number()}) == wrong);
  CHECK(refused({bound(*one)}, {tun->number(), tun->number()}) == wrong);
  CHECK(refused({bound(*other), bound(*one)}, {tun->number(), other->number(), other->number()}) == wrong);
  const auto taken =
      tunneld.configure({{bound(*one), bound(*other)}}, std::array{tun->number(), one->number(), other->number()});
  INFO(taken.error);
  CHECK(taken.good);
  CHECK(refused({bound(*one)}, {tun->number(), other->number()}) == wrong);
  CHECK(tunneld.configure({}, {}).good);  // those of before are still there
}

}  // namespace gateway::tests
