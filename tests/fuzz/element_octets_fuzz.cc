// Elements of a set that strangers wrote, and element texts: what can be written is read back as itself, and nothing
// else crashes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "firewall/element_octets.h"

namespace {

const firewall::Set kSets[] = {
    {"a", "set", "ipv4_addr", "interval", {}},
    {"b", "map", "ipv6_addr : mark", "interval", {}},
    {"c", "map", "mark . ipv6_addr . inet_proto . inet_service : mark", "", {}},
    {"d", "map", "ipv4_addr . ipv4_addr . inet_proto . inet_service : mark", "interval", {}},
};

std::string take(std::string& data, std::size_t size) {
  const auto out = data.substr(0, size);
  data.erase(0, size);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  if (size == 0) return 0;
  std::string data(reinterpret_cast<const char*>(octets) + 1, size - 1);
  const auto form = firewall::ElementForm::of(kSets[octets[0] % std::size(kSets)]);
  std::vector<firewall::ElementOctets> written;
  if (form->encode(data, written)) {
    const auto texts = form->decode(written);
    std::vector<firewall::ElementOctets> again;
    if (texts.size() != 1 || !form->encode(texts[0], again) || again != written) std::abort();
  }
  std::vector<firewall::ElementOctets> elements;
  while (data.size() > 3) {
    const auto head = take(data, 3);
    const auto length = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<std::uint8_t>(head[at])) % 40;
    };
    firewall::ElementOctets one;
    one.key = take(data, length(0)), one.key_end = take(data, length(1) % 4 == 0 ? length(1) : 0);
    one.value = take(data, length(2) % 8), one.ends = static_cast<std::uint8_t>(head[2]) > 127;
    elements.push_back(std::move(one));
  }
  (void)firewall::unread_elements(elements);
  (void)form->decode(std::move(elements));
  return 0;
}
