#include "policy/packet_set.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace policy {
namespace {

using config::value::IpProtocol;
using config::value::ServicePort;
using diagram::Combiner;
using diagram::Everything;
using diagram::Operation;
using diagram::Pointer;
using diagram::Writer;
using Number = PacketSet::Number;
using Ports = PacketSet::Ports;
using Ends = PacketSet::Ends;
using Pairs = PacketSet::Pairs;

constexpr std::uint32_t kEveryPort = 0xffffff;  // the last protocol, the last port

Number number_of(const IpAddress& address) {
  Number number = 0;
  for (const std::uint8_t octet : address.octets()) number = number << 8 | octet;
  return number;
}

IpAddress address_of(Number number, Family family) {
  std::array<std::uint8_t, 16> octets{};
  const std::size_t size = family == Family::kV4 ? 4 : 16;
  for (std::size_t i = size; i-- > 0; number >>= 8) octets[i] = static_cast<std::uint8_t>(number);
  if (family == Family::kV6) return IpAddress::v6(octets);
  return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
}

Number highest(Family family) {
  return family == Family::kV4 ? Number{0xffffffff} : ~Number{0};
}

const Pointer<Everything>& everything() {
  static const Pointer<Everything> kEverything = std::make_shared<const Everything>();
  return kEverything;
}

template <class L>
Pointer<L> single(typename L::Key first, typename L::Key last, const Pointer<typename L::Below>& below) {
  return below ? std::make_shared<const L>(L{{{first, last, below}}}) : nullptr;
}

template <class L>
Pointer<L> whole(typename L::Key last, const Pointer<typename L::Below>& below) {
  return std::make_shared<const L>(L{{{0, last, below}}, true});
}

const Pointer<Ports>& every_port() {
  static const Pointer<Ports> kPorts = whole<Ports>(kEveryPort, everything());
  return kPorts;
}

const Pointer<Ends>& every_end(Family family) {
  static const Pointer<Ends> kV4 = whole<Ends>(highest(Family::kV4), every_port());
  static const Pointer<Ends> kV6 = whole<Ends>(highest(Family::kV6), every_port());
  return family == Family::kV4 ? kV4 : kV6;
}

const Pointer<Pairs>& every_pair(Family family) {
  static const Pointer<Pairs> kV4 = whole<Pairs>(highest(Family::kV4), every_end(Family::kV4));
  static const Pointer<Pairs> kV6 = whole<Pairs>(highest(Family::kV6), every_end(Family::kV6));
  return family == Family::kV4 ? kV4 : kV6;
}

// Equal sets become one object, so that what is done with one of them is done for all. What is below is one already.
template <class L>
class Unique {
 public:
  Pointer<L> of(Pointer<L> made) {
    if (!made) return made;
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
    for (const auto& span : made->spans) {
      mix(static_cast<std::uint64_t>(span.first));
      mix(static_cast<std::uint64_t>(span.last));
      mix(reinterpret_cast<std::uintptr_t>(span.below.get()));
    }
    auto& alike = known_[hash];
    for (const auto& each : alike)
      if (diagram::same(each, made)) return each;
    return alike.emplace_back(std::move(made));
  }

