// tunnel/esp on standard input and output, so that other implementations can be set against it (esp_scapy_check.py).
//   seal ENCRYPTION BITS INTEGRITY ESN SPI SENT KEY INNER      -> the packet
//   open ENCRYPTION BITS INTEGRITY ESN SPI 0 KEY PACKET...     -> what came out of each, or "replay", "forged",
//   "refused" unframe DATAGRAM                                           -> "esp", "ike", "keepalive" or "malformed",
//   and the rest
// Octets are hexadecimal ("-": none), numbers decimal. A line that makes no SA is answered with "error".
#include <iostream>
#include <sstream>

#include <sodium.h>

#include "tests/vectors/hex.h"
#include "tunnel/esp/inbound_sa.h"
#include "tunnel/esp/outbound_sa.h"
#include "tunnel/esp/udp_framing.h"

using namespace tunnel::esp;
using Octets = std::vector<std::uint8_t>;

namespace {

class SystemRng : public tunnel::crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override { randombytes_buf(out.data(), out.size()); }
};

struct Request {
  Octets key;
  SaParams params;
  std::uint64_t sent = 0;
};

std::string hex_of(std::span<const std::uint8_t> octets) {
  std::string text(octets.size() * 2 + 1, 0);
  sodium_bin2hex(text.data(), text.size(), octets.data(), octets.size());
  text.pop_back();
  return text.empty() ? "-" : text;
}

std::string name_of(tunnel::wire::Drop reason) {
  if (reason == tunnel::wire::Drop::kReplay) return "replay";
  return reason == tunnel::wire::Drop::kForged ? "forged" : "refused";
}

Octets octets_from(std::istream& words) {
  std::string word;
  words >> word;
  return word == "-" ? Octets{} : vectors::hex(word);
}

Request request_from(std::istream& words) {
  unsigned encryption = 0, bits = 0, integrity = 0, extended = 0;
  Request request;
  words >> encryption >> bits >> integrity >> extended >> request.params.spi >> request.sent;
  request.params.suite = {static_cast<tunnel::crypto::Encryption>(encryption), static_cast<std::uint16_t>(bits),
                          static_cast<tunnel::crypto::Integrity>(integrity)};
  request.params.extended = extended != 0;
  request.key = octets_from(words);
  request.params.key = request.key;
  return request;
}

std::string seal(std::istream& words) {
  const Request request = request_from(words);
  const Octets inner = octets_from(words);
  auto sa = OutboundSa::make(request.params, request.sent);
  if (!sa) return "error";
  SystemRng rng;
  Octets packet(sealed_size(sa->suite(), inner.size()));
  if (sa->seal(inner, packet, rng) != OutboundSa::Outcome::kSealed) return "error";
  return hex_of(packet);
}

std::string open(std::istream& words) {
  const Request request = request_from(words);
  auto sa = InboundSa::make(request.params);
  if (!sa) return "error";
  std::string answer;
  for (std::string word; words >> word;) {
    Octets packet = vectors::hex(word);
    if (spi_of(packet) != request.params.spi) return "error";
    const auto opened = sa->open(packet);
    if (!answer.empty()) answer += ' ';
    answer += opened ? hex_of(*opened) : name_of(opened.error());
  }
  return answer;
}

std::string unframe(std::istream& words) {
  static constexpr const char* kNames[] = {"esp", "ike", "keepalive", "malformed"};
  Octets datagram = octets_from(words);
  const FramedBytes framed = tunnel::esp::unframe(datagram);
  return std::string(kNames[static_cast<std::size_t>(framed.kind)]) + " " + hex_of(framed.bytes);
}

}  // namespace

int main() {
  if (sodium_init() < 0) return 2;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    std::cout << (verb == "seal"      ? seal(words)
                  : verb == "open"    ? open(words)
                  : verb == "unframe" ? unframe(words)
                                      : "error")
              << std::endl;
  }
  return 0;
}
