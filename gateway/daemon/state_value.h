// A value of ours in a file of the state folder: BLAKE2b-256 of its octets (gateway/core/codec.h), then the octets.
// Written whole or not at all; what was damaged is found, and what another version wrote is not taken for ours.
#pragma once

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gateway/core/codec.h"
#include "gateway/os/state_files.h"

namespace gateway::daemon {

inline constexpr std::size_t kStateDigestSize = 32;

[[nodiscard]] inline std::vector<std::uint8_t> state_digest(std::span<const std::uint8_t> octets) {
  std::vector<std::uint8_t> digest(kStateDigestSize);
  crypto_generichash(digest.data(), digest.size(), octets.data(), octets.size(), nullptr, 0);
  return digest;
}

// Durable when it returns without an error; else what was there before still is.
template <class T>
[[nodiscard]] os::OsResult<void> write_state_value(const std::string& path, const T& value) {
  const auto body = core::encode(value);
  auto file = state_digest(body);
  file.insert(file.end(), body.begin(), body.end());
  return os::replace_state_file(path, file);
}

// Empty: there is no such file. The error is a sentence that begins with the path.
template <class T>
[[nodiscard]] config::value::Result<std::optional<T>, std::string> read_state_value(const std::string& path,
                                                                                    std::size_t most_octets) {
  const auto file = os::read_state_file(path, most_octets);
  if (!file) return std::unexpected(path + ": " + file.error().to_string());
  if (!*file) return std::optional<T>();
  const std::span<const std::uint8_t> octets(**file);
  if (octets.size() < kStateDigestSize) return std::unexpected(path + ": is damaged (too short)");
  const auto body = octets.subspan(kStateDigestSize);
  if (!std::ranges::equal(state_digest(body), octets.first(kStateDigestSize)))
    return std::unexpected(path + ": is damaged (its content does not fit its digest)");
  auto value = core::decode<T>(body);
  if (!value) return std::unexpected(path + ": is of another version of the gateway");
  return value;
}

}  // namespace gateway::daemon