 private:
  std::unordered_map<std::uint64_t, std::vector<Pointer<L>>> known_;
};

using Range = std::pair<Number, Number>;  // both inclusive
struct RangeHash {
  std::size_t operator()(const Range& range) const {
    const auto fold = [](Number number) { return static_cast<std::uint64_t>(number >> 64 ^ number); };
    const std::uint64_t mixed = fold(range.first) * 0x9e3779b97f4a7c15u ^ fold(range.second) * 0xc2b2ae3d27d4eb4fu;
    return static_cast<std::size_t>(mixed ^ mixed >> 32);
  }
};

// The ranges of one side, few of them and each in many boxes: by number, and their numbers in order of the ranges.
class RangeNumbers {
 public:
  std::uint32_t add(const AddressRange& range) {
    const Range numbers{number_of(range.first), number_of(range.last)};
    const auto [at, fresh] = known_.try_emplace(numbers, static_cast<std::uint32_t>(all_.size()));
    if (fresh) all_.push_back(numbers);
    return at->second;
  }
  // From then on add() is over, and rank() is where a range stands among all.
  void sort() {
    std::vector<std::uint32_t> order(all_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) { return all_[a] < all_[b]; });
    rank_.resize(all_.size());
    std::vector<Range> sorted;
    for (std::uint32_t i = 0; i < order.size(); ++i) rank_[order[i]] = i, sorted.push_back(all_[order[i]]);
    all_ = std::move(sorted);
  }
  [[nodiscard]] std::uint32_t rank(std::uint32_t number) const { return rank_[number]; }
  [[nodiscard]] const Range& at(std::uint32_t rank) const { return all_[rank]; }

 private:
  std::unordered_map<Range, std::uint32_t, RangeHash> known_;
  std::vector<Range> all_;
  std::vector<std::uint32_t> rank_;
};

// A box with its ranges by number: 200,000 of them are sorted.
struct Flat {
  std::uint32_t from = 0, to = 0;
  std::uint64_t ports = 0;  // first and last protocol, first and last port
  [[nodiscard]] std::uint64_t ends() const { return std::uint64_t{from} << 32 | to; }
  friend bool operator<(const Flat& a, const Flat& b) {
    return a.ends() != b.ends() ? a.ends() < b.ends() : a.ports < b.ports;
  }
  friend bool operator==(const Flat&, const Flat&) = default;
};

std::uint64_t ports_key(const PacketBox& box) {
  return std::uint64_t{box.first_protocol} << 40 | std::uint64_t{box.last_protocol} << 32 |
         std::uint64_t{box.first_port} << 16 | box.last_port;
}

// Boxes of one family, as one set: those of one source make its destinations, and so on inwards.
class Builder {
 public:
  void add(const PacketBox& box) {
    boxes_.push_back({from_.add(box.source), to_.add(box.destination), ports_key(box)});
  }
  void expect(std::size_t boxes) { boxes_.reserve(boxes); }

  Pointer<Pairs> build() {
    from_.sort(), to_.sort();
    for (Flat& each : boxes_) each.from = from_.rank(each.from), each.to = to_.rank(each.to);
    std::sort(boxes_.begin(), boxes_.end());
    boxes_.erase(std::unique(boxes_.begin(), boxes_.end()), boxes_.end());
    std::vector<Pairs::Span> spans;
    for (std::size_t begin = 0, end = 0; begin < boxes_.size(); begin = end) {
      const auto [first, last] = from_.at(boxes_[begin].from);
      while (end < boxes_.size() && boxes_[end].from == boxes_[begin].from) ++end;
      spans.push_back({first, last, ends_of(begin, end)});
    }
    return diagram::united<Pairs>(spans);
  }

 private:
  Pointer<Ends> ends_of(std::size_t begin, std::size_t end) {
    std::vector<Ends::Span> spans;
    for (std::size_t next = begin; begin < end; begin = next) {
      const auto [first, last] = to_.at(boxes_[begin].to);
      while (next < end && boxes_[next].to == boxes_[begin].to) ++next;
      spans.push_back({first, last, ports_of(begin, next)});
    }
    return ends_.of(diagram::united<Ends>(spans));
  }

  // Of one or several together; the same several stand at many ends.
  Pointer<Ports> ports_of(std::size_t begin, std::size_t end) {
    if (end - begin == 1) return ports_of(boxes_[begin].ports);
    std::vector<std::uint64_t> keys;
    for (std::size_t at = begin; at < end; ++at) keys.push_back(boxes_[at].ports);
    auto& known = several_[keys];
    if (known) return known;
    std::vector<Ports::Span> spans;
    for (const std::uint64_t key : keys) {
      const auto& each = ports_of(key)->spans;
      spans.insert(spans.end(), each.begin(), each.end());
    }
    return known = ports_.of(diagram::united<Ports>(spans));
  }

