// RFC 4514 text and RFC 5280 7.1 comparison; the ASN.1 is OpenSSL's alone.
#include "tunnel/crypto/distinguished_name.h"

#include <algorithm>
#include <array>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "tunnel/crypto/openssl_handles.h"
#include "tunnel/wire/require.h"

namespace tunnel::crypto {
namespace {

using config::value::Result;
using wire::require;
using Octets = DistinguishedName::Octets;
using TextFault = DistinguishedName::TextFault;
using Object = std::unique_ptr<ASN1_OBJECT, openssl::Free<ASN1_OBJECT_free>>;

struct AttributeName {
  std::string_view name;
  int nid;
};

// RFC 4514 3, and what certificates of routers and of Japanese authorities have besides. OpenSSL's own table would also
// take the names of algorithms.
constexpr AttributeName kNames[] = {{"CN", NID_commonName},
                                    {"C", NID_countryName},
                                    {"O", NID_organizationName},
                                    {"OU", NID_organizationalUnitName},
                                    {"L", NID_localityName},
                                    {"ST", NID_stateOrProvinceName},
                                    {"STREET", NID_streetAddress},
                                    {"DC", NID_domainComponent},
                                    {"UID", NID_userId},
                                    {"E", NID_pkcs9_emailAddress},
                                    {"emailAddress", NID_pkcs9_emailAddress},
                                    {"serialNumber", NID_serialNumber},
                                    {"SN", NID_surname},
                                    {"GN", NID_givenName},
                                    {"title", NID_title},
                                    {"postalCode", NID_postalCode},
                                    {"dnQualifier", NID_dnQualifier},
                                    {"organizationIdentifier", NID_organizationIdentifier}};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

constexpr std::size_t kLongestNumber = 64;  // of an attribute type's text; OpenSSL prints up to 79 characters

// As it is printed again: OpenSSL also reads "2..5" and "2.05", and "2......" as zeros that print longer than written.
Object numbered(const std::string& text) {
  Object object(OBJ_txt2obj(text.c_str(), 1));
  std::array<char, kLongestNumber + 16> printed{};
  if (!object || OBJ_obj2txt(printed.data(), printed.size(), object.get(), 1) < 0 || text != printed.data())
    return nullptr;
  return object;
}

// By a number also what OpenSSL has no name for; of the rest only what is in the table, so that the printed name is
// read.
Object attribute_of(std::string_view name) {
  if (name.size() > kLongestNumber) return nullptr;
  const bool number = name.find_first_not_of("0123456789.") == std::string_view::npos;
  Object object(number ? numbered(std::string(name)) : nullptr);
  const int nid = object ? OBJ_obj2nid(object.get()) : NID_undef;
  if (object && nid == NID_undef) return object;
  const auto found = std::ranges::find_if(kNames, [&](const auto& row) {
    return number ? object && row.nid == nid : std::ranges::equal(row.name, name, {}, lower, lower);
  });
  if (found == std::end(kNames)) return nullptr;
  return Object(OBJ_nid2obj(found->nid));  // OpenSSL's own: freeing it does nothing
}

struct Attribute {
  Object type;
  std::string value;
  bool joined = false;  // to the one before it in the text, by "+"
  std::size_t at = 0;
};

int hex_digit(char c) {
  const auto at = std::string_view("0123456789abcdef").find(lower(c));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  Result<std::vector<Attribute>, TextFault> attributes() {
    std::vector<Attribute> all;
    bool joined = false;
    for (;;) {
      all.push_back(TRY(attribute()));
      all.back().joined = joined;
      if (at_ == text_.size()) return all;
      joined = text_[at_++] == '+';
    }
  }

 private:
  [[nodiscard]] static std::unexpected<TextFault> fault(std::size_t at, std::string what) {
    return std::unexpected(TextFault{at, std::move(what)});
  }

  Result<Attribute, TextFault> attribute() {
    Attribute out;
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    out.at = at_;
    const auto end = std::min(text_.find_first_of("=,+", at_), text_.size());
    const auto name = trimmed(text_.substr(at_, end - at_));
    if (end == text_.size() || text_[end] != '=')
      return fault(out.at, "an attribute is written as \"CN=router\"; a comma inside a value as \"\\,\"");
    out.type = attribute_of(name);
    if (!out.type)
      return fault(out.at, "\"" + std::string(name) +
                               "\" is no attribute of a name; CN, O, OU, L, ST, C, DC, UID, serialNumber, emailAddress "
                               "are, or one by its number as \"2.5.4.5\"");
    at_ = end + 1;
    out.value = TRY(value());
    return out;
  }

  // RFC 4514 2.4. Ends at "," or "+" or at the end of the text.
  Result<std::string, TextFault> value() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    const std::size_t begin = at_;
    if (at_ < text_.size() && text_[at_] == '#')
      return fault(at_, "a value in hexadecimal is not taken; write its text");
    std::string out;
    std::size_t kept = 0;  // without the spaces at the end that nobody escaped
    for (; at_ < text_.size() && text_[at_] != ',' && text_[at_] != '+'; ++at_) {
      const bool escaped = text_[at_] == '\\';
      const std::size_t at = at_;
      const char c = escaped ? TRY(escape()) : text_[at_];
      if (!escaped && std::string_view("\";<>").find(c) != std::string_view::npos)
        return fault(at, std::string("write \"\\") + c + "\" for this character");
      const auto octet = static_cast<unsigned char>(c);
      if (octet < 0x20 || octet == 0x7f) return fault(at, "a control character cannot stand in a name");
      out += c;
      if (escaped || c != ' ') kept = out.size();
    }
    out.resize(kept);
    if (out.empty()) return fault(begin, "the value is missing");
    return out;
  }

