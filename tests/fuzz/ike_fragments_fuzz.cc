// Authenticated fragments of a hostile peer in any order, against a naive model; and messages of any size cut and
// joined again. Operations: message number, fragment number, total, length, octets.
#include <algorithm>
#include <map>

#include "tunnel/ike/fragments.h"
#include "tunnel/wire/reader.h"
#include "tunnel/wire/require.h"

using namespace tunnel::ike;
using tunnel::wire::ConstBytes;
using tunnel::wire::require;

namespace {

using Octets = std::vector<std::uint8_t>;

class CountingRng : public tunnel::crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(++state_);
  }

 private:
  std::uint32_t state_ = 0;
};

// RFC 7383 2.6 once more, as simply as it can be said.
struct Model {
  std::uint32_t id = 0;
  std::uint16_t total = 0;
  std::map<std::uint16_t, Octets> pieces;
  std::size_t size = 0;

  std::optional<Octets> add(std::uint32_t message_id, FragmentHeader f, ConstBytes octets) {
    if (f.number == 0 || f.number > f.total || f.total > 64) return std::nullopt;
    const bool same = total != 0 && message_id == id;
    if (same && (f.total < total || (f.total == total && pieces.contains(f.number)))) return std::nullopt;
    if (!same || f.total > total) *this = {message_id, f.total, {}, 0};
    if (size + octets.size() > 65536) {
      *this = {};
      return std::nullopt;
    }
    pieces[f.number] = {octets.begin(), octets.end()};
    size += octets.size();
    if (pieces.size() < total) return std::nullopt;
    Octets whole;
    for (const auto& [number, piece] : pieces) whole.insert(whole.end(), piece.begin(), piece.end());
    total = 0;
    return whole;
  }
};

void join_any(tunnel::wire::Reader reader) {
  static const Octets filling(16384, 0x5a);
  Joiner joiner;
  Model model;
  while (!reader.rest().empty()) {
    const std::uint32_t id = reader.u8() % 4;
    const FragmentHeader fragment{reader.u8(), reader.u8()};
    const std::size_t length = reader.u8() * 64u % filling.size();
    const ConstBytes octets = ConstBytes(filling).first(length);
    const auto step = joiner.add(id, {{PayloadType::kVendor, octets}, fragment});
    const auto whole = model.add(id, fragment, octets);
    require((step == Joiner::Step::kComplete) == whole.has_value());
    if (whole) require(std::ranges::equal(joiner.content().octets, *whole));
    require(joiner.octets() <= kMaximumJoined);
  }
}

void cut_and_join(tunnel::wire::Reader reader) {
  using namespace tunnel::crypto;
  const bool combined = reader.u8() % 2 == 0;
  const std::size_t limit = reader.u16_be();
  const CipherSuite suite{combined ? Encryption::kAesGcm16 : Encryption::kAesCbc, 256,
                          combined ? Integrity::kNone : Integrity::kHmacSha512_256};
  const Octets key(key_sizes(suite).total(), 0x17);
  SendingCipher sender{std::move(*PacketCipher::make(suite, key)), 0};
  auto receiver = std::move(*PacketCipher::make(suite, key));
  CountingRng rng;
  const ConstBytes content = reader.rest();
  auto datagrams = seal_message({.initiator_spi = 1, .responder_spi = 2, .exchange = Exchange::kAuth},
                                {PayloadType::kVendor, content}, limit, sender, rng);
  if (!datagrams) return;
  require(datagrams->size() <= kMaximumFragments);
  Joiner joiner;
  auto step = Joiner::Step::kIgnored;
  for (Octets& d : *datagrams) {
    require(d.size() <= limit);
    const auto opened = open(d, *parse_message(d, *read_header(d)), receiver);
    require(opened.has_value());
    if (datagrams->size() == 1) return require(std::ranges::equal(opened->content.octets, content));
    step = joiner.add(0, *opened);
  }
  require(step == Joiner::Step::kComplete && std::ranges::equal(joiner.content().octets, content));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 16384) return 0;
  const tunnel::wire::Reader reader({data + 1, size - 1});
  data[0] % 2 == 0 ? join_any(reader) : cut_and_join(reader);
  return 0;
}
