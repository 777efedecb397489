// The SA payload (RFC 7296 3.3): proposals, transforms, attributes. What is wanted of them is negotiation.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tunnel/crypto/suite.h"
#include "tunnel/ike/message.h"

namespace tunnel::ike {

inline constexpr std::size_t kMaximumProposals = 32;
inline constexpr std::size_t kMaximumTransforms = 64;  // in one proposal

enum class Protocol : std::uint8_t { kNone = 0, kIke = 1, kAh = 2, kEsp = 3 };  // also in Notify and Delete

enum class TransformType : std::uint8_t {
  kEncryption = 1,
  kPrf = 2,
  kIntegrity = 3,
  kKeyExchange = 4,
  kSequenceNumbers = 5,
};

inline constexpr std::uint16_t kNoEsn = 0, kEsn = 1;  // ids of kSequenceNumbers

struct Transform {
  TransformType type = TransformType::kEncryption;  // may be a number that is not named above
  std::uint16_t id = 0;
  std::uint16_t key_bits = 0;  // Key Length attribute; 0: not given
  // RFC 7296 3.3.6: false: an attribute we do not know; this transform cannot be chosen, its siblings can.
  bool understood = true;
  friend constexpr bool operator==(const Transform&, const Transform&) = default;
};

// 0, 4 (ESP) or 8 (IKE, rekeying) octets.
class ProposalSpi {
 public:
  constexpr ProposalSpi() = default;
  static ProposalSpi esp(std::uint32_t spi);
  static ProposalSpi ike(Spi spi);
  static ProposalSpi of(wire::ConstBytes octets);  // at most 8
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] wire::ConstBytes octets() const { return wire::ConstBytes(octets_).first(size_); }
  [[nodiscard]] std::uint64_t number() const;  // big-endian value of the octets
  friend constexpr bool operator==(const ProposalSpi&, const ProposalSpi&) = default;

 private:
  std::array<std::uint8_t, 8> octets_{};
  std::uint8_t size_ = 0;
};

struct Proposal {
  std::uint8_t number = 1;
  Protocol protocol = Protocol::kIke;
  ProposalSpi spi;
  std::vector<Transform> transforms;
  friend bool operator==(const Proposal&, const Proposal&) = default;
};

// Body of an SA payload. Checked: all lengths and counts, numbers consecutive, SPI size 0 or 8 for IKE, 4 for ESP and
// AH, never zero. A proposal of an unknown protocol is skipped.
[[nodiscard]] Result<std::vector<Proposal>, ParseFailure> parse_proposals(wire::ConstBytes body);
// Appends an SA payload. At most kMaximumProposals.
void append(Chain& chain, std::span<const Proposal> proposals);

// The number of our suite.h enums as a transform.
[[nodiscard]] Transform transform(crypto::Encryption encryption, std::uint16_t key_bits);
[[nodiscard]] Transform transform(crypto::Integrity integrity);
[[nodiscard]] Transform transform(crypto::Prf prf);
[[nodiscard]] Transform transform(crypto::Group group);

}  // namespace tunnel::ike
