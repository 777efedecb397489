// Files of certificate revocation lists (RFC 5280 5): a DER list alone, or PEM lists one after another, as they are
// when an authority is replaced by another. Parsed and checked by OpenSSL.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tunnel/crypto/certificate.h"

struct X509_crl_st;

namespace tunnel::crypto {

class RevocationList {
 public:
  static constexpr std::size_t kLargestFile = 16 * 1024 * 1024;  // octets
  static constexpr std::size_t kMost = 64;                       // in one file

  // Nothing: none in it, more than kMost, or something that is no list.
  [[nodiscard]] static std::optional<std::vector<RevocationList>> parse(std::span<const std::uint8_t> file);

  // RFC 2253 form, as Certificate::subject().
  [[nodiscard]] std::string issuer() const;
  [[nodiscard]] WallTime this_update() const;  // when it was made
  // RFC 5280 5.1.2.5 demands it; empty when it is missing.
  [[nodiscard]] std::optional<WallTime> next_update() const;
  // Named and signed by this authority.
  [[nodiscard]] bool is_of(const Certificate& authority) const;

  [[nodiscard]] X509_crl_st* handle() const { return handle_.get(); }

 private:
  explicit RevocationList(std::shared_ptr<X509_crl_st> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<X509_crl_st> handle_;
};

}  // namespace tunnel::crypto