  Result<char, TextFault> escape() {
    const std::size_t at = at_++;
    if (at_ < text_.size() && std::string_view(" \"#+,;<=>\\").find(text_[at_]) != std::string_view::npos)
      return text_[at_];
    const int high = at_ < text_.size() ? hex_digit(text_[at_]) : -1;
    const int low = at_ + 1 < text_.size() ? hex_digit(text_[at_ + 1]) : -1;
    if (high < 0 || low < 0) return fault(at, "after \"\\\" stands a special character or two hexadecimal digits");
    ++at_;
    return static_cast<char>(high * 16 + low);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string reason() {
  const char* const words = ERR_reason_error_string(ERR_peek_last_error());
  return words == nullptr ? "it is not text in UTF-8" : words;
}

using Name = std::unique_ptr<X509_NAME, openssl::Free<X509_NAME_free>>;

Result<void, TextFault> put(X509_NAME& name, const Attribute& attribute, bool joined) {
  const auto* const octets = reinterpret_cast<const unsigned char*>(attribute.value.data());
  ERR_clear_error();
  if (X509_NAME_add_entry_by_OBJ(&name, attribute.type.get(), MBSTRING_UTF8, octets,
                                 static_cast<int>(attribute.value.size()), -1, joined ? -1 : 0) == 1)
    return {};
  const bool country = OBJ_obj2nid(attribute.type.get()) == NID_countryName;
  const auto fault = TextFault{attribute.at, "this attribute cannot have this value: " + reason() +
                                                 (country ? "; a country is two letters, as \"C=JP\"" : "")};
  ERR_clear_error();
  return std::unexpected(fault);
}

// RFC 4514 2.1: from the last level of the text to its first.
Result<Name, TextFault> name_of(const std::vector<Attribute>& attributes) {
  Name name(X509_NAME_new());
  require(name != nullptr);
  for (std::size_t end = attributes.size(); end > 0;) {
    std::size_t first = end - 1;
    while (attributes[first].joined) --first;
    for (std::size_t i = first; i < end; ++i) TRY(put(*name, attributes[i], i != first));
    end = first;
  }
  return name;
}

// OpenSSL escapes a number sign at the begin of a value but where it is its end too; read again it would begin a value
// in hexadecimal (RFC 4514 2.4).
void escape_lone_number_signs(std::string& text) {
  for (std::size_t at = text.find("=#"); at != std::string::npos; at = text.find("=#", at + 2))
    if (at + 2 == text.size() || text[at + 2] == ',' || text[at + 2] == '+') text.insert(at + 1, 1, '\\');
}

std::vector<std::uint8_t> der_of(const X509_NAME* name) {
  unsigned char* octets = nullptr;
  const int size = i2d_X509_NAME(name, &octets);
  require(size >= 0);
  std::vector<std::uint8_t> der(octets, octets + size);
  OPENSSL_free(octets);
  return der;
}

}  // namespace

std::optional<DistinguishedName> DistinguishedName::parse(Octets der) {
  if (der.empty() || der.size() > kLargest) return std::nullopt;
  const unsigned char* at = der.data();
  Name name(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (name == nullptr || at != der.data() + der.size() || X509_NAME_entry_count(name.get()) == 0) return std::nullopt;
  return DistinguishedName(std::shared_ptr<const X509_NAME>(name.release(), X509_NAME_free));
}

Result<DistinguishedName, TextFault> DistinguishedName::parse_text(std::string_view text) {
  const auto attributes = TRY(TextReader(text).attributes());
  const Name name = TRY(name_of(attributes));
  // Read back: what a peer's octets go through.
  auto parsed = parse(der_of(name.get()));
  if (!parsed) return std::unexpected(TextFault{0, "the name is too long"});
  return *std::move(parsed);
}

std::vector<std::uint8_t> DistinguishedName::der() const {
  return der_of(handle_.get());
}

std::string DistinguishedName::text() const {
  return text_of(handle_.get());
}

std::weak_ordering operator<=>(const DistinguishedName& a, const DistinguishedName& b) {
  return X509_NAME_cmp(a.handle_.get(), b.handle_.get()) <=> 0;
}

std::weak_ordering compare_names(Octets a, Octets b) {
  const auto first = DistinguishedName::parse(a), second = DistinguishedName::parse(b);
  if (first && second) return *first <=> *second;
  if (first || second) return first ? std::weak_ordering::less : std::weak_ordering::greater;
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
}

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, openssl::Free<BIO_free>> out(BIO_new(BIO_s_mem()));
  require(out != nullptr);
  // Non-ASCII and control characters come out escaped; a type without a name keeps its text.
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(XN_FLAG_DUMP_UNKNOWN_FIELDS));
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  std::string result(text, static_cast<std::size_t>(std::max(size, 0L)));
  std::erase_if(result, [](char c) { return c < 0x20 || c > 0x7e; });
  escape_lone_number_signs(result);
  result.resize(std::min(result.size(), DistinguishedName::kLongestText));
  return result;
}

}  // namespace tunnel::crypto
