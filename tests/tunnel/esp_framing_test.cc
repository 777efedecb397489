// RFC 3948: what a datagram on UDP 4500 is.
#include <catch2/catch.hpp>

#include <vector>

#include "tunnel/esp/udp_framing.h"

using namespace tunnel::esp;

namespace {

using Octets = std::vector<std::uint8_t>;

Framed kind(Octets datagram) {
  return unframe(datagram).kind;
}

}  // namespace

TEST_CASE("RFC 3948 2.1, 2.2: an SPI is ESP, four zero octets are IKE") {
  Octets esp{0, 0, 1, 0, 0, 0, 0, 1}, ike{0, 0, 0, 0, 0xaa, 0xbb};
  CHECK(unframe(esp).kind == Framed::kEsp);
  CHECK(unframe(esp).bytes.data() == esp.data());
  CHECK(unframe(esp).bytes.size() == esp.size());
  CHECK(unframe(ike).kind == Framed::kIke);
  CHECK(unframe(ike).bytes.data() == ike.data() + 4);
  CHECK(unframe(ike).bytes.size() == 2);
  CHECK(kind({0, 0, 0, 0}) == Framed::kIke);
  CHECK(kind({0, 0, 0, 1}) == Framed::kEsp);
}

TEST_CASE("RFC 3948 2.3: one octet 0xff and nothing else is a keepalive") {
  CHECK(kind({0xff}) == Framed::kKeepalive);
  CHECK(kind({0xfe}) == Framed::kMalformed);
  CHECK(kind({0xff, 0xff}) == Framed::kMalformed);
  CHECK(kind({0xff, 0xff, 0xff, 0xff}) == Framed::kEsp);
  CHECK(kind({}) == Framed::kMalformed);
  CHECK(kind({0, 0, 0}) == Framed::kMalformed);
}

TEST_CASE("an SPI needs four octets") {
  CHECK(spi_of(Octets{1, 2, 3, 4, 5}) == 0x01020304u);
  CHECK_FALSE(spi_of(Octets{1, 2, 3}).has_value());
}
