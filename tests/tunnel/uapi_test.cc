// The cross-platform configuration protocol (https://www.wireguard.com/xplatform/): the page's own example, and beside
// each check a request that only it refuses.
#include <catch2/catch.hpp>

#include <string>

#include "tunnel/uapi/request.h"
#include "tunnel/uapi/request_stream.h"
#include "tunnel/uapi/state.h"

namespace {

using namespace tunnel::uapi;

constexpr const char* kPrivate = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
constexpr const char* kPeer = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";

tunnel::wire::WipedOctets octets(const std::string& text) {
  return {text.begin(), text.end()};
}
std::string text_of(const tunnel::wire::WipedOctets& octets) {
  return {octets.begin(), octets.end()};
}

SetRequest good(const std::string& lines) {
  auto parsed = parse(octets("set=1\n" + lines + "\n"));
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<SetRequest>(*parsed));
  return std::get<SetRequest>(*std::move(parsed));
}
// Done when it is taken: then the check that should have refused it is not there.
Status refused(const std::string& lines) {
  const auto parsed = parse(octets("set=1\n" + lines + "\n"));
  return parsed ? Status::kDone : parsed.error();
}
std::string peer(const std::string& lines) {
  return std::string("public_key=") + kPeer + "\n" + lines;
}

}  // namespace

TEST_CASE("uapi: a whole request", "[uapi]") {
  const auto request =
      good(std::string("private_key=") + kPrivate + "\nlisten_port=12912\nfwmark=7\nreplace_peers=true\n" +
           peer("preshared_key=" + std::string(kPrivate) +
                "\nendpoint=[abcd:23::33]:51820\npersistent_keepalive_interval=25\n"
                "replace_allowed_ips=true\nprotocol_version=1\nallowed_ip=192.168.4.4/32\n"
                "allowed_ip=-fd00::/8\n") +
           peer("update_only=true\nremove=true\n"));
  REQUIRE(request.private_key);
  CHECK(request.private_key->expose()[0] == 0xe8);
  CHECK(request.private_key->expose()[31] == 0x7a);
  CHECK(request.listen_port == 12912);
  CHECK(request.fwmark == 7u);
  CHECK(request.replace_peers);
  REQUIRE(request.peers.size() == 2);
  const PeerChange& first = request.peers[0];
  CHECK(first.public_key[0] == 0xb8);
  CHECK(first.preshared_key);
  CHECK(first.endpoint->to_string() == "[abcd:23::33]:51820");
  CHECK(first.persistent_keepalive == 25);
  CHECK(first.replace_allowed_ips);
  CHECK_FALSE((first.remove || first.update_only));
  REQUIRE(first.allowed_ips.size() == 2);
  CHECK(first.allowed_ips[0].prefix.to_string() == "192.168.4.4/32");
  CHECK_FALSE(first.allowed_ips[0].remove);
  CHECK(first.allowed_ips[1].remove);
  CHECK((request.peers[1].remove && request.peers[1].update_only));
}

TEST_CASE("uapi: what is not given stays as it is", "[uapi]") {
  const auto request = good(peer(""));
  CHECK_FALSE((request.private_key || request.listen_port || request.fwmark || request.replace_peers));
  const PeerChange& change = request.peers[0];
  CHECK_FALSE((change.preshared_key || change.endpoint || change.persistent_keepalive || change.replace_allowed_ips));
}

TEST_CASE("uapi: host bits are zeroed, hexadecimal may be upper case", "[uapi]") {
  CHECK(good(peer("allowed_ip=10.1.2.3/8\n")).peers[0].allowed_ips[0].prefix.to_string() == "10.0.0.0/8");
  CHECK(good(peer("allowed_ip=2001:db8::1/32\n")).peers[0].allowed_ips[0].prefix.to_string() == "2001:db8::/32");
  CHECK(good("private_key=" + std::string(62, '0') + "aB\n").private_key->expose()[31] == 0xab);
}

TEST_CASE("uapi: prefixes given before replace_allowed_ips are replaced too", "[uapi]") {
  const auto request = good(peer("allowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=11.0.0.0/8\n"));
  REQUIRE(request.peers[0].allowed_ips.size() == 1);
}

