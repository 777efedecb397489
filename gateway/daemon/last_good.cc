#include "gateway/daemon/last_good.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>

#include "gateway/os/state_files.h"
#include "tunnel/wireguard/timestamp.h"

namespace gateway::daemon {

using Octets = std::vector<std::uint8_t>;

namespace {

constexpr std::size_t kMostOctets = 64 << 20;
constexpr std::size_t kDigestSize = 32;

std::string plan_path(const std::string& state) {
  return state + "/last-good/plan.bin";
}
std::string floor_path(const std::string& state) {
  return state + "/timestamp-floor";
}

Octets digest_of(std::span<const std::uint8_t> octets) {
  Octets digest(kDigestSize);
  crypto_generichash(digest.data(), digest.size(), octets.data(), octets.size(), nullptr, 0);
  return digest;
}

}  // namespace

template <class Ar>
void fields(Ar& ar, LastGood& kept) {
  std::uint16_t version = core::kMessageVersion;
  core::transfer_all(ar, version, kept.generation, kept.plan, kept.keys);
  if (version != core::kMessageVersion) ar.fail();
}

os::OsResult<void> keep_last_good(const std::string& state_directory, const LastGood& kept) {
  const Octets body = core::encode(kept);
  Octets file = digest_of(body);
  file.insert(file.end(), body.begin(), body.end());
  return os::replace_state_file(plan_path(state_directory), file);
}

std::optional<LastGood> read_last_good(const std::string& state_directory) {
  const auto file = os::read_state_file(plan_path(state_directory), kMostOctets);
  if (!file || !*file || (*file)->size() < kDigestSize) return std::nullopt;
  const std::span<const std::uint8_t> octets(**file);
  const auto body = octets.subspan(kDigestSize);
  if (!std::ranges::equal(digest_of(body), octets.first(kDigestSize))) return std::nullopt;
  return core::decode<LastGood>(body);
}

config::value::Generation read_last_generation(const std::string& state_directory) {
  const auto kept = read_last_good(state_directory);
  return kept ? kept->generation : config::value::Generation{};
}

os::OsResult<void> keep_timestamp_floor(const std::string& state_directory, std::uint64_t seconds) {
  const auto text = std::to_string(seconds) + "\n";
  return os::replace_state_file(floor_path(state_directory),
                                {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

os::OsResult<std::uint64_t> read_timestamp_floor(const std::string& state_directory) {
  constexpr const char* kEffect =
      "; handshakes follow the clock alone, and a peer that saw a later timestamp does not answer our calls until then";
  const auto path = floor_path(state_directory);
  const auto file = os::read_state_file(path, 64);
  if (!file) return std::unexpected(os::OsError{0, path + ": " + file.error().to_string() + kEffect});
  if (!*file) return 0;
  std::uint64_t seconds = 0;
  const auto* text = reinterpret_cast<const char*>((*file)->data());
  const auto* end = text + (*file)->size();
  const auto read = std::from_chars(text, end, seconds);
  const bool whole = read.ec == std::errc{} && end - read.ptr == 1 && *read.ptr == '\n';
  if (whole && tunnel::wireguard::is_sane_label(seconds)) return seconds;
  return std::unexpected(os::OsError{0, path + ": is damaged" + kEffect});
}

}  // namespace gateway::daemon