  Pointer<Ports> ports_of(std::uint64_t key) {
    auto& known = simple_[key];
    if (!known) known = ports_.of(make_ports(key));
    return known;
  }

  static Pointer<Ports> make_ports(std::uint64_t key) {
    const auto first_protocol = static_cast<std::uint8_t>(key >> 40),
               last_protocol = static_cast<std::uint8_t>(key >> 32);
    const auto first_port = static_cast<std::uint16_t>(key >> 16), last_port = static_cast<std::uint16_t>(key);
    if (first_port == 0 && last_port == 0xffff)
      return single<Ports>(std::uint32_t{first_protocol} << 16, std::uint32_t{last_protocol} << 16 | 0xffffu,
                           everything());
    Writer<Ports> out;
    for (std::uint32_t protocol = first_protocol; protocol <= last_protocol; ++protocol)
      out.add(protocol << 16 | first_port, protocol << 16 | last_port, everything());
    return out.take();
  }

  RangeNumbers from_, to_;
  std::vector<Flat> boxes_;
  Unique<Ends> ends_;
  Unique<Ports> ports_;
  std::unordered_map<std::uint64_t, Pointer<Ports>> simple_;
  std::map<std::vector<std::uint64_t>, Pointer<Ports>> several_;
};

bool sound(const AddressRange& range, Family family) {
  return range.first.family() == family && range.last.family() == family && range.first <= range.last;
}

bool sound(const PacketBox& box, Family family) {
  return sound(box.source, family) && sound(box.destination, family) && box.first_protocol <= box.last_protocol &&
         box.first_port <= box.last_port;
}

// Sorted ranges of one family, those that touch joined.
std::vector<std::pair<Number, Number>> joined(const std::vector<AddressRange>& ranges, Family family) {
  std::vector<std::pair<Number, Number>> all, out;
  for (const AddressRange& range : ranges)
    if (sound(range, family)) all.emplace_back(number_of(range.first), number_of(range.last));
  std::sort(all.begin(), all.end());
  for (const auto& range : all) {
    if (!out.empty() && (range.first <= out.back().second || range.first - 1 == out.back().second))
      out.back().second = std::max(out.back().second, range.second);
    else
      out.push_back(range);
  }
  return out;
}

template <class L>
Pointer<L> over(const std::vector<std::pair<Number, Number>>& ranges, const Pointer<typename L::Below>& below) {
  L made;
  for (const auto& [first, last] : ranges) made.spans.push_back({first, last, below});
  return made.spans.empty() ? nullptr : std::make_shared<const L>(std::move(made));
}

template <class L>
const Pointer<typename L::Below>* find(const L& level, typename L::Key key) {
  const auto at = std::lower_bound(level.spans.begin(), level.spans.end(), key,
                                   [](const auto& span, typename L::Key wanted) { return span.last < wanted; });
  return at == level.spans.end() || key < at->first ? nullptr : &at->below;
}

// An interval of protocol and port together as at most three boxes.
void add_ports(PacketBox box, std::uint32_t first, std::uint32_t last, std::vector<PacketBox>& out) {
  while (first <= last) {
    const std::uint32_t protocol = first >> 16;
    box.first_protocol = box.last_protocol = static_cast<std::uint8_t>(protocol);
    box.first_port = static_cast<std::uint16_t>(first), box.last_port = 0xffff;
    if (box.first_port == 0 && (last & 0xffff) == 0xffff)
      box.last_protocol = static_cast<std::uint8_t>(last >> 16);
    else if (box.first_port == 0 && protocol + 1 <= last >> 16)
      box.last_protocol = static_cast<std::uint8_t>((last >> 16) - 1);
    else if (protocol == last >> 16)
      box.last_port = static_cast<std::uint16_t>(last);
    out.push_back(box);
    first = std::uint32_t{box.last_protocol} << 16 | box.last_port;
    if (++first > kEveryPort) return;
  }
}

