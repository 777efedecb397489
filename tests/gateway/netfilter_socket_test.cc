// Events of the kernel on a netlink socket: nobody else's datagram is one.
#include "gateway/os/netfilter_socket.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>

#include "gateway/os/netlink_socket.h"
#include "tests/gateway/patience.h"

using gateway::os::NetfilterSocket;

namespace {

using Outcome = NetfilterSocket::Read::Outcome;

Outcome next(NetfilterSocket& socket) {
  REQUIRE(gateway::tests::readable(socket.descriptor()));
  const auto read = socket.read();
  REQUIRE(read);
  CHECK(read->datagram.empty() == (read->outcome != Outcome::kDatagram));
  return read->outcome;
}

struct Question {
  nlmsghdr header{sizeof(Question), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
  rtgenmsg body{};
};

}  // namespace

TEST_CASE("netfilter socket: only the kernel may tell us", "[netfilter_socket]") {
  auto own = gateway::os::open_netlink(NETLINK_ROUTE, {}), stranger = gateway::os::open_netlink(NETLINK_ROUTE, {});
  REQUIRE((own && stranger));
  const Question question;
  REQUIRE(send(own->number(), &question, sizeof question, 0) == sizeof question);
  sockaddr_nl address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(own->number(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  NetfilterSocket socket(*std::move(own));
  CHECK(next(socket) == Outcome::kDatagram);  // the answer
  while (socket.read()->outcome == Outcome::kDatagram) {
  }
  REQUIRE(sendto(stranger->number(), &question, sizeof question, 0, reinterpret_cast<const sockaddr*>(&address),
                 sizeof address) == sizeof question);
  CHECK(next(socket) == Outcome::kNothing);
}
