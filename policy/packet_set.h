// Exact sets of packets over four fields: source, destination, protocol, port; IPv4 and IPv6 apart. What `verify`
// computes with: what a rule list lets pass is such a set, and so is what a configuration declares. Values: cheap to
// copy, never changed. The cost of an operation is near linear in the intervals of its operands (interval_diagram.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/value/address.h"
#include "config/value/port.h"
#include "policy/interval_diagram.h"

namespace policy {

using config::value::Family;
using config::value::IpAddress;
using config::value::Prefix;

// Both ends inclusive, of one family.
struct AddressRange {
  IpAddress first, last;
  friend auto operator<=>(const AddressRange&, const AddressRange&) = default;
};
[[nodiscard]] AddressRange range_of(const Prefix& prefix);
[[nodiscard]] AddressRange everywhere(Family family);

// One packet. `protocol` as in the IP header. `port`: of TCP and UDP the destination port, of ICMP and ICMPv6 the type,
// of all others 0.
struct PacketPoint {
  IpAddress source, destination;  // of one family
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  friend auto operator<=>(const PacketPoint&, const PacketPoint&) = default;
};

// Every packet with each field in its range; all ends inclusive.
struct PacketBox {
  AddressRange source, destination;  // of one family
  std::uint8_t first_protocol = 0, last_protocol = 255;
  std::uint16_t first_port = 0, last_port = 65535;
  friend auto operator<=>(const PacketBox&, const PacketBox&) = default;
};

inline constexpr std::uint16_t kEchoType4 = 8, kEchoType6 = 128;  // RFC 792, RFC 4443: of a request

[[nodiscard]] PacketBox whole(Family family);  // every packet of it

// What a permission's port means in those fields: echo is the type of a request, of the family of `destination`.
[[nodiscard]] PacketBox box_of(const AddressRange& source, const AddressRange& destination,
                               const config::value::ServicePort& port);

class PacketSet {
 public:
  PacketSet() = default;  // nothing
  // The union. A box whose ends are of two families, or the wrong way round, is nothing.
  [[nodiscard]] static PacketSet of(const std::vector<PacketBox>& boxes);
  [[nodiscard]] static PacketSet all(Family family);
  [[nodiscard]] static const PacketSet& everything();  // of both families
  // Every packet of a source, or for a destination, in one of the ranges.
  [[nodiscard]] static PacketSet from(const std::vector<AddressRange>& sources);
  [[nodiscard]] static PacketSet to(const std::vector<AddressRange>& destinations);

  [[nodiscard]] PacketSet operator|(const PacketSet& other) const;
  [[nodiscard]] PacketSet operator&(const PacketSet& other) const;
  [[nodiscard]] PacketSet operator-(const PacketSet& other) const;
  friend bool operator==(const PacketSet& a, const PacketSet& b) {
    return diagram::same(a.v4_, b.v4_) && diagram::same(a.v6_, b.v6_);
  }

  [[nodiscard]] bool empty() const { return !v4_ && !v6_; }
  [[nodiscard]] bool contains(const PacketPoint& packet) const;
  [[nodiscard]] bool subset_of(const PacketSet& other) const { return (*this - other).empty(); }
  // Some packet of the set: the lowest. Nothing when there is none.
  [[nodiscard]] std::optional<PacketPoint> witness() const;
  // Disjoint; together exactly the set. One protocol each, or several with all their ports. Sorted.
  [[nodiscard]] std::vector<PacketBox> boxes() const;
  // How many ranges of packets it is kept as: boxes, those that several protocols share counted once.
  [[nodiscard]] std::size_t size() const;
  // Every address that is a source (a destination) of some packet, as sorted ranges.
  [[nodiscard]] std::vector<AddressRange> sources() const;
  [[nodiscard]] std::vector<AddressRange> destinations() const;

  __extension__ using Number = unsigned __int128;                    // an address, its first bit the highest
  using Ports = diagram::Level<std::uint32_t, diagram::Everything>;  // protocol << 16 | port
  using Ends = diagram::Level<Number, Ports>;                        // destinations
  using Pairs = diagram::Level<Number, Ends>;                        // sources

 private:
  PacketSet(diagram::Pointer<Pairs> v4, diagram::Pointer<Pairs> v6) : v4_(std::move(v4)), v6_(std::move(v6)) {}
  [[nodiscard]] PacketSet combined(const PacketSet& other, diagram::Operation operation) const;

  diagram::Pointer<Pairs> v4_, v6_;
};

// "10.2.0.0-10.2.0.255 -> 10.80.0.10 tcp/443"; one address alone when both ends are equal.
[[nodiscard]] std::string to_text(const PacketBox& box);
// "10.2.0.1 -> 10.80.0.10 tcp/443", "... icmp type 8", "... protocol 47".
[[nodiscard]] std::string to_text(const PacketPoint& packet);

}  // namespace policy
