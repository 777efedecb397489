#include "firewall/element_octets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <optional>

#include "firewall/rule_text.h"

namespace firewall {
namespace {

using config::value::Family;
using config::value::IpAddress;
using config::value::Prefix;
using config::value::Result;

constexpr std::size_t kAlignment = 4;

std::string octets_of(const IpAddress& address) {
  const auto octets = address.octets();
  return {octets.begin(), octets.end()};
}

std::string octets_of(std::uint32_t mark) {
  std::string out(sizeof mark, '\0');
  std::memcpy(out.data(), &mark, sizeof mark);
  return out;
}

std::string octets_of_port(std::uint16_t port) {
  return {static_cast<char>(port >> 8), static_cast<char>(port & 0xff)};
}

std::uint8_t octet(std::string_view octets, std::size_t at) {
  return static_cast<std::uint8_t>(octets[at]);
}

std::uint32_t port_of(std::string_view octets) {
  return std::uint32_t{octet(octets, 0)} << 8 | octet(octets, 1);
}

std::string hex(std::string_view octets) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    out += kDigits[octet(octets, i) >> 4];
    out += kDigits[octet(octets, i) & 0xf];
  }
  return out;
}

std::string mark_text(std::string_view octets) {
  std::uint32_t mark = 0;
  std::memcpy(&mark, octets.data(), sizeof mark);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "0x00000000";
  for (std::size_t i = 0; i < 8; ++i) out[9 - i] = kDigits[mark >> (4 * i) & 0xf];
  return out;
}

IpAddress address_of(std::string_view octets) {
  std::array<std::uint8_t, 16> all{};
  std::copy(octets.begin(), octets.end(), all.begin());
  return octets.size() == 4 ? IpAddress::v4({all[0], all[1], all[2], all[3]}) : IpAddress::v6(all);
}

// How many first bits both have, when `first` ends in zeros behind them and `last` in ones.
std::optional<std::uint8_t> prefix_length(std::string_view first, std::string_view last) {
  std::size_t same = 0;
  while (same < first.size() && first[same] == last[same]) ++same;
  if (same == first.size()) return static_cast<std::uint8_t>(8 * same);
  const unsigned int low = octet(first, same), high = octet(last, same), apart = low ^ high;
  if ((low & apart) != 0 || (apart & (apart + 1)) != 0) return std::nullopt;
  for (std::size_t i = same + 1; i < first.size(); ++i)
    if (octet(first, i) != 0 || octet(last, i) != 0xff) return std::nullopt;
  std::size_t bits = 8;
  for (unsigned int left = apart; left != 0; left >>= 1) --bits;
  return static_cast<std::uint8_t>(8 * same + bits);
}

std::string address_text(std::string_view first, std::string_view last) {
  const IpAddress begin = address_of(first);
  if (first == last) return begin.to_string();
  if (const auto length = prefix_length(first, last)) return begin.to_string() + "/" + std::to_string(*length);
  return begin.to_string() + "-" + address_of(last).to_string();
}

std::string protocol_text(std::uint8_t number) {
  if (number == 6) return "tcp";
  if (number == 17) return "udp";
  return std::to_string(number);
}

// One more; false when there is none.
bool step_up(std::string& octets) {
  for (auto at = octets.rbegin(); at != octets.rend(); ++at)
    if (*at = static_cast<char>(static_cast<std::uint8_t>(*at) + 1); *at != 0) return true;
  return false;
}

void step_down(std::string& octets) {
  for (auto at = octets.rbegin(); at != octets.rend(); ++at) {
    const bool borrows = *at == 0;
    *at = static_cast<char>(static_cast<std::uint8_t>(*at) - 1);
    if (!borrows) return;
  }
}

// "a . b" -> "a", leaving "b".
std::string_view take_part(std::string_view& rest) {
  const auto dot = rest.find(" . ");
  const auto part = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 3);
  return part;
}

// "dynamic,timeout"
bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const auto comma = words.find(',');
    if (words.substr(0, comma) == word) return true;
    words = comma == std::string_view::npos ? std::string_view() : words.substr(comma + 1);
  }
  return false;
}

std::string unread_element(const ElementOctets& each) {
  return "? " + hex(each.key) + (each.key_end.empty() ? "" : "-" + hex(each.key_end)) + (each.ends ? " ends" : "") +
         (each.more ? " and more" : "") + (each.value.empty() ? "" : " : " + hex(each.value));
}

std::string not_of_its_type(std::string_view element) {
  return "the element \"" + std::string(element) + "\" is not of its set's type";
}

}  // namespace

