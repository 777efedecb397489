#include "gateway/daemon/last_good.h"

#include <charconv>

#include "gateway/daemon/state_value.h"
#include "tunnel/wireguard/timestamp.h"

namespace gateway::daemon {

namespace {

std::string plan_path(const std::string& state) {
  return state + "/last-good/plan.bin";
}
std::string floor_path(const std::string& state) {
  return state + "/timestamp-floor";
}

}  // namespace

os::OsResult<void> keep_last_good(const std::string& state_directory, const LastGood& kept) {
  return write_state_value(plan_path(state_directory), kept);
}

os::OsResult<void> link_last_good(const std::string& state_directory, const std::string& file) {
  return os::link_state_file(file, plan_path(state_directory));
}

std::optional<LastGood> read_last_good(const std::string& state_directory) {
  auto kept = read_state_value<LastGood>(plan_path(state_directory), kMostKeptOctets);
  return kept ? *std::move(kept) : std::nullopt;
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
