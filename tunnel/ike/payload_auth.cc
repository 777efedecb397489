// RFC 7296 3.5-3.8.
#include "tunnel/ike/payload_auth.h"

#include <algorithm>

#include "tunnel/crypto/distinguished_name.h"
#include "tunnel/wire/reader.h"

namespace tunnel::ike {
namespace {

std::unexpected<ParseFailure> fail(ParseError error) {
  return std::unexpected(ParseFailure{error});
}

bool is_printable(wire::ConstBytes data) {
  return std::ranges::all_of(data, [](std::uint8_t octet) { return octet > 0x20 && octet < 0x7f; });
}

// RFC 7296 3.5: FQDN and e-mail have no terminator; anything that is no visible ASCII would only confuse a reader.
bool is_well_formed(const Identity& identity) {
  switch (identity.type) {
    case IdType::kIpv4:
      return identity.data.size() == 4;
    case IdType::kIpv6:
      return identity.data.size() == 16;
    case IdType::kFqdn:
    case IdType::kEmail:
      return identity.data.size() <= 255 && is_printable(identity.data);
    case IdType::kDn:
      return crypto::DistinguishedName::parse(identity.data).has_value();
    case IdType::kGeneralName:
    case IdType::kKeyId:
      return true;
  }
  return false;
}

std::string hex(wire::ConstBytes data) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : data.first(std::min<std::size_t>(data.size(), 512))) {
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text;
}

// As a person writes it into the configuration.
std::string name_text(wire::ConstBytes data) {
  const auto name = crypto::DistinguishedName::parse(data);
  return name ? name->text() : hex(data);
}

std::string address_text(wire::ConstBytes data) {
  wire::Reader reader(data);
  return data.size() == 4 ? wire::IpAddress::v4(reader.array<4>()).to_string()
                          : wire::IpAddress::v6(reader.array<16>()).to_string();
}

}  // namespace

Result<Identity, ParseFailure> parse_identity(wire::ConstBytes body) {
  wire::Reader reader(body);
  const IdType type{reader.u8()};
  reader.skip(3);
  const Identity identity{type, reader.rest()};
  if (!reader.good() || identity.data.empty() || !is_well_formed(identity)) return fail(ParseError::kIdentity);
  return identity;
}

Result<CertificatePayload, ParseFailure> parse_certificate(wire::ConstBytes body) {
  if (body.size() < 2) return fail(ParseError::kCertificate);
  return CertificatePayload{CertificateEncoding{body[0]}, body.subspan(1)};
}

Result<CertificateRequest, ParseFailure> parse_certificate_request(wire::ConstBytes body) {
  if (body.empty()) return fail(ParseError::kCertificate);
  const CertificateRequest request{CertificateEncoding{body[0]}, body.subspan(1)};
  // RFC 7296 3.7: of X.509 encodings the hashes stand without padding.
  if (request.encoding == CertificateEncoding::kX509Signature && request.authorities.size() % kAuthorityHash != 0) {
    return fail(ParseError::kCertificate);
  }
  return request;
}

Result<Authentication, ParseFailure> parse_authentication(wire::ConstBytes body) {
  wire::Reader reader(body);
  const AuthMethod method{reader.u8()};
  reader.skip(3);
  if (!reader.good() || reader.rest().empty()) return fail(ParseError::kAuthentication);
  return Authentication{method, reader.rest()};
}

Result<DigitalSignature, ParseFailure> parse_digital_signature(wire::ConstBytes data) {
  wire::Reader reader(data);
  const wire::ConstBytes algorithm = reader.take(reader.u8());
  if (!reader.good() || algorithm.empty() || reader.rest().empty()) return fail(ParseError::kAuthentication);
  return DigitalSignature{algorithm, reader.rest()};
}

void append(Chain& chain, PayloadType type, const Identity& identity) {
  wire::Writer& writer = chain.begin(type);
  writer.u8(static_cast<std::uint8_t>(identity.type));
  writer.zeros(3);
  writer.octets(identity.data);
  chain.end();
}

void append(Chain& chain, const CertificatePayload& payload) {
  wire::Writer& writer = chain.begin(PayloadType::kCertificate);
  writer.u8(static_cast<std::uint8_t>(payload.encoding));
  writer.octets(payload.data);
  chain.end();
}

void append(Chain& chain, const CertificateRequest& payload) {
  wire::Writer& writer = chain.begin(PayloadType::kCertificateRequest);
  writer.u8(static_cast<std::uint8_t>(payload.encoding));
  writer.octets(payload.authorities);
  chain.end();
}

void append(Chain& chain, const Authentication& payload) {
  wire::Writer& writer = chain.begin(PayloadType::kAuthentication);
  writer.u8(static_cast<std::uint8_t>(payload.method));
  writer.zeros(3);
  writer.octets(payload.data);
  chain.end();
}

void append(Chain& chain, const DigitalSignature& signature) {
  wire::require(signature.algorithm.size() <= 255);
  wire::Writer& writer = chain.begin(PayloadType::kAuthentication);
  writer.u8(static_cast<std::uint8_t>(AuthMethod::kDigitalSignature));
  writer.zeros(3);
  writer.u8(static_cast<std::uint8_t>(signature.algorithm.size()));
  writer.octets(signature.algorithm);
  writer.octets(signature.signature);
  chain.end();
}

std::string to_string(const Identity& identity) {
  switch (identity.type) {
    case IdType::kIpv4:
    case IdType::kIpv6:
      return "ip:" + address_text(identity.data);
    case IdType::kFqdn:
      return "fqdn:" + std::string(identity.data.begin(), identity.data.end());
    case IdType::kEmail:
      return "email:" + std::string(identity.data.begin(), identity.data.end());
    case IdType::kDn:
      return "dn:" + name_text(identity.data);
    case IdType::kGeneralName:
      return "gn:" + hex(identity.data);
    case IdType::kKeyId:
      break;
  }
  return "keyid:" + hex(identity.data);
}

}  // namespace tunnel::ike
