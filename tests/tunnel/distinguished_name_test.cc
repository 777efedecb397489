// Distinguished names: what a person writes, what comes out, and which names are one.
#include <catch2/catch.hpp>

#include "tests/tunnel/ike_messages.h"
#include "tunnel/crypto/distinguished_name.h"

using namespace ike_test;
using tunnel::crypto::compare_names;
using tunnel::crypto::DistinguishedName;

namespace {

std::string text_of(std::string_view text) {
  const auto name = DistinguishedName::parse_text(text);
  return name ? name->text() : "octet " + std::to_string(name.error().at) + ": " + name.error().what;
}

bool same(std::string_view a, std::string_view b) {
  return DistinguishedName::parse_text(a).value() == DistinguishedName::parse_text(b).value();
}

void refused(std::string_view text, std::size_t at, std::string_view words) {
  const auto name = DistinguishedName::parse_text(text);
  INFO(text);
  REQUIRE_FALSE(name.has_value());
  INFO(name.error().what);
  CHECK(name.error().at == at);
  CHECK(name.error().what.find(words) != std::string::npos);
}

}  // namespace

// RFC 4514 2.1: the text begins with what the DER has last.
TEST_CASE("dn: the text is RFC 4514's, the DER is the other way round") {
  CHECK(DistinguishedName::parse_text("CN=rtx, O=b")->der() ==
        hex("301a310a3008060355040a0c0162310c300a06035504030c03727478"));
  CHECK(text_of("CN=rtx,  O = Hakodate Hospital ,C=JP") == "CN=rtx,O=Hakodate Hospital,C=JP");
  CHECK(text_of("cn=a,emailaddress=a@b.example,dc=example,2.5.4.5=7") ==
        "CN=a,emailAddress=a@b.example,DC=example,serialNumber=7");
  CHECK(text_of("CN=a+UID=b,O=c") == text_of("UID=b+CN=a,O=c"));  // one level: a SET, in the order of DER
}

// RFC 4514 2.4.
TEST_CASE("dn: escapes") {
  CHECK(text_of("CN=a\\, b\\+c\\=d") == "CN=a\\, b\\+c=d");
  CHECK(same("CN=a\\2Cb", "CN=a\\,b"));
  CHECK(same("CN=\\E5\\87\\BD\\E9\\A4\\A8", "CN=函館"));
  CHECK(text_of("CN=函館") == "CN=\\E5\\87\\BD\\E9\\A4\\A8");
  CHECK(text_of("CN=\\#a") == "CN=\\#a");
  CHECK(text_of("CN=\\#") == "CN=\\#");  // its begin and its end
  CHECK(text_of("CN=\\#,O=\\#") == "CN=\\#,O=\\#");
  CHECK(text_of("CN=a\\ ") == "CN=a\\ ");
}

TEST_CASE("dn: what is printed is read again as the same name") {
  for (const char* text : {"CN=a, O=b, C=JP", "CN=\\ a\\, \\\"b\\\"\\;\\<\\>\\\\, O=函館", "CN=a+UID=b, DC=x, DC=y",
                           "CN=a, 1.3.6.1.4.1.99999.1=b",
                           "serialNumber=1, SN=x, GN=y, title=z, STREET=s, postalCode=p, dnQualifier=q, L=l, ST=t"}) {
    const auto name = DistinguishedName::parse_text(text).value();
    CHECK(DistinguishedName::parse_text(name.text()).value().der() == name.der());
    CHECK(DistinguishedName::parse(name.der()).value() == name);
  }
}

TEST_CASE("dn: what is no name says where and what would be right") {
  refused("", 0, "\"CN=router\"");
  refused("rtx", 0, "\"CN=router\"");
  refused("CN=a, Hospital", 6, "a comma inside a value");
  refused("CN=a,", 5, "\"CN=router\"");
  refused("CN=a, Q=b", 6, "\"Q\" is no attribute of a name; CN, O");
  refused("RSA-SHA256=a", 0, "is no attribute");  // known to OpenSSL, but of another world
  refused("1.2.840.113549.1.1.11=a", 0, "is no attribute");
  refused("2.5." + std::string(61, '4') + "=a", 0, "is no attribute");
  refused("9.9.9=a", 0, "is no attribute");
  refused("2.5.." + std::string(50, '.') + "4=a", 0, "is no attribute");  // OpenSSL: zeros
  refused("2.5.04.5=a", 0, "is no attribute");
  refused("=a", 0, "is no attribute");
  refused("CN=, O=b", 3, "missing");
  refused("CN=a, O= ", 9, "missing");
  refused("CN=#0c0161", 3, "hexadecimal");
  refused("CN=a\"b", 4, "write \"\\\"\"");
  refused("CN=a;O=b", 4, "write \"\\;\"");
  refused("CN=a\\zz", 4, "two hexadecimal digits");
  refused("CN=a\\", 4, "two hexadecimal digits");
  refused("CN=a\\00b", 4, "control character");
  refused("CN=a\nb", 4, "control character");
  refused("CN=a, C=Japan", 6, "two letters");
  refused("CN=\\ff", 0, "cannot have this value");  // no UTF-8
  refused("CN=" + std::string(65, 'a'), 0, "too long");
}

// RFC 5280 7.1.
TEST_CASE("dn: case, repeated spaces and the kind of string make no difference, anything else does") {
  CHECK(same("CN=RTX, O=Hakodate  Hospital", "cn=rtx,o=hakodate hospital"));
  CHECK_FALSE(same("CN=rtx, O=b", "O=b, CN=rtx"));
  CHECK_FALSE(same("CN=rtx, O=b", "CN=rtx"));
  CHECK_FALSE(same("CN=rtx, O=b", "CN=rtx, O=b, O=b"));
  CHECK_FALSE(same("CN=rtx, O=b", "CN=rtx, OU=b"));
  CHECK_FALSE(same("CN=rtx, O=b", "CN=rtx+O=b"));
  CHECK_FALSE(same("CN=rtx", "CN=rtx1"));
  const auto utf8 = hex("300e310c300a06035504030c03727478"), printable = hex("300e310c300a06035504031303525458");
  CHECK(std::is_eq(compare_names(utf8, printable)));
  CHECK(std::is_neq(compare_names(utf8, hex("300e310c300a06035504031303525459"))));
}

TEST_CASE("dn: octets that are no name are none, and equal only themselves") {
  const auto good = DistinguishedName::parse_text("CN=rtx")->der();
  Octets trailing = good, cut = good;
  trailing.push_back(0), cut.pop_back();
  const auto level = [&](std::size_t count) {
    std::string text = "CN=rtx";
    for (std::size_t i = 0; i < count; ++i) text += ", OU=" + std::string(60, 'a');
    return DistinguishedName::parse_text(text);
  };
  REQUIRE(level(14).has_value());
  CHECK(level(15).error().what == "the name is too long");
  for (const Octets& bad : {Octets{}, hex("3000"), hex("30023100"), trailing, cut, Octets(40, 0x30)}) {
    CHECK_FALSE(DistinguishedName::parse(bad).has_value());
    CHECK(std::is_gt(compare_names(bad, good)));
    CHECK(std::is_lt(compare_names(good, bad)));
    CHECK(std::is_eq(compare_names(bad, bad)));
  }
  CHECK(std::is_neq(compare_names(trailing, cut)));
}
