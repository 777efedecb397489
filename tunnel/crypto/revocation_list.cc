#include "tunnel/crypto/revocation_list.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tunnel/crypto/certificate_times.h"
#include "tunnel/crypto/distinguished_name.h"
#include "tunnel/crypto/openssl_handles.h"

namespace tunnel::crypto {
namespace {

using Handle = std::shared_ptr<X509_crl_st>;

Handle parse_der(std::span<const std::uint8_t> file) {
  const unsigned char* at = file.data();
  Handle list(d2i_X509_CRL(nullptr, &at, static_cast<long>(file.size())), X509_CRL_free);
  return at == file.data() + file.size() ? list : nullptr;
}

// PEM_read_bio passes over what stands between lists; a list that does not parse ends with an error of its own.
std::vector<Handle> parse_pem(std::span<const std::uint8_t> file) {
  const std::unique_ptr<BIO, openssl::Free<BIO_free>> source(
      BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
  std::vector<Handle> lists;
  while (source != nullptr && lists.size() <= RevocationList::kMost) {
    Handle list(PEM_read_bio_X509_CRL(source.get(), nullptr, nullptr, nullptr), X509_CRL_free);
    if (list == nullptr) {
      const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      return end ? lists : std::vector<Handle>();
    }
    lists.push_back(std::move(list));
  }
  return {};
}

}  // namespace

std::optional<std::vector<RevocationList>> RevocationList::parse(std::span<const std::uint8_t> file) {
  if (file.empty() || file.size() > kLargestFile) return std::nullopt;
  std::vector<RevocationList> lists;
  if (Handle one = parse_der(file)) {
    lists.push_back(RevocationList(std::move(one)));
  } else {
    for (Handle& each : parse_pem(file)) lists.push_back(RevocationList(std::move(each)));
  }
  ERR_clear_error();
  if (lists.empty()) return std::nullopt;
  return lists;
}

std::string RevocationList::issuer() const {
  return text_of(X509_CRL_get_issuer(handle_.get()));
}

WallTime RevocationList::this_update() const {
  return wall_time(X509_CRL_get0_lastUpdate(handle_.get()));
}

std::optional<WallTime> RevocationList::next_update() const {
  const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(handle_.get());
  return next == nullptr ? std::nullopt : std::optional(wall_time(next));
}

bool RevocationList::is_of(const Certificate& authority) const {
  if (X509_NAME_cmp(X509_CRL_get_issuer(handle_.get()), X509_get_subject_name(authority.handle())) != 0) return false;
  const bool good = X509_CRL_verify(handle_.get(), X509_get0_pubkey(authority.handle())) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace tunnel::crypto
