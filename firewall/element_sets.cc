#include "firewall/element_sets.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace firewall {
namespace {

using config::value::IpAddress;
using config::value::Prefix;
using config::value::Result;
using policy::AddressRange;
using policy::Family;
using policy::PacketBox;
using policy::PacketSet;

// "a . b : c" -> "a . b", "c".
std::pair<std::string_view, std::string_view> key_and_value(std::string_view text) {
  const auto colon = text.rfind(" : ");
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 3)};
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  const auto number = number_of(text);
  return number && *number <= 0xffff ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
}

bool narrow_end(AddressRange& end, const AddressRange& by) {
  end = {std::max(end.first, by.first), std::min(end.last, by.last)};
  return end.first <= end.last;
}

std::string not_of_its_type(std::string_view element) {
  return "the element \"" + std::string(element) + "\" is not of its set's type";
}

}  // namespace

ElementSets::ElementSets(const RuleSet& table) : table_(table) {}

Result<const Set*, std::string> ElementSets::find(const std::string& name) const {
  const auto found = std::ranges::find(table_.sets, name, &Set::name);
  if (found == table_.sets.end()) return std::unexpected("there is no set @" + name);
  if (found->is_dynamic()) return std::unexpected("@" + name + " is filled by the kernel");
  return &*found;
}

Result<AddressRange, std::string> ElementSets::address(std::string_view text) {
  if (const auto known = addresses_.find(text); known != addresses_.end()) return known->second;
  const auto at = addresses_.try_emplace(std::string(text)).first;
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    const auto first = IpAddress::parse(text.substr(0, dash)), last = IpAddress::parse(text.substr(dash + 1));
    if (!first || !last) return addresses_.erase(at), std::unexpected("\"" + std::string(text) + "\" is no range");
    return at->second = {*first, *last};
  }
  const auto prefix = Prefix::parse(text);
  if (!prefix) return addresses_.erase(at), std::unexpected(prefix.error());
  return at->second = policy::range_of(*prefix);
}

Result<PacketSet, std::string> ElementSets::holding(const std::string& set, Field end) {
  if (const auto known = holding_.find({set, end}); known != holding_.end()) return known->second;
  Ranges ranges;
  for (const std::string& each : (TRY(find(set)))->elements) ranges.push_back(TRY(address(key_and_value(each).first)));
  const PacketSet made = end == Field::kSource ? PacketSet::from(ranges) : PacketSet::to(ranges);
  return holding_.emplace(std::pair(set, end), made).first->second;
}

Result<const ElementSets::Inverse*, std::string> ElementSets::inverse(const std::string& map) {
  if (const auto known = inverses_.find(map); known != inverses_.end()) return &known->second;
  Inverse made;
  for (const std::string& each : (TRY(find(map)))->elements) {
    const auto [key, value] = key_and_value(each);
    const auto number = number_of(value);
    if (!number) return std::unexpected(not_of_its_type(each));
    made[*number].push_back(TRY(address(key)));
  }
  return &inverses_.emplace(map, std::move(made)).first->second;
}

Result<PacketSet, std::string> ElementSets::marked(const Mark& mark, std::uint32_t number) {
  if (mark.map.empty()) {
    if (mark.number != number) return PacketSet();
    return PacketSet::everything();
  }
  const Inverse& values = *TRY(inverse(mark.map));
  const auto found = values.find(number);
  if (found == values.end()) return PacketSet();
  return mark.end == Field::kSource ? PacketSet::from(found->second) : PacketSet::to(found->second);
}

Result<std::vector<std::uint32_t>, std::string> ElementSets::numbers(const Mark& mark) {
  std::vector<std::uint32_t> out;
  if (mark.map.empty()) return out.push_back(mark.number), out;
  for (const auto& [number, ranges] : *TRY(inverse(mark.map))) out.push_back(number);
  return out;
}

Result<void, std::string> ElementSets::narrow(std::string_view part, Field field, PacketBox& box) {
  if (field == Field::kProtocol) {
    const auto protocol = protocol_number(part);
    if (!protocol) return std::unexpected("\"" + std::string(part) + "\" is no protocol");
    box.first_protocol = box.last_protocol = *protocol;
    return {};
  }
  if (field == Field::kPort) {
    const auto dash = part.find('-');
    const auto first = port_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : port_of(part.substr(dash + 1));
    if (!first || !last) return std::unexpected("\"" + std::string(part) + "\" is no port");
    box.first_port = *first, box.last_port = *last;
    return {};
  }
  const AddressRange range = TRY(address(part));
  if (range.first.family() != box.source.first.family()) box = policy::whole(range.first.family());
  narrow_end(field == Field::kSource ? box.source : box.destination, range);
  return {};
}

// The mark comes last: by then the box is of the right family.
Result<void, std::string> ElementSets::add_element(const std::string& text, const std::vector<Field>& key,
                                                   const Mark& mark, std::vector<PacketBox>& out) {
  PacketBox box = policy::whole(Family::kV4);
  std::optional<std::uint32_t> wanted;
  std::string_view rest = key_and_value(text).first;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto dot = rest.find(" . ");
    if ((dot == std::string_view::npos) != (i + 1 == key.size())) return std::unexpected(not_of_its_type(text));
    const std::string_view part = rest.substr(0, dot);
    if (key[i] == Field::kMark) {
      wanted = number_of(part);
      if (!wanted) return std::unexpected(not_of_its_type(text));
    } else {
      TRY(narrow(part, key[i], box));
    }
    if (dot != std::string_view::npos) rest.remove_prefix(dot + 3);
  }
  if (!wanted) return out.push_back(box), Result<void, std::string>();
  if (mark.map.empty()) {
    if (mark.number == *wanted) out.push_back(box);
    return {};
  }
  const Inverse& values = *TRY(inverse(mark.map));
  const auto found = values.find(*wanted);
  if (found == values.end()) return {};
  for (const AddressRange& range : found->second) {
    PacketBox one = box;
    if (range.first.family() == box.source.first.family() &&
        narrow_end(mark.end == Field::kSource ? one.source : one.destination, range))
      out.push_back(one);
  }
  return {};
}

Result<PacketSet, std::string> ElementSets::matching(const std::string& map, const std::vector<Field>& key,
                                                     const Mark& mark) {
  const auto name = std::tuple(map, key, mark);
  if (const auto known = matching_.find(name); known != matching_.end()) return known->second;
  std::vector<PacketBox> boxes;
  const Set& set = *TRY(find(map));
  boxes.reserve(set.elements.size());
  for (const std::string& each : set.elements) TRY(add_element(each, key, mark, boxes));
  return matching_.emplace(name, PacketSet::of(std::move(boxes))).first->second;
}

}  // namespace firewall
