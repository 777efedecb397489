#include "gateway/daemon/change_store.h"

#include <sodium.h>

#include <algorithm>
#include <filesystem>

#include "gateway/os/state_files.h"

namespace config {
template <class Ar>
void fields(Ar& ar, SourceFile& file) {
  gateway::core::transfer_all(ar, file.path, file.text);
}
}  // namespace config

namespace gateway::daemon {
namespace {

using Octets = std::vector<std::uint8_t>;
using config::value::Generation;

constexpr std::size_t kMostOctets = 256 << 20;  // a plan of 10,000 facilities and its files are about a tenth
constexpr std::size_t kDigestSize = 32;
constexpr const char* kHistory = "/changes";
constexpr const char* kEnding = ".plan";

Octets digest_of(std::span<const std::uint8_t> octets) {
  Octets digest(kDigestSize);
  crypto_generichash(digest.data(), digest.size(), octets.data(), octets.size(), nullptr, 0);
  return digest;
}

template <class T>
os::OsResult<void> write_value(const std::string& path, const T& value) {
  const Octets body = core::encode(value);
  Octets file = digest_of(body);
  file.insert(file.end(), body.begin(), body.end());
  return os::replace_state_file(path, file);
}

// Empty: there is no such file.
template <class T>
config::value::Result<std::optional<T>, std::string> read_value(const std::string& path) {
  const auto file = os::read_state_file(path, kMostOctets);
  if (!file) return std::unexpected(path + ": " + file.error().to_string());
  if (!*file) return std::optional<T>();
  const std::span<const std::uint8_t> octets(**file);
  if (octets.size() < kDigestSize) return std::unexpected(path + ": is damaged (too short)");
  const auto body = octets.subspan(kDigestSize);
  if (!std::ranges::equal(digest_of(body), octets.first(kDigestSize)))
    return std::unexpected(path + ": is damaged (its content does not fit its digest)");
  auto value = core::decode<T>(body);
  if (!value) return std::unexpected(path + ": is of another version of the gateway");
  return value;
}

}  // namespace

template <class Ar>
void fields(Ar& ar, KeptChange& kept) {
  std::uint16_t version = core::kMessageVersion;
  core::transfer_all(ar, version);
  if (version != core::kMessageVersion) return ar.fail();
  core::transfer_all(ar, kept.generation, kept.plan, kept.keys, kept.files);
}

std::string ChangeStore::path(Generation generation) const {
  return folder_ + "/" + std::to_string(generation.number) + kEnding;
}

config::value::Result<core::ChangeHistory, std::string> ChangeStore::read_history() const {
  auto read = TRY(read_value<core::ChangeHistory>(folder_ + kHistory));
  return read ? *std::move(read) : core::ChangeHistory();
}

os::OsResult<void> ChangeStore::write_history(const core::ChangeHistory& history) const {
  return write_value(folder_ + kHistory, history);
}

config::value::Result<KeptChange, std::string> ChangeStore::read(Generation generation) const {
  auto read = TRY(read_value<KeptChange>(path(generation)));
  if (!read) return std::unexpected(path(generation) + ": is missing");
  if (read->generation != generation) return std::unexpected(path(generation) + ": is of another generation");
  return *std::move(read);
}

os::OsResult<void> ChangeStore::write(const KeptChange& kept) const {
  return write_value(path(kept.generation), kept);
}

void ChangeStore::set_aside() const {
  std::error_code code;
  std::filesystem::rename(folder_ + kHistory, folder_ + kHistory + ".damaged", code);
}

void ChangeStore::tidy(const core::ChangeHistory& history) const {
  namespace fs = std::filesystem;
  std::set<std::string> stays;
  for (const auto number : history.kept()) stays.insert(std::to_string(number) + kEnding);
  std::error_code code;
  std::vector<std::string> goes;
  for (auto each = fs::directory_iterator(folder_, code); !code && each != fs::directory_iterator();
       each.increment(code)) {
    const auto name = each->path().filename().string();
    if (each->path().extension() == kEnding && !stays.contains(name)) goes.push_back(each->path().string());
  }
  for (const auto& path : goes) os::discard_file(path);
}

}  // namespace gateway::daemon