void add_boxes(const Pointer<Pairs>& set, Family family, std::vector<PacketBox>& out) {
  if (!set) return;
  for (const auto& from : set->spans)
    for (const auto& to : from.below->spans)
      for (const auto& ports : to.below->spans) {
        PacketBox box;
        box.source = {address_of(from.first, family), address_of(from.last, family)};
        box.destination = {address_of(to.first, family), address_of(to.last, family)};
        add_ports(box, ports.first, ports.last, out);
      }
}

template <class L>
void add_ranges(const L& level, Family family, std::vector<AddressRange>& out) {
  for (const auto& span : level.spans) out.push_back({address_of(span.first, family), address_of(span.last, family)});
}

std::vector<AddressRange> merged(const std::vector<AddressRange>& ranges) {
  std::vector<AddressRange> out;
  for (const Family family : {Family::kV4, Family::kV6})
    for (const auto& [first, last] : joined(ranges, family))
      out.push_back({address_of(first, family), address_of(last, family)});
  return out;
}

std::string text_of(const AddressRange& range) {
  return range.first == range.last ? range.first.to_string() : range.first.to_string() + "-" + range.last.to_string();
}

std::string text_of(std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
  const auto known = static_cast<IpProtocol>(protocol);
  if (known == IpProtocol::kTcp || known == IpProtocol::kUdp) return ServicePort{known, first, last}.to_string();
  const bool any = first == 0 && last == 0xffff;
  const std::string types = first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last);
  if (known == IpProtocol::kIcmp || known == IpProtocol::kIcmpV6)
    return std::string(known == IpProtocol::kIcmp ? "icmp" : "icmpv6") + (any ? "" : " type " + types);
  return "protocol " + std::to_string(protocol);
}

}  // namespace

AddressRange range_of(const Prefix& prefix) {
  const Family family = prefix.address().family();
  const Number first = number_of(prefix.address());
  const unsigned host_bits = prefix.address().bits() - prefix.length();
  const Number hosts = host_bits >= 128 ? ~Number{0} : (Number{1} << host_bits) - 1;
  return {prefix.address(), address_of(first | hosts, family)};
}

AddressRange everywhere(Family family) {
  return {address_of(0, family), address_of(highest(family), family)};
}

PacketBox whole(Family family) {
  return {everywhere(family), everywhere(family)};
}

PacketBox box_of(const AddressRange& source, const AddressRange& destination, const ServicePort& port) {
  PacketBox box{source, destination};
  const bool v4 = destination.first.is_v4();
  box.first_protocol = static_cast<std::uint8_t>(port.protocol);
  if (!port.has_ports()) {
    box.first_protocol = static_cast<std::uint8_t>(v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpV6);
    box.first_port = box.last_port = v4 ? kEchoType4 : kEchoType6;
  } else {
    box.first_port = port.first, box.last_port = port.last;
  }
  box.last_protocol = box.first_protocol;
  return box;
}

PacketSet PacketSet::of(const std::vector<PacketBox>& boxes) {
  Builder v4, v6;
  v4.expect(boxes.size());
  for (const PacketBox& box : boxes) {
    const Family family = box.source.first.family();
    if (sound(box, family)) (family == Family::kV4 ? v4 : v6).add(box);
  }
  return {v4.build(), v6.build()};
}

const PacketSet& PacketSet::everything() {
  static const PacketSet kAll = all(Family::kV4) | all(Family::kV6);
  return kAll;
}

PacketSet PacketSet::all(Family family) {
  return family == Family::kV4 ? PacketSet(every_pair(family), nullptr) : PacketSet(nullptr, every_pair(family));
}

PacketSet PacketSet::from(const std::vector<AddressRange>& sources) {
  return {over<Pairs>(joined(sources, Family::kV4), every_end(Family::kV4)),
          over<Pairs>(joined(sources, Family::kV6), every_end(Family::kV6))};
}

