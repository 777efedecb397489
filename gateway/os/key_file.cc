// Reads with one descriptor, so that what was judged is what is read.
#include "gateway/os/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <bitset>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "gateway/os/file_descriptor.h"

namespace gateway::os {
namespace {

using State = config::KeyFileFact::State;
using tunnel::crypto::Secret;

constexpr std::size_t kLargestFile = 128;  // octets: 44 characters and white space around them
constexpr std::size_t kLeastVariety = 12;  // different octets; 32 random ones have fewer with probability below 1e-17
constexpr mode_t kOthers = 077;

JudgedKeyFile refused(State state, std::string detail) {
  return {state, std::move(detail), std::nullopt};
}

JudgedKeyFile not_opened(int error) {
  if (error == ELOOP) return refused(State::kUnreadable, "a symbolic link; name the file itself");
  return refused(error == ENOENT ? State::kMissing : State::kUnreadable, std::strerror(error));
}

// Of the file, before a word of it is read.
JudgedKeyFile judge(int file, std::size_t largest) {
  struct stat facts{};
  if (fstat(file, &facts) != 0) return refused(State::kUnreadable, std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) return refused(State::kMalformed, "not a regular file");
  if ((facts.st_mode & kOthers) != 0)
    return refused(State::kOpenToOthers, fmt::format("mode {:04o}", static_cast<unsigned>(facts.st_mode & 07777)));
  if (facts.st_uid != 0 && facts.st_uid != geteuid())
    return refused(State::kOpenToOthers, fmt::format("owned by user {}", facts.st_uid));
  if (facts.st_size > static_cast<off_t>(largest))
    return refused(State::kMalformed, fmt::format("{} octets", facts.st_size));
  return {};
}

// The number of octets, or nothing with errno.
std::optional<std::size_t> read_whole(int file, std::span<std::uint8_t> into) {
  std::size_t size = 0;
  while (size < into.size()) {
    const auto got = read(file, into.data() + size, into.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<Secret<32>> decode(std::string_view base64) {
  Secret<32> key;
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(key.fill().data(), 32, base64.data(), base64.size(), nullptr, &length, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0)
    return std::nullopt;
  if (length != 32 || end != base64.data() + base64.size()) return std::nullopt;
  return key;
}

bool weak(const Secret<32>& key) {
  std::bitset<256> present;
  for (const auto octet : key.expose()) present.set(octet);
  return present.count() < kLeastVariety;
}

std::string sentence(const JudgedKeyFile& file) {
  switch (file.state) {
    case State::kGood:
    case State::kMissing:
    case State::kUnreadable:
      return file.detail;
    case State::kOpenToOthers:
      return "open to others, " + file.detail + "; chmod 0600";
    case State::kMalformed:
      return file.detail.empty() ? "not a key: 44 characters of base64 are expected" : "not a key: " + file.detail;
    case State::kWeak:
      return "a placeholder, not a random key";
  }
  return "in an unknown state";
}

}  // namespace

JudgedKeyFile judge_key_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return not_opened(errno);
  auto judged = judge(file.number(), kLargestFile);
  if (judged.state != State::kGood) return judged;
  Secret<kLargestFile> text;
  const auto size = read_whole(file.number(), text.fill());
  if (!size) return refused(State::kUnreadable, std::strerror(errno));
  judged.key = decode(trimmed({reinterpret_cast<const char*>(text.expose().data()), *size}));
  if (!judged.key)
    judged.state = State::kMalformed;
  else if (weak(*judged.key))
    judged.state = State::kWeak;
  return judged;
}

OsResult<Secret<32>> read_key_file(const std::string& path) {
  auto judged = judge_key_file(path);
  if (judged.state == State::kGood && judged.key) return *std::move(judged.key);
  return std::unexpected(OsError{0, path + ": " + sentence(judged)});
}

OsResult<tunnel::crypto::SecretOctets> read_private_key_text(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  const auto judged = file.valid() ? judge(file.number(), kLargestPem) : not_opened(errno);
  if (judged.state != State::kGood) return std::unexpected(OsError{0, path + ": " + sentence(judged)});
  tunnel::crypto::SecretOctets whole(kLargestPem);
  const auto size = read_whole(file.number(), whole.fill());
  if (!size) return std::unexpected(OsError{errno, path});
  tunnel::crypto::SecretOctets text(*size);
  std::ranges::copy(whole.expose().first(*size), text.fill().begin());
  return text;
}

}  // namespace gateway::os