TEST_CASE("uapi: each wrong value is EINVAL", "[uapi]") {
  const std::string zeros(64, '0');
  for (const std::string& lines : {std::string("private_key=00\n"),
                                   "private_key=" + zeros + "0\n",
                                   "private_key=g" + zeros.substr(1) + "\n",
                                   std::string("listen_port=65536\n"),
                                   std::string("listen_port=\n"),
                                   std::string("listen_port=-1\n"),
                                   std::string("listen_port=+1\n"),
                                   std::string("listen_port=1 \n"),
                                   std::string("fwmark=4294967296\n"),
                                   std::string("fwmark=0x1\n"),
                                   std::string("fwmark=\n"),
                                   std::string("replace_peers=false\n"),
                                   std::string("unknown=1\n"),
                                   std::string("remove=true\n"),
                                   std::string("endpoint=192.0.2.1:1\n"),
                                   std::string("public_key=00\n"),
                                   peer("listen_port=1\n"),
                                   peer("private_key=" + zeros + "\n"),
                                   peer("unknown=1\n"),
                                   peer("remove=false\n"),
                                   peer("update_only=\n"),
                                   peer("replace_allowed_ips=1\n"),
                                   peer("preshared_key=1\n"),
                                   peer("endpoint=192.0.2.1\n"),
                                   peer("endpoint=192.0.2.1:65536\n"),
                                   peer("endpoint=2001:db8::1:5\n"),
                                   peer("endpoint=[192.0.2.1]:5\n"),
                                   peer("endpoint=host.example:5\n"),
                                   peer("endpoint=[fe80::1%eth0]:5\n"),
                                   peer("persistent_keepalive_interval=65536\n"),
                                   peer("persistent_keepalive_interval=off\n"),
                                   peer("allowed_ip=10.0.0.0\n"),
                                   peer("allowed_ip=10.0.0.0/33\n"),
                                   peer("allowed_ip=10.0.0.0/\n"),
                                   peer("allowed_ip=10.0.0.0/-1\n"),
                                   peer("allowed_ip=::/129\n"),
                                   peer("allowed_ip=--10.0.0.0/8\n"),
                                   peer("allowed_ip=10.0.0.0/8,\n"),
                                   peer("protocol_version=2\n")}) {
    CAPTURE(lines);
    CHECK(refused(lines) == Status::kInvalid);
  }
}

TEST_CASE("uapi: a line that is none, and an operation that is none, are EPROTO", "[uapi]") {
  CHECK(refused("listen_port\n") == Status::kProtocol);
  for (const char* text : {"", "\n", "get\n\n", "get=2\n\n", "set=2\n\n", "set=1 \n\n", "listen_port=1\n\n"}) {
    CAPTURE(text);
    const auto parsed = parse(octets(text));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == Status::kProtocol);
  }
  CHECK(std::holds_alternative<GetRequest>(*parse(octets("get=1\n\n"))));
  CHECK(parse(octets("get=1\nlisten_port=1\n\n")).error() == Status::kInvalid);
}

TEST_CASE("uapi: the last line decides also when it comes after good ones", "[uapi]") {
  CHECK(refused("listen_port=1\n" + peer("allowed_ip=10.0.0.0/8\nallowed_ip=10.0.0.0/99\n")) == Status::kInvalid);
}

TEST_CASE("uapi: a stream is cut at blank lines, however it comes", "[uapi]") {
  const std::string text = "get=1\n\nset=1\nlisten_port=1\n\n\nset=1\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    RequestStream stream;
    std::vector<std::string> requests;
    for (std::size_t at = 0; at < text.size(); at += step) {
      stream.add(octets(text.substr(at, step)));
      while (auto request = stream.next()) requests.push_back(text_of(*request));
    }
    CHECK(requests == std::vector<std::string>{"get=1\n\n", "set=1\nlisten_port=1\n\n", "\n"});
    CHECK(stream.begun());
    CHECK_FALSE(stream.whole());
    CHECK(text_of(stream.take_rest()) == "set=1\n");
    CHECK_FALSE(stream.begun());
  }
}

TEST_CASE("uapi: a request that does not end is too long at last, one that ends is not", "[uapi]") {
  RequestStream stream;
  stream.add(tunnel::wire::WipedOctets(RequestStream::kLongest, 'x'));
  CHECK_FALSE(stream.overlong());
  stream.add(octets("x"));
  CHECK(stream.overlong());
  stream.add(octets("\n\n"));
  CHECK_FALSE(stream.overlong());
}

TEST_CASE("uapi: the answer to a get", "[uapi]") {
  InterfaceState state;
  CHECK(text_of(to_text(state)) == "errno=0\n\n");
  CHECK(text_of(to_text(Status::kInvalid)) == "errno=-22\n\n");
  CHECK(text_of(to_text(Status::kProtocol)) == "errno=-71\n\n");
  CHECK(text_of(to_text(Status::kPortInUse)) == "errno=-98\n\n");
  state.private_key.fill()[0] = 0xe8;
  state.listen_port = 51820, state.fwmark = 9;
  PeerState& told = state.peers.emplace_back();
  told.public_key[31] = 0x0f;
  told.endpoint = *tunnel::wire::SocketAddress::parse("[2001:db8::1]:7");
  told.last_handshake = tunnel::wire::WallTime(std::chrono::milliseconds(1'500));
  told.sent_bytes = 18'446'744'073'709'551'615u, told.received_bytes = 2, told.persistent_keepalive = 25;
  told.allowed_ips = {*tunnel::wire::Prefix::parse("10.0.0.0/8"), *tunnel::wire::Prefix::parse("::/0")};
  const std::string zeros(62, '0');
  CHECK(text_of(to_text(state)) ==
        "private_key=e8" + zeros + "\nlisten_port=51820\nfwmark=9\npublic_key=" + zeros + "0f\npreshared_key=" + zeros +
            "00\nprotocol_version=1\nendpoint=[2001:db8::1]:7\nlast_handshake_time_sec=1\n"
            "last_handshake_time_nsec=500000000\ntx_bytes=18446744073709551615\nrx_bytes=2\n"
            "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\nerrno=0\n\n");
}
