// The primitives against published vectors; where none exist for a parameter, against Python's hashlib and hmac.
#include <catch2/catch.hpp>
#include <numeric>

#include "tests/sim/nodes.h"
#include "tests/vectors/hex.h"
#include "tunnel/crypto/aead.h"

using namespace tunnel::crypto;
using vectors::hex;
using vectors::hex_array;

namespace {

std::vector<std::uint8_t> counting(std::size_t size) {
  std::vector<std::uint8_t> octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i);
  return octets;
}

template <class Range>
std::vector<std::uint8_t> copy(const Range& range) {
  return {range.begin(), range.end()};
}

// RFC 8439 A.5.
const char* const kKey = "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0";
const char* const kSealed =
    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4"
    "f03b7f"
    "355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a"
    "7c02b0"
    "f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d"
    "072b04"
    "b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77"
    "987130"
    "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38";
constexpr std::uint64_t kCounter = 0x0807060504030201;  // its nonce is 00000000 0102030405060708

}  // namespace

TEST_CASE("RFC 7748 5.2 and 6.1: X25519") {
  const auto product = x25519(hex_array<32>("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                              hex_array<32>("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  REQUIRE(product);
  CHECK(copy(product->expose()) == hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
  const auto bob = hex_array<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  CHECK(copy(x25519_public(bob)) == hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
  const auto shared = x25519(bob, hex_array<32>("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
  REQUIRE(shared);
  CHECK(copy(shared->expose()) == hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
}

TEST_CASE("RFC 7748 6.1: every low-order point is refused") {
  const auto secret = hex_array<32>("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  for (const char* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    INFO(point);
    CHECK_FALSE(x25519(secret, hex_array<32>(point)).has_value());
  }
}

TEST_CASE("RFC 8439 A.5: ChaCha20-Poly1305") {
  Aead aead(GENERATE(Engine::kOpenSsl, Engine::kIpsecMb));
  const auto key = hex_array<32>(kKey);
  const auto additional = hex("f33388860000000000004e91");
  auto buffer = hex(kSealed);
  REQUIRE(aead.open(key, kCounter, additional, buffer));
  const std::string text(buffer.begin(), buffer.end() - kTagSize);
  CHECK(text.starts_with("Internet-Drafts are draft documents valid for a maximum of six months"));
  aead.seal(key, kCounter, additional, buffer);
  CHECK(buffer == hex(kSealed));
}

TEST_CASE("ChaCha20-Poly1305 refuses any single changed bit, key, counter and additional data") {
  Aead aead(GENERATE(Engine::kOpenSsl, Engine::kIpsecMb));
  const auto key = hex_array<32>(kKey);
  const auto additional = hex("f33388860000000000004e91");
  for (std::size_t bit = 0; bit < hex(kSealed).size() * 8; ++bit) {
    auto buffer = hex(kSealed);
    buffer[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    REQUIRE_FALSE(aead.open(key, kCounter, additional, buffer));
  }
  auto buffer = hex(kSealed);
  CHECK_FALSE(aead.open(key, kCounter + 1, additional, buffer));
  buffer = hex(kSealed);
  CHECK_FALSE(aead.open(key, kCounter, {}, buffer));
  std::vector<std::uint8_t> shorter(kTagSize - 1);
  CHECK_FALSE(aead.open(key, kCounter, {}, shorter));
  aead.forget();
  buffer = hex(kSealed);
  CHECK(aead.open(key, kCounter, additional, buffer));
}

TEST_CASE("ChaCha20-Poly1305: both engines make the same of every length, and open each other's") {
  Aead first(Engine::kOpenSsl), second(Engine::kIpsecMb);
  CHECK(first.engine() == Engine::kOpenSsl);
  CHECK(second.engine() == best_engine());
  const auto key = hex_array<32>(kKey);
  std::vector<std::size_t> sizes(300);
  std::iota(sizes.begin(), sizes.end(), std::size_t{0});
  sizes.insert(sizes.end(), {1279, 1280, 1281, 1420, 8900, 9000});
  for (const std::size_t size : sizes)
    for (const std::size_t more : {0u, 1u, 12u, 16u, 32u, 33u}) {
      std::vector<std::uint8_t> plain(size + kTagSize), additional(more, 7);
      for (std::size_t i = 0; i < size; ++i) plain[i] = static_cast<std::uint8_t>(i * 31 + size);
      auto a = plain, b = plain;
      first.seal(key, size, additional, a), second.seal(key, size, additional, b);
      REQUIRE(a == b);
      REQUIRE((first.open(key, size, additional, b) && second.open(key, size, additional, a)));
      REQUIRE((std::equal(a.begin(), a.end() - kTagSize, plain.begin()) &&
               std::equal(b.begin(), b.end() - kTagSize, plain.begin())));
    }
}

TEST_CASE("draft-irtf-cfrg-xchacha-03 A.3.1: XChaCha20-Poly1305") {
  const auto key = hex_array<32>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const auto nonce = hex_array<24>("404142434445464748494a4b4c4d4e4f5051525354555657");
  const auto additional = hex("50515253c0c1c2c3c4c5c6c7");
  const auto sealed =
      hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54"
          "c216cb96b72e"
          "1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
          "c0875924c1c7987947deafd8780acf49");
  std::vector<std::uint8_t> plain(sealed.size() - kTagSize);
  REQUIRE(xopen(key, nonce, additional, sealed, plain));
  CHECK(std::string(plain.begin(), plain.end()).starts_with("Ladies and Gentlemen of the class of '99"));
  std::vector<std::uint8_t> again(sealed.size());
  xseal(key, nonce, additional, plain, again);
  CHECK(again == sealed);
  again[0] ^= 1;
  CHECK_FALSE(xopen(key, nonce, additional, again, plain));
}

TEST_CASE("RFC 7693 B: BLAKE2s") {
  const auto abc = hex("616263");
  const auto expected = hex("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  CHECK(copy(blake2s({abc})) == expected);
  CHECK(copy(blake2s({hex("61"), hex("6263")})) == expected);
}

TEST_CASE("keyed BLAKE2s with 16 octets, HMAC and KDF agree with Python") {
  const auto message = counting(100), key = counting(32);
  CHECK(copy(blake2s_mac(counting(16), message)) == hex("56301549e674c3b72a0e1dafb7a2c620"));
  CHECK(copy(blake2s_mac(key, message)) == hex("0b67d33f8b859c3157fbabd9e6e47ed0"));
  std::array<std::uint8_t, 32> out{};
  hmac_blake2s(key, {message}, out);
  CHECK(copy(out) == hex("a81c95080ba2a7c4ed1b7b4c21dec2c4fd6dc9f03ff37b6d65289dc95a7d1ef1"));
  const auto three = kdf3(key, message);
  CHECK(copy(three.first.expose()) == hex("90d0e91cdaea20e41b7e43ef99a35292921d3d49c1d86f48ddf62dbc1cc1bb01"));
  CHECK(copy(three.second.expose()) == hex("8814819cb396ee544e3a8314285739d6527a8d87cf930252e61501140ddbba51"));
  CHECK(copy(three.third.expose()) == hex("2d4748e29b90d92057489d6aaa0ee0d2a135113b4baaefb8d82fb54bffe16496"));
  CHECK(copy(kdf1(key, message).expose()) == copy(three.first.expose()));
  CHECK(copy(kdf2(key, message).second.expose()) == copy(three.second.expose()));
}

TEST_CASE("a moved-from secret is wiped") {
  Secret<32> first{std::span<const std::uint8_t, 32>(hex_array<32>(kKey))};
  const Secret<32> second = std::move(first);
  CHECK(copy(first.expose()) ==
        std::vector<std::uint8_t>(32));  // NOLINT: looking at the moved-from object is the point
  CHECK(copy(second.expose()) == hex(kKey));
}

namespace {

bool all_zero(std::span<const std::uint8_t> octets) {
  return std::ranges::all_of(octets, [](std::uint8_t octet) { return octet == 0; });
}

// The octets of a T after its destructor, read from storage that outlives it.
template <class T, class Fill>
std::vector<std::uint8_t> remains_of(Fill fill) {
  alignas(T) std::array<std::uint8_t, sizeof(T)> storage{};
  T* const value = new (storage.data()) T();
  fill(*value);
  const volatile std::uint8_t* const seen = storage.data();
  const bool written = std::find(seen, seen + storage.size(), 0xa5) != seen + storage.size();
  REQUIRE(written);
  value->~T();
  return {seen, seen + storage.size()};
}

// Stands below the allocator under test and looks at what comes back.
template <class T>
struct Watching : std::allocator<T> {
  static inline std::size_t dirty = 0, freed = 0;
  template <class U>
  struct rebind {
    using other = Watching<U>;
  };
  void deallocate(T* octets, std::size_t count) {
    dirty += static_cast<std::size_t>(std::count(octets, octets + count, 0xa5));
    freed += count;
    std::allocator<T>::deallocate(octets, count);
  }
};

}  // namespace

TEST_CASE("a secret, a key request and a key reply leave nothing behind when they end") {
  const auto fill = [](std::span<std::uint8_t> octets) { std::ranges::fill(octets, std::uint8_t{0xa5}); };
  CHECK(all_zero(remains_of<Secret<32>>([&](auto& s) { fill(s.fill()); })));
  for (const auto& remains : {remains_of<tunnel::wire::KeyRequest>([&](auto& r) { fill(r.input.fill()); }),
                              remains_of<tunnel::wire::KeyReply>([&](auto& r) { fill(r.output.fill()); })})
    CHECK(std::ranges::count(remains, 0xa5) == 0);
}

TEST_CASE("moving a secret wipes the place it came from") {
  tunnel::wire::KeyReply from;
  from.output.fill()[7] = 9;
  const tunnel::wire::KeyReply to = std::move(from);
  CHECK(to.output.expose()[7] == 9);
  CHECK(all_zero(from.output.expose()));  // NOLINT(bugprone-use-after-move): the thing under test
}

TEST_CASE("octets of a message are wiped when their buffer grows and when it ends") {
  using Watched = tunnel::wire::WipingAllocator<std::uint8_t, Watching<std::uint8_t>>;
  {
    std::vector<std::uint8_t, Watched> octets;
    for (int i = 0; i < 1000; ++i) octets.push_back(0xa5);
  }
  CHECK(Watching<std::uint8_t>::freed > 1000);  // it did grow
  CHECK(Watching<std::uint8_t>::dirty == 0);
}
