#include "config/free_prefix.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace config {
namespace {

using value::Family;

// An address as a number, so that prefixes can be counted. IPv4 in the low 32 bits.
struct Number {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const Number&, const Number&) = default;
};

Number number_of(const IpAddress& address) {
  Number number;
  for (const std::uint8_t octet : address.octets()) {
    number.high = number.high << 8 | number.low >> 56;
    number.low = number.low << 8 | octet;
  }
  return number;
}

IpAddress address_of(Number number, Family family) {
  std::array<std::uint8_t, 16> octets{};
  const std::size_t size = family == Family::kV4 ? 4 : 16;
  for (std::size_t i = size; i > 0; --i) {
    octets[i - 1] = static_cast<std::uint8_t>(number.low & 0xff);
    number.low = number.low >> 8 | number.high << 56;
    number.high >>= 8;
  }
  return family == Family::kV4 ? IpAddress::v4({octets[0], octets[1], octets[2], octets[3]}) : IpAddress::v6(octets);
}

// All ones in the lowest `bits`.
Number ones(unsigned bits) {
  if (bits >= 128) return {~std::uint64_t{0}, ~std::uint64_t{0}};
  if (bits >= 64) return {bits == 64 ? 0 : ~std::uint64_t{0} >> (128 - bits), ~std::uint64_t{0}};
  return {0, bits == 0 ? 0 : ~std::uint64_t{0} >> (64 - bits)};
}

Number last_of(const Prefix& prefix) {
  auto number = number_of(prefix.address());
  const auto host = ones(prefix.address().bits() - prefix.length());
  return {number.high | host.high, number.low | host.low};
}

// Empty after the last address of all.
std::optional<Number> after(Number number) {
  if (++number.low == 0 && ++number.high == 0) return std::nullopt;
  return number;
}

// The first address from `number` on at which a prefix with so many host bits can begin.
std::optional<Number> aligned(Number number, unsigned host_bits) {
  const auto host = ones(host_bits);
  if ((number.high & host.high) == 0 && (number.low & host.low) == 0) return number;
  return after({number.high | host.high, number.low | host.low});
}

constexpr std::pair<const char*, const char*> kSpecial[] = {
    {"0.0.0.0/8", "\"this network\""},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local addresses"},
    {"192.0.0.0/24", "IETF protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.88.99.0/24", "6to4 relays"},
    {"198.18.0.0/15", "benchmarks"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved"},
    {"::/96", "loopback and unspecified"},
    {"::ffff:0.0.0.0/96", "IPv4 in IPv6 form"},
    {"64:ff9b::/96", "NAT64"},
    {"64:ff9b:1::/48", "NAT64 of one's own"},
    {"100::/64", "discard"},
    {"2001::/23", "IETF protocol assignments"},
    {"2001:db8::/32", "documentation"},
    {"2002::/16", "6to4"},
    {"3fff::/20", "documentation"},
    {"5f00::/16", "segment routing"},
    {"fe80::/10", "link-local addresses"},
    {"ff00::/8", "multicast"},
};

class Taken {
 public:
  void add(const Prefix& prefix, std::string what) { all_.push_back({prefix, std::move(what)}); }
  void add(const IpAddress& address, std::string what) { add(Prefix::host(address), std::move(what)); }
  // What lies beside a host inside is most likely of the same network.
  void add_around(const IpAddress& address, const std::string& what) {
    add(Prefix::masked(address, address.is_v4() ? 24 : 64), "the network around " + what);
  }
  std::vector<TakenPrefix> take() {
    const auto order = [](const TakenPrefix& a, const TakenPrefix& b) {
      return std::tie(a.prefix, a.what) < std::tie(b.prefix, b.what);
    };
    std::sort(all_.begin(), all_.end(), order);
    all_.erase(std::unique(all_.begin(), all_.end()), all_.end());
    return std::move(all_);
  }

 private:
  std::vector<TakenPrefix> all_;
};

void add_facility(const Facility& facility, Taken& taken) {
  const auto of = " of facility \"" + facility.name.text + "\"";
  for (const Network& network : facility.networks) {
    taken.add(network.seen_as, (network.real == network.seen_as ? "network" : "seen_as") + of);
    if (network.real != network.seen_as) taken.add(network.real, "real network" + of);
  }
  for (const Prefix& source : facility.tunnel.sources)
    if (source.length() > 0) taken.add(source, "outer source" + of);
  if (facility.tunnel.wireguard.endpoint) taken.add(facility.tunnel.wireguard.endpoint->address, "endpoint" + of);
  if (facility.tunnel.ikev2.endpoint) taken.add(*facility.tunnel.ikev2.endpoint, "endpoint" + of);
  for (const Offer& offer : facility.offers)
    for (const IpAddress& address : offer.addresses) taken.add(address, "offer \"" + offer.name.text + "\"" + of);
}

}  // namespace

std::vector<TakenPrefix> taken_prefixes(const GatewayConfig& config) {
  Taken taken;
  for (const auto& [text, what] : kSpecial)
    if (const auto prefix = Prefix::parse(text)) taken.add(*prefix, std::string("special purpose: ") + what);
  for (const IpAddress& address : config.gateway.outside.addresses) taken.add(address, "the gateway's outside");
  for (const IpAddress& address : config.gateway.inside.next_hops) taken.add_around(address, "the router inside");
  for (const Service& service : config.services)
    for (const IpAddress& address : service.addresses)
      taken.add_around(address, "service \"" + service.name.text + "\"");
  for (const Facility& facility : config.facilities) add_facility(facility, taken);
  return taken.take();
}

std::vector<TakenPrefix> taken_by_host(const std::vector<HostNetwork>& networks, const std::string& inside_interface) {
  Taken taken;
  for (const HostNetwork& each : networks) {
    taken.add(each.address, "an address of this machine");
    const auto what = each.interface + " of this machine";
    if (each.length > 0) taken.add(Prefix::masked(each.address, each.length), "the network of " + what);
    if (each.interface == inside_interface) taken.add_around(each.address, what + ", the inside");
  }
  return taken.take();
}

std::optional<Prefix> next_free(const Prefix& pool, std::uint8_t length, std::span<const TakenPrefix> taken) {
  const auto family = pool.address().family();
  if (length < pool.length() || length > pool.address().bits()) return std::nullopt;
  const unsigned host_bits = pool.address().bits() - length;
  std::vector<std::pair<Number, Number>> ranges;
  for (const TakenPrefix& each : taken)
    if (each.prefix.address().family() == family && each.prefix.overlaps(pool))
      ranges.emplace_back(number_of(each.prefix.address()), last_of(each.prefix));
  std::sort(ranges.begin(), ranges.end());
  const auto end = last_of(pool);
  std::optional<Number> at = number_of(pool.address());
  for (const auto& [first, last] : ranges) {
    if (!at) return std::nullopt;
    const auto host = ones(host_bits);
    const Number own_last{at->high | host.high, at->low | host.low};
    if (own_last < first) break;
    if (last < *at) continue;
    const auto next = after(last);
    at = next ? aligned(*next, host_bits) : std::nullopt;
  }
  if (!at || *at > end) return std::nullopt;
  return Prefix::masked(address_of(*at, family), length);
}

Prefix default_pool4() {
  return Prefix::masked(IpAddress::v4({100, 64, 0, 0}), 10);
}

}  // namespace config
