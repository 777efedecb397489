// Initiations we have already judged as authentic, found again by their ephemeral key before any Diffie-Hellman: a
// replay costs a look-up instead of two. Only authentic ones come in, so a stranger cannot push them out; what has left
// is still refused by its timestamp (WireGuard 5.1), at the full price. Not secret: the key stands open in the message.
#pragma once

#include <memory>

#include "tunnel/wire/reader.h"
#include "tunnel/wireguard/messages.h"

namespace tunnel::wireguard {

class SeenInitiations {
 public:
  static constexpr std::size_t kPlaces = 16'384;  // one a key's first octets choose; 512 KiB, taken with the first

  void add(const Key32& ephemeral) {
    if (!places_) places_ = std::make_unique<Places>();
    (*places_)[place_of(ephemeral)] = ephemeral;
  }
  [[nodiscard]] bool contains(const Key32& ephemeral) const {
    return places_ && (*places_)[place_of(ephemeral)] == ephemeral && ephemeral != Key32{};
  }

 private:
  using Places = std::array<Key32, kPlaces>;
  static std::size_t place_of(const Key32& ephemeral) { return wire::Reader(ephemeral).u64_le() % kPlaces; }
  std::unique_ptr<Places> places_;
};

}  // namespace tunnel::wireguard
