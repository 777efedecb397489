// For tables by prefix of what a plan says often: rows name few prefixes, each many times. Not for keys an attacker may
// choose without a bound on their number.
#pragma once

#include "config/value/address.h"

namespace policy {

struct PrefixHash {
  std::size_t operator()(const config::value::Prefix& prefix) const noexcept {
    return config::value::AddressHash()(prefix.address()) * 131 + prefix.length();
  }
};

}  // namespace policy