std::size_t ElementForm::octets_of(Field field) {
  switch (field) {
    case Field::kAddress4:
    case Field::kMark:
      return 4;
    case Field::kAddress6:
      return 16;
    case Field::kProtocol:
      return 1;
    case Field::kPort:
      return 2;
  }
  return 0;
}

Result<ElementForm, std::string> ElementForm::of(const Set& set) {
  static constexpr std::pair<std::string_view, Field> kFields[] = {{"ipv4_addr", Field::kAddress4},
                                                                   {"ipv6_addr", Field::kAddress6},
                                                                   {"mark", Field::kMark},
                                                                   {"inet_proto", Field::kProtocol},
                                                                   {"inet_service", Field::kPort}};
  const auto unknown = [&] { return std::unexpected("@" + set.name + " is of an unknown form: " + set.type); };
  ElementForm form;
  form.map_ = set.kind == "map", form.interval_ = has_word(set.flags, "interval");
  std::string_view rest = set.type;
  if (form.map_) {
    if (!rest.ends_with(" : mark")) return unknown();
    rest.remove_suffix(7);
  }
  while (!rest.empty()) {
    const auto* const known = std::ranges::find(kFields, take_part(rest), &std::pair<std::string_view, Field>::first);
    if (known == std::end(kFields)) return unknown();
    form.key_.push_back(known->second);
  }
  // Such intervals are in the order of their octets: of the machine's own order that is another one.
  if (form.key_.empty() || (form.simple_interval() && form.key_[0] == Field::kMark)) return unknown();
  return form;
}

std::size_t ElementForm::key_size() const {
  if (key_.size() == 1) return octets_of(key_[0]);
  std::size_t size = 0;
  for (const Field field : key_) size += (octets_of(field) + kAlignment - 1) / kAlignment * kAlignment;
  return size;
}

Result<ElementForm::Ends, std::string> ElementForm::read(Field field, std::string_view text) {
  const auto refused = [&] { return std::unexpected(not_of_its_type(text)); };
  const auto dash = text.find('-');
  const std::string_view low = text.substr(0, dash),
                         high = dash == std::string_view::npos ? low : text.substr(dash + 1);
  switch (field) {
    case Field::kAddress4:
    case Field::kAddress6: {
      const auto family = field == Field::kAddress4 ? Family::kV4 : Family::kV6;
      const auto first = Prefix::parse(low), last = Prefix::parse(high);
      if (!first || !last || first->address().family() != family || last->address().family() != family)
        return refused();
      if (dash != std::string_view::npos && (!first->is_host() || !last->is_host())) return refused();
      return Ends{firewall::octets_of(first->address()), firewall::octets_of(policy::range_of(*last).last)};
    }
    case Field::kMark: {
      const auto number = number_of(text);
      if (!number) return refused();
      return Ends{firewall::octets_of(*number), firewall::octets_of(*number)};
    }
    case Field::kProtocol: {
      const auto number = protocol_number(text);
      if (!number) return refused();
      return Ends{std::string(1, static_cast<char>(*number)), std::string(1, static_cast<char>(*number))};
    }
    case Field::kPort: {
      const auto first = number_of(low), last = number_of(high);
      if (!first || !last || *first > 0xffff || *last > 0xffff) return refused();
      return Ends{octets_of_port(static_cast<std::uint16_t>(*first)),
                  octets_of_port(static_cast<std::uint16_t>(*last))};
    }
  }
  return refused();
}

Result<void, std::string> ElementForm::encode(std::string_view element, std::vector<ElementOctets>& out) const {
  const auto refused = [&] { return std::unexpected(not_of_its_type(element)); };
  std::string_view rest = element;
  ElementOctets made;
  if (map_) {
    const auto colon = element.rfind(" : ");
    const auto mark = colon == std::string_view::npos ? std::nullopt : number_of(element.substr(colon + 3));
    if (!mark) return refused();
    made.value = firewall::octets_of(*mark);
    rest = element.substr(0, colon);
  }
  for (std::size_t i = 0; i < key_.size(); ++i) {
    if (rest.empty()) return refused();
    const auto ends = read(key_[i], take_part(rest));
    if (!ends || ends->first > ends->last || (!interval_ && ends->first != ends->last)) return refused();
    made.key += ends->first, made.key_end += ends->last;
    if (key_.size() == 1) continue;
    const std::size_t padding = (kAlignment - made.key.size() % kAlignment) % kAlignment;
    made.key.append(padding, '\0'), made.key_end.append(padding, '\0');
  }
  if (!rest.empty()) return refused();
  if (!simple_interval()) {
    if (!interval_) made.key_end.clear();
    out.push_back(std::move(made));
    return {};
  }
  std::string behind = std::exchange(made.key_end, {});
  out.push_back(std::move(made));
  if (step_up(behind)) out.push_back({std::move(behind), {}, {}, true});
  return {};
}

