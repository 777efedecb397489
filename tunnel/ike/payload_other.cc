// RFC 7296 3.15.
#include "tunnel/ike/payload_other.h"

#include "tunnel/wire/reader.h"

namespace tunnel::ike {

Result<Configuration, ParseFailure> parse_configuration(wire::ConstBytes body) {
  const std::unexpected failure(ParseFailure{ParseError::kConfiguration});
  wire::Reader reader(body);
  Configuration configuration;
  configuration.kind = Configuration::Kind{reader.u8()};
  reader.skip(3);
  if (!reader.good()) return failure;
  while (!reader.rest().empty()) {
    if (configuration.attributes.size() == kMaximumAttributes) return failure;
    const auto type = static_cast<std::uint16_t>(reader.u16_be() & 0x7fff);  // the upper bit is reserved
    const wire::ConstBytes value = reader.take(reader.u16_be());
    if (!reader.good()) return failure;
    configuration.attributes.push_back({type, value});
  }
  return configuration;
}

}  // namespace tunnel::ike