PacketSet PacketSet::to(const std::vector<AddressRange>& destinations) {
  const auto of_family = [&](Family family) {
    return single<Pairs>(0, highest(family), over<Ends>(joined(destinations, family), every_port()));
  };
  return {of_family(Family::kV4), of_family(Family::kV6)};
}

PacketSet PacketSet::combined(const PacketSet& other, Operation operation) const {
  Combiner<Pairs> v4(operation), v6(operation);
  return {v4.of(v4_, other.v4_), v6.of(v6_, other.v6_)};
}

PacketSet PacketSet::operator|(const PacketSet& other) const {
  return combined(other, Operation::kUnion);
}

PacketSet PacketSet::operator&(const PacketSet& other) const {
  return combined(other, Operation::kIntersection);
}

PacketSet PacketSet::operator-(const PacketSet& other) const {
  if (*this == other) return {};  // what a proof hopes for: looked at, and nothing made
  return combined(other, Operation::kDifference);
}

bool PacketSet::contains(const PacketPoint& packet) const {
  if (packet.source.family() != packet.destination.family()) return false;
  const auto& pairs = packet.source.is_v4() ? v4_ : v6_;
  if (!pairs) return false;
  const auto* ends = find(*pairs, number_of(packet.source));
  const auto* ports = ends == nullptr ? nullptr : find(**ends, number_of(packet.destination));
  return ports != nullptr && find(**ports, std::uint32_t{packet.protocol} << 16 | packet.port) != nullptr;
}

std::optional<PacketPoint> PacketSet::witness() const {
  if (empty()) return std::nullopt;
  const Family family = v4_ ? Family::kV4 : Family::kV6;
  const auto& from = (v4_ ? v4_ : v6_)->spans.front();
  const auto& to = from.below->spans.front();
  const std::uint32_t key = to.below->spans.front().first;
  return PacketPoint{address_of(from.first, family), address_of(to.first, family), static_cast<std::uint8_t>(key >> 16),
                     static_cast<std::uint16_t>(key)};
}

std::vector<PacketBox> PacketSet::boxes() const {
  std::vector<PacketBox> out;
  add_boxes(v4_, Family::kV4, out);
  add_boxes(v6_, Family::kV6, out);
  return out;
}

std::size_t PacketSet::size() const {
  std::size_t count = 0;
  for (const auto& set : {v4_, v6_}) {
    if (!set) continue;
    for (const auto& from : set->spans)
      for (const auto& to : from.below->spans) count += to.below->spans.size();
  }
  return count;
}

std::vector<AddressRange> PacketSet::sources() const {
  std::vector<AddressRange> out;
  if (v4_) add_ranges(*v4_, Family::kV4, out);
  if (v6_) add_ranges(*v6_, Family::kV6, out);
  return merged(out);
}

std::vector<AddressRange> PacketSet::destinations() const {
  std::vector<AddressRange> out;
  for (const Family family : {Family::kV4, Family::kV6}) {
    const auto& set = family == Family::kV4 ? v4_ : v6_;
    if (!set) continue;
    const Ends* before = nullptr;  // neighbours often share what is below
    for (const auto& span : set->spans) {
      if (span.below.get() != before) add_ranges(*span.below, family, out);
      before = span.below.get();
    }
  }
  return merged(out);
}

std::string to_text(const PacketBox& box) {
  const std::string ends = text_of(box.source) + " -> " + text_of(box.destination);
  if (box.first_protocol == 0 && box.last_protocol == 255) return ends + " any protocol";
  if (box.first_protocol != box.last_protocol)
    return ends + " protocols " + std::to_string(box.first_protocol) + "-" + std::to_string(box.last_protocol);
  return ends + " " + text_of(box.first_protocol, box.first_port, box.last_port);
}

std::string to_text(const PacketPoint& packet) {
  return packet.source.to_string() + " -> " + packet.destination.to_string() + " " +
         text_of(packet.protocol, packet.port, packet.port);
}

}  // namespace policy
