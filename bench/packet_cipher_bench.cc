// Gbit/s of packet protection on one core: each suite on OpenSSL and on the best engine in the same run, and ESP around
// it. Per second of CPU time, not of the clock; the engines take turns, so that what else the machine does hits both,
// and the median of the turns is printed.
//   bench_packet_cipher [SECONDS]     for all of it together (10)
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "tunnel/crypto/packet_cipher.h"
#include "tunnel/esp/inbound_sa.h"
#include "tunnel/esp/outbound_sa.h"

using namespace tunnel::crypto;
using Octets = std::vector<std::uint8_t>;

namespace {

struct Named {
  const char* name;
  CipherSuite suite;
};
constexpr Named kSuites[] = {
    {"AES-128-GCM", {Encryption::kAesGcm16, 128, Integrity::kNone}},
    {"AES-256-GCM", {Encryption::kAesGcm16, 256, Integrity::kNone}},
    {"ChaCha20-Poly1305", {Encryption::kChaCha20Poly1305, 256, Integrity::kNone}},
    {"AES-256-CBC HMAC-SHA-256", {Encryption::kAesCbc, 256, Integrity::kHmacSha256_128}},
    {"AES-256-CBC HMAC-SHA-512", {Encryption::kAesCbc, 256, Integrity::kHmacSha512_256}},
};
constexpr std::size_t kSizes[] = {64, 512, 1424};
constexpr int kTurns = 9;

class FixedRng : public Rng {
 public:
  void fill(std::span<std::uint8_t> out) override { std::ranges::fill(out, ++value_); }

 private:
  std::uint8_t value_ = 0;
};

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// Gbit/s of `packet` done again and again for `time` seconds, each time `octets` of payload.
template <class Work>
double rate(std::size_t octets, double time, Work packet) {
  std::size_t count = 0;
  const double begin = cpu_seconds();
  double end = begin;
  while (end - begin < time) {
    for (int i = 0; i < 256; ++i) packet();
    count += 256;
    end = cpu_seconds();
  }
  return static_cast<double>(count * octets * 8) / (end - begin) / 1e9;
}

double seal_rate(PacketCipher& cipher, std::size_t size, double time) {
  Octets text(size + tag_size(cipher.suite())), header(8, 1);
  std::array<std::uint8_t, 16> iv{};
  return rate(size, time, [&] {
    ++iv[0];
    cipher.seal(std::span(iv).first(explicit_iv_size(cipher.suite())), {header, {}}, text);
  });
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void compare(const Named& named, std::size_t size, double time) {
  const Octets key(key_sizes(named.suite).total(), 7);
  auto slow = PacketCipher::make(named.suite, key, Engine::kOpenSsl), fast = PacketCipher::make(named.suite, key);
  std::vector<double> of_slow, of_fast;
  for (int turn = 0; turn < kTurns; ++turn) {
    of_slow.push_back(seal_rate(*slow, size, time));
    of_fast.push_back(seal_rate(*fast, size, time));
  }
  std::printf("%-26s %5zu octets   OpenSSL %6.2f   %-8s %6.2f Gbit/s\n", named.name, size, median(of_slow),
              fast->engine() == Engine::kIpsecMb ? "ipsec-mb" : "the same", median(of_fast));
}

void esp(const Named& named, std::size_t size, double time) {
  const Octets key(key_sizes(named.suite).total(), 7);
  const tunnel::esp::SaParams params{0x1000, named.suite, key, true};
  auto out = tunnel::esp::OutboundSa::make(params);
  auto in = tunnel::esp::InboundSa::make(params);
  Octets inner(size, 0x45);
  inner[2] = static_cast<std::uint8_t>(size >> 8), inner[3] = static_cast<std::uint8_t>(size);
  Octets packet(tunnel::esp::sealed_size(named.suite, size));
  FixedRng rng;
  std::vector<double> both;
  for (int turn = 0; turn < kTurns; ++turn) {
    both.push_back(rate(size, time, [&] {
      (void)out->seal(inner, packet, rng);
      if (!in->open(packet)) std::abort();
    }));
  }
  std::printf("%-26s %5zu octets   ESP sealed and opened again %6.2f Gbit/s\n", named.name, size, median(both));
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 10;
  const double runs = static_cast<double>(std::size(kSuites) * std::size(kSizes) * 3 * kTurns);
  const double time = seconds / runs;
  for (const Named& named : kSuites) {
    for (const std::size_t size : kSizes) compare(named, size, time);
    for (const std::size_t size : kSizes) esp(named, size, time);
  }
  return 0;
}
