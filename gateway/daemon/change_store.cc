#include "gateway/daemon/change_store.h"

#include <filesystem>

#include "gateway/daemon/state_value.h"

namespace gateway::daemon {
namespace {

using config::value::Generation;

constexpr const char* kHistory = "/changes";
constexpr const char* kEnding = ".plan";

}  // namespace

std::string ChangeStore::path(Generation generation) const {
  return folder_ + "/" + std::to_string(generation.number) + kEnding;
}

config::value::Result<core::ChangeHistory, std::string> ChangeStore::read_history() const {
  auto read = TRY(read_state_value<core::ChangeHistory>(folder_ + kHistory, kMostKeptOctets));
  return read ? *std::move(read) : core::ChangeHistory();
}

os::OsResult<void> ChangeStore::write_history(const core::ChangeHistory& history) const {
  return write_state_value(folder_ + kHistory, history);
}

config::value::Result<KeptChange, std::string> ChangeStore::read(Generation generation) const {
  auto read = TRY(read_state_value<KeptChange>(path(generation), kMostKeptOctets));
  if (!read) return std::unexpected(path(generation) + ": is missing");
  if (read->generation != generation) return std::unexpected(path(generation) + ": is of another generation");
  return *std::move(read);
}

os::OsResult<void> ChangeStore::write(const KeptChange& kept) const {
  return write_state_value(path(kept.generation), kept);
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
