// Distinguished names of X.509 as identities: OpenSSL's X509_NAME reads, writes, prints and compares them. Only the
// text a person writes (RFC 4514) is taken apart here.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value/result.h"

struct X509_name_st;

namespace tunnel::crypto {

class DistinguishedName {
 public:
  using Octets = std::span<const std::uint8_t>;
  static constexpr std::size_t kLargest =
      1024;  // octets of DER; a stranger's name is read a few times before he is known
  // One DER name with at least one attribute, and nothing after it.
  [[nodiscard]] static std::optional<DistinguishedName> parse(Octets der);

  struct TextFault {
    std::size_t at = 0;  // octets before the place
    std::string what;    // what is wrong and what would be right
  };
  // "CN=rtx, O=Hakodate Hospital, C=JP": the nearest first, as RFC 4514 2.1 has it; DER has it last. Attributes by name
  // in any case, or as an OID; "+" joins several of one level; "\," and "\2C" escape; spaces around do not count.
  [[nodiscard]] static config::value::Result<DistinguishedName, TextFault> parse_text(std::string_view text);

  [[nodiscard]] std::vector<std::uint8_t> der() const;
  [[nodiscard]] std::string text() const;  // RFC 4514, printable ASCII, at most kLongestText; parse_text takes it
  static constexpr std::size_t kLongestText = 512;

  // RFC 5280 7.1: letters' case, the kind of string and repeated spaces make no difference.
  friend bool operator==(const DistinguishedName& a, const DistinguishedName& b) { return (a <=> b) == 0; }
  friend std::weak_ordering operator<=>(const DistinguishedName& a, const DistinguishedName& b);

 private:
  explicit DistinguishedName(std::shared_ptr<const X509_name_st> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<const X509_name_st> handle_;
};

// The same of two DERs. What is no name is equal to its own octets alone and comes after every name.
[[nodiscard]] std::weak_ordering compare_names(DistinguishedName::Octets a, DistinguishedName::Octets b);

// For records: RFC 4514 text, printable ASCII, at most DistinguishedName::kLongestText.
[[nodiscard]] std::string text_of(const X509_name_st* name);

}  // namespace tunnel::crypto
