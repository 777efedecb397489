// Addresses, prefixes and ports: text forms in and out, containment at the borders.
#include <catch2/catch.hpp>

#include "config/value/address.h"
#include "config/value/port.h"

using namespace config::value;

namespace {
IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
Prefix net(std::string_view text) {
  return Prefix::parse(text).value();
}
}  // namespace

TEST_CASE("addresses print as RFC 5952 says") {
  // RFC 5952 4: leading zeros, shortening, the longest run, the first of equals, lower case
  const std::pair<const char*, const char*> cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:DB8::ABCD", "2001:db8::abcd"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
      {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
  };
  for (const auto& [in, out] : cases) {
    CAPTURE(in);
    CHECK(ip(in).to_string() == out);
    CHECK(ip(ip(in).to_string()) == ip(in));
  }
}

TEST_CASE("what is not an address is refused") {
  const auto text = GENERATE(
      "", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "+1.2.3.4", "1.2.3.-4", ":", ":::", "1:::2",
      "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "1:2:3:4:5:6:7::8", "fe80::1%eth0", "::1.2.3",
      "1.2.3.4::", "::1.2.3.4:5", "1:2", ":1:2:3:4:5:6:7", "0x10::", "-1::", "::+1", "localhost", "1.2.3.4/24");
  CAPTURE(text);
  CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("prefixes") {
  CHECK(net("10.1.0.0/24").to_string() == "10.1.0.0/24");
  CHECK(net("10.80.0.10").to_string() == "10.80.0.10/32");
  CHECK(net("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
  CHECK_FALSE(net("2001:db8::/33").contains(ip("2001:db8:8000::1")));
  CHECK(net("10.1.0.0/23").contains(ip("10.1.1.255")));
  CHECK_FALSE(net("10.1.0.0/23").contains(ip("10.1.2.0")));
  CHECK_FALSE(net("0.0.0.0/0").contains(ip("::")));
  CHECK(net("0.0.0.0/0").contains(net("10.0.0.0/8")));
  CHECK_FALSE(net("10.0.0.0/8").contains(net("0.0.0.0/0")));
  CHECK(net("10.0.0.0/8").overlaps(net("0.0.0.0/0")));
  CHECK_FALSE(net("10.0.0.0/9").overlaps(net("10.128.0.0/9")));
  CHECK(Prefix::parse("10.1.0.5/24").error().find("10.1.0.0/24") != std::string::npos);
  const auto text = GENERATE("10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "/8");
  CHECK_FALSE(Prefix::parse(text));
}

TEST_CASE("translation keeps the host number") {
  CHECK(translate(ip("192.168.1.5"), net("192.168.1.0/24"), net("100.64.1.0/24")) == ip("100.64.1.5"));
  CHECK(translate(ip("10.0.5.255"), net("10.0.4.0/22"), net("100.64.8.0/22")) == ip("100.64.9.255"));
  CHECK(translate(ip("fd00::5"), net("fd00::/64"), net("2001:db8:1::/64")) == ip("2001:db8:1::5"));
}

TEST_CASE("kinds of addresses") {
  CHECK(ip("224.0.0.1").is_multicast());
  CHECK(ip("239.255.255.255").is_multicast());
  CHECK_FALSE(ip("240.0.0.1").is_multicast());
  CHECK(ip("ff02::1").is_multicast());
  CHECK(ip("127.1.2.3").is_loopback());
  CHECK(ip("::1").is_loopback());
  CHECK_FALSE(ip("::2").is_loopback());
  CHECK_FALSE(ip("1::1").is_loopback());
  CHECK(ip("169.254.0.1").is_link_local());
  CHECK(ip("febf::1").is_link_local());
  CHECK_FALSE(ip("fec0::1").is_link_local());
  CHECK(ip("::").is_unspecified());
  CHECK_FALSE(ip("::1").is_unspecified());
}

TEST_CASE("socket addresses") {
  CHECK(SocketAddress::parse("198.51.100.7:51820")->to_string() == "198.51.100.7:51820");
  CHECK(SocketAddress::parse("[2001:db8::1]:1")->to_string() == "[2001:db8::1]:1");
  const auto text = GENERATE("198.51.100.7", "198.51.100.7:0", "198.51.100.7:65536", "2001:db8::1:51820", "[1.2.3.4]:5",
                             ":5", "[]:5", "1.2.3.4:", "[2001:db8::1]", "host:5", "1.2.3.4:05");
  CAPTURE(text);
  CHECK_FALSE(SocketAddress::parse(text));
}

TEST_CASE("service ports") {
  CHECK(ServicePort::parse("tcp/443")->to_string() == "tcp/443");
  CHECK(ServicePort::parse("udp/5000-5010")->to_string() == "udp/5000-5010");
  CHECK(ServicePort::parse("icmp")->to_string() == "icmp");
  CHECK(ServicePort::parse("udp/5000-5010")->contains(IpProtocol::kUdp, 5010));
  CHECK_FALSE(ServicePort::parse("udp/5000-5010")->contains(IpProtocol::kUdp, 5011));
  CHECK_FALSE(ServicePort::parse("udp/5000-5010")->contains(IpProtocol::kTcp, 5005));
  const auto text = GENERATE("", "443", "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/-1", "tcp/5-4", "tcp/1-", "sctp/1",
                             "TCP/443", "tcp/443 ", "tcp/1-2-3", "icmp/8", "tcp/ 443");
  CAPTURE(text);
  CHECK_FALSE(ServicePort::parse(text));
}
