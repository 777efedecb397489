// Helpers of the IKE parser tests: octets of one payload, recorded conversations, scripted randomness.
#pragma once

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/vectors/hex.h"
#include "tunnel/crypto/rng.h"
#include "tunnel/ike/encrypted.h"
#include "tunnel/ike/message.h"

namespace ike_test {

using Octets = std::vector<std::uint8_t>;
using namespace tunnel::ike;
using tunnel::wire::ConstBytes;
using tunnel::wire::Writer;

inline Octets hex(std::string_view text) {
  return vectors::hex(text);
}
inline Octets copy(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}
inline Octets ascii(std::string_view text) {
  return {text.begin(), text.end()};
}

// Counts up: never the same octets twice, the same in every run.
class CountingRng : public tunnel::crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(++state_ * 167 >> 3);
  }

 private:
  std::uint32_t state_ = 0;
};

// What `write` appended to a chain, without the generic header of its only payload.
template <class Write>
Octets body_of(Write&& write) {
  Octets buffer(4096);
  Writer writer(buffer);
  Chain chain(writer);
  write(chain);
  chain.end();
  return copy(writer.written().subspan(kGenericHeaderSize));
}

// A conversation of tests/vectors/ike_strongswan.txt.
struct Recorded {
  struct Message {
    bool from_initiator;
    Octets octets;
  };
  tunnel::crypto::CipherSuite suite;
  std::map<std::string, Octets> keys;
  std::vector<Message> messages;

  [[nodiscard]] tunnel::crypto::PacketCipher cipher(bool from_initiator) const {
    const std::string end = from_initiator ? "i" : "r";
    Octets material = keys.at("e" + end);
    if (const auto found = keys.find("a" + end); found != keys.end()) {
      material.insert(material.end(), found->second.begin(), found->second.end());
    }
    return std::move(*tunnel::crypto::PacketCipher::make(suite, material));
  }
};

inline std::map<std::string, Recorded> recorded() {
  std::ifstream file(SEKISHO_SOURCE_DIR "/tests/vectors/ike_strongswan.txt");
  std::map<std::string, Recorded> all;
  for (std::string name, text; file >> name >> text;) {
    Recorded& one = all[name.substr(0, name.find('.'))];
    const std::string rest = name.substr(name.find('.') + 1);
    if (rest == "suite") {
      const auto first = text.find(','), second = text.rfind(',');
      one.suite.encryption = tunnel::crypto::Encryption(std::stoi(text.substr(0, first)));
      one.suite.key_bits = static_cast<std::uint16_t>(std::stoi(text.substr(first + 1, second - first - 1)));
      one.suite.integrity = tunnel::crypto::Integrity(std::stoi(text.substr(second + 1)));
    } else if (rest.size() == 2) {
      one.keys[rest] = hex(text);
    } else {
      one.messages.push_back({rest.back() == 'i', hex(text)});
    }
  }
  return all;
}

}  // namespace ike_test
