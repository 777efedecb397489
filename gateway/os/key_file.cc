// Reads with one descriptor, so that what was judged is what is read.
#include "gateway/os/key_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "gateway/os/file_descriptor.h"

namespace gateway::os {
namespace {

using tunnel::crypto::Secret;

constexpr std::size_t kMaxFile = 128;  // 44 characters and white space around them
constexpr mode_t kOthers = 077;

OsResult<void> judge(int file, const std::string& path) {
  struct stat facts{};
  if (fstat(file, &facts) != 0) return std::unexpected(OsError{errno, path});
  if (!S_ISREG(facts.st_mode)) return std::unexpected(OsError{0, path + ": not a regular file"});
  if (facts.st_uid != 0 && facts.st_uid != geteuid()) return std::unexpected(OsError{0, path + ": foreign owner"});
  if ((facts.st_mode & kOthers) == 0) return {};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), ": open to others, mode %04o; chmod 0600", facts.st_mode & 07777u);
  return std::unexpected(OsError{0, path + text.data()});
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

OsResult<Secret<32>> read_key_file(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return std::unexpected(OsError{errno, path});
  if (auto good = judge(file.number(), path); !good) return std::unexpected(good.error());
  Secret<kMaxFile> text;
  const auto got = read(file.number(), text.fill().data(), kMaxFile);
  if (got < 0) return std::unexpected(OsError{errno, path});
  const auto base64 = trimmed({reinterpret_cast<const char*>(text.expose().data()), static_cast<std::size_t>(got)});
  Secret<32> key;
  std::size_t length = 0;
  const char* end = nullptr;
  const bool decoded = sodium_base642bin(key.fill().data(), 32, base64.data(), base64.size(), nullptr, &length, &end,
                                         sodium_base64_VARIANT_ORIGINAL) == 0;
  if (!decoded || length != 32 || end != base64.data() + base64.size())
    return std::unexpected(OsError{0, path + ": not a key: 44 characters of base64 are expected"});
  if (sodium_is_zero(key.expose().data(), 32) == 1) return std::unexpected(OsError{0, path + ": the key is all zero"});
  return key;
}

}  // namespace gateway::os