std::string ElementForm::write(Field field, std::string_view first, std::string_view last) {
  switch (field) {
    case Field::kAddress4:
    case Field::kAddress6:
      return address_text(first, last);
    case Field::kMark:
      return mark_text(first) + (first == last ? "" : "-" + mark_text(last));
    case Field::kProtocol:
      return protocol_text(octet(first, 0)) + (first == last ? "" : "-" + protocol_text(octet(last, 0)));
    case Field::kPort:
      return std::to_string(port_of(first)) + (first == last ? "" : "-" + std::to_string(port_of(last)));
  }
  return "?";
}

std::vector<std::uint32_t> ElementForm::field_sizes() const {
  std::vector<std::uint32_t> sizes;
  for (const Field field : key_) sizes.push_back(static_cast<std::uint32_t>(octets_of(field)));
  return key_.size() < 2 ? std::vector<std::uint32_t>() : sizes;
}

// Nothing but zeros between the fields: other octets there are another key, that no packet has.
bool ElementForm::is_well_formed(const std::string& key) const {
  if (key.size() != key_size()) return false;
  std::size_t at = 0;
  for (const Field field : key_) {
    const std::size_t end = at + octets_of(field);
    at = (end + kAlignment - 1) / kAlignment * kAlignment;
    if (key_.size() > 1 && key.find_first_not_of('\0', end) < at) return false;
  }
  return true;
}

std::string ElementForm::text_of(const std::string& first, const std::string& last, const std::string& value) const {
  if (first.empty() && last.empty()) return "*" + (map_ ? " : " + hex(value) : "");
  std::string out;
  std::size_t at = 0;
  for (const Field field : key_) {
    if (at != 0) out += " . ";
    const std::size_t octets = octets_of(field);
    out += write(field, std::string_view(first).substr(at, octets), std::string_view(last).substr(at, octets));
    at += (octets + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (map_) out += " : " + mark_text(value);
  return out;
}

// Each begins where it says, and ends before the next beginning or end.
std::vector<std::string> ElementForm::decode_intervals(std::vector<ElementOctets> elements) const {
  std::ranges::sort(elements, [](const ElementOctets& a, const ElementOctets& b) {
    return a.key != b.key ? a.key < b.key : a.ends && !b.ends;
  });
  std::vector<std::string> out;
  const ElementOctets* open = nullptr;
  for (const ElementOctets& each : elements) {
    if (open != nullptr) {
      std::string last = each.key;
      step_down(last);
      out.push_back(text_of(open->key, last, open->value));
    } else if (each.ends && each.key.find_first_not_of('\0') != std::string::npos) {
      out.push_back(unread_element(each));  // ends nothing
    }
    open = each.ends ? nullptr : &each;
  }
  if (open != nullptr) out.push_back(text_of(open->key, std::string(key_size(), '\xff'), open->value));
  return out;
}

std::vector<std::string> unread_elements(const std::vector<ElementOctets>& elements) {
  std::vector<std::string> out;
  for (const ElementOctets& each : elements) out.push_back(unread_element(each));
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> ElementForm::decode(std::vector<ElementOctets> elements) const {
  const auto readable = [this](const ElementOctets& each) {
    if (each.more || (each.ends && !simple_interval())) return false;
    if (each.key.empty()) return each.key_end.empty() && !each.ends;  // all other keys
    const bool interval_end = !each.key_end.empty();
    if (interval_end && (key_.size() < 2 || !interval_ || !is_well_formed(each.key_end))) return false;
    const std::size_t value = map_ && !each.ends ? sizeof(std::uint32_t) : 0;
    return is_well_formed(each.key) && each.value.size() == value;
  };
  const auto odd = std::ranges::partition(elements, readable);
  std::vector<std::string> out = unread_elements({odd.begin(), odd.end()});
  elements.erase(odd.begin(), odd.end());
  out.reserve(out.size() + elements.size());
  const auto others = std::ranges::partition(elements, [](const ElementOctets& each) { return !each.key.empty(); });
  for (const ElementOctets& each : others) out.push_back(text_of({}, {}, each.value));
  elements.erase(others.begin(), others.end());
  if (simple_interval())
    std::ranges::move(decode_intervals(std::move(elements)), std::back_inserter(out));
  else
    for (const ElementOctets& each : elements)
      out.push_back(text_of(each.key, each.key_end.empty() ? each.key : each.key_end, each.value));
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());  // the kernel may list one twice
  return out;
}

}  // namespace firewall
