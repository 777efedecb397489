// Main file, includes in sorted order, key files.
#include "gateway/os/config_files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "config/document.h"
#include "gateway/os/credential_check.h"
#include "gateway/os/error.h"
#include "gateway/os/file_descriptor.h"

namespace gateway::os {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFiles = 20000;

OsResult<std::string> read_text(const std::string& path) {
  const auto failed = [&] { return std::unexpected(OsError{errno, "cannot read " + path}); };
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return failed();
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return failed();
  if (!S_ISREG(status.st_mode)) return std::unexpected(OsError{0, "cannot read " + path + ": not a regular file"});
  std::string text;
  std::array<char, 65536> piece{};
  while (text.size() <= config::kMaxFileBytes) {  // one octet more is enough for config to refuse it
    const auto got = ::read(file.number(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed();
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

struct Expansion {
  std::vector<std::string> paths;  // sorted
  std::string error;
};

bool has_wildcard(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos;
}

// `pattern` has passed config's good_include_pattern: relative, no "..", wildcards in the last part only.
Expansion expand(const fs::path& directory, const std::string& pattern) {
  Expansion out;
  const fs::path whole = directory / pattern;
  if (!has_wildcard(pattern)) {
    out.paths.push_back(whole.string());
    return out;
  }
  std::error_code code;
  const auto last = whole.filename().string();
  for (auto entry = fs::directory_iterator(whole.parent_path(), code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    const auto name = entry->path().filename().string();
    if (::fnmatch(last.c_str(), name.c_str(), FNM_PERIOD | FNM_NOESCAPE) == 0)
      out.paths.push_back(entry->path().string());
    if (out.paths.size() > kMaxFiles) break;
  }
  // A folder that is not there is an include with nothing in it, as a fresh installation has it.
  if (code && code != std::errc::no_such_file_or_directory) out.error = whole.string() + ": " + code.message();
  std::sort(out.paths.begin(), out.paths.end());
  return out;
}

class Reader {
 public:
  explicit Reader(const std::string& main_path) : directory_(fs::path(main_path).parent_path()) { read(main_path); }

  void read_includes() {
    if (files_.empty()) return;
    main_ = config::parse_main(files_.front());
    for (const auto& pattern : config::include_patterns(*main_)) {
      auto expansion = expand(directory_, pattern);
      if (!expansion.error.empty()) failures_.push_back({(directory_ / pattern).string(), expansion.error});
      if (expansion.error.empty() && expansion.paths.empty()) empty_patterns_.push_back(pattern);
      for (const auto& path : expansion.paths) read(path);
    }
  }

  // Files that could not be read are listed behind those that could, so that each diagnostic names its own.
  [[nodiscard]] config::Loaded load(config::WallTime now) {
    config::Loaded loaded;
    if (main_) loaded = config::load(files_, *std::exchange(main_, std::nullopt), now, empty_patterns_);
    loaded.unreadable = !failures_.empty();
    for (const auto& failure : failures_) {
      config::Diagnostic diagnostic;
      diagnostic.at = {static_cast<std::uint32_t>(loaded.config.files.size()), 1, 1};
      diagnostic.message = failure.message;
      loaded.config.files.push_back(failure.path);
      loaded.diagnostics.push_back(std::move(diagnostic));
    }
    return loaded;
  }
  [[nodiscard]] std::vector<config::SourceFile> take_files() { return std::move(files_); }

 private:
  struct Failure {
    std::string path;
    std::string message;
  };

  void read(const std::string& path) {
    if (!seen_.insert(path).second) return;  // two patterns name it
    auto text = read_text(path);
    if (text) {
      files_.push_back({path, *std::move(text)});
    } else {
      failures_.push_back({path, text.error().to_string()});
    }
  }

  fs::path directory_;
  std::vector<config::SourceFile> files_;
  std::optional<config::MainDocument> main_;  // of the first
  std::vector<Failure> failures_;
  std::vector<std::string> empty_patterns_;
  std::set<std::string> seen_;
};

std::vector<config::KeyFileFact> inspect_all(const config::GatewayConfig& config, const fs::path& directory) {
  std::vector<config::KeyFileFact> facts;
  for (const auto& shown : config::referenced_key_files(config)) {
    const auto kind = shown == config.gateway.wireguard.private_key_file ? KeyKind::kPrivate : KeyKind::kPreshared;
    facts.push_back(inspect_key_file((directory / shown).string(), shown, kind));
  }
  return facts;
}

// For want of rights; a file that is missing, or no key, is a finding like any other.
bool forbidden(const fs::path& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0 && errno == EACCES;
}

void sort_by_place(std::vector<config::Diagnostic>& diagnostics) {
  std::sort(diagnostics.begin(), diagnostics.end(), [](const auto& a, const auto& b) {
    return std::tie(a.at.file, a.at.line, a.at.column, a.message) <
           std::tie(b.at.file, b.at.line, b.at.column, b.message);
  });
}

// What only the files beside the configuration tell.
config::Loaded with_files_beside(config::Loaded loaded, const std::string& main_path, config::WallTime now,
                                 KeyFiles key_files) {
  // Without a gateway there is no place to speak of its key.
  if (key_files == KeyFiles::kInspect && loaded.config.gateway.at.line != 0) {
    const auto facts = inspect_all(loaded.config, fs::path(main_path).parent_path());
    for (const auto& fact : facts)
      loaded.unreadable = loaded.unreadable || forbidden(fs::path(main_path).parent_path() / fact.path);
    auto found = config::check_key_files(loaded.config, facts);
    std::move(found.begin(), found.end(), std::back_inserter(loaded.diagnostics));
  }
  auto credentials =
      check_credentials(loaded.config, fs::path(main_path).parent_path(), now, key_files == KeyFiles::kInspect);
  std::ranges::move(credentials.diagnostics, std::back_inserter(loaded.diagnostics));
  loaded.credentials = std::move(credentials.digests);
  sort_by_place(loaded.diagnostics);
  return loaded;
}

}  // namespace

config::Loaded load_configuration(const std::string& main_path, config::WallTime now, KeyFiles key_files) {
  Reader reader(main_path);
  reader.read_includes();
  auto loaded = reader.load(now);
  loaded.sources = reader.take_files();
  return with_files_beside(std::move(loaded), main_path, now, key_files);
}

config::Loaded load_texts(std::vector<config::SourceFile> files, const std::string& main_path, config::WallTime now,
                          KeyFiles key_files) {
  auto loaded = config::load(files, now);
  loaded.sources = std::move(files);
  return with_files_beside(std::move(loaded), main_path, now, key_files);
}

}  // namespace gateway::os
