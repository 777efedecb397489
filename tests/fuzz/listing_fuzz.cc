// The kernel's listing as hostile text: read_listing returns a value or an error, and comparing never fails.
#include <cstdint>
#include <string>

#include "firewall/compile.h"
#include "firewall/diff.h"
#include "firewall/listing.h"
#include "firewall/render.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  static const firewall::RuleSet kClosed = firewall::closed_rule_set("wan0");
  if (const auto names = firewall::read_names({text, text})) (void)firewall::render(firewall::replace(*names, kClosed));
  const auto read = firewall::read_listing(text);
  if (!read) return 0;
  (void)firewall::differences(kClosed, *read);
  (void)firewall::render(firewall::replace(*read, kClosed));
  return 0;
}
