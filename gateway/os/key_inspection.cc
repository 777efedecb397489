// What a key file is like. The octets stay in wiped memory; only a fingerprint and, of a private key, the public key
// leave.
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bitset>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "gateway/os/config_files.h"
#include "gateway/os/file_descriptor.h"
#include "tunnel/crypto/secret.h"

namespace gateway::os {
namespace {

using config::KeyFileFact;
using State = KeyFileFact::State;
using Key = tunnel::crypto::Secret<32>;

constexpr off_t kLargestFile = 256;        // octets: 44 characters and a little white space
constexpr std::size_t kLeastVariety = 12;  // different octets; 32 random ones have fewer with probability below 1e-17

// Empty when all is well.
std::string openness(const struct stat& status) {
  if ((status.st_mode & 077) != 0) return fmt::format("mode {:04o}", static_cast<unsigned>(status.st_mode & 07777));
  if (status.st_uid != ::geteuid() && status.st_uid != 0) return fmt::format("owned by user {}", status.st_uid);
  return {};
}

// The whole file, in memory that is wiped.
class FileText {
 public:
  explicit FileText(int descriptor) {
    for (;;) {
      const auto got = ::read(descriptor, octets_.data() + size_, octets_.size() - size_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) error_ = errno;
      if (got <= 0) return;
      size_ += static_cast<std::size_t>(got);
      if (size_ == octets_.size()) return;
    }
  }
  FileText(const FileText&) = delete;
  FileText& operator=(const FileText&) = delete;
  ~FileText() { sodium_memzero(octets_.data(), octets_.size()); }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] const char* data() const { return octets_.data(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::array<char, kLargestFile> octets_{};
  std::size_t size_ = 0;
  int error_ = 0;
};

std::optional<Key> decode(const FileText& text) {
  Key key;
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(key.fill().data(), 32, text.data(), text.size(), " \t\r\n", &length, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0)
    return std::nullopt;
  if (length != 32 || end != text.data() + text.size()) return std::nullopt;
  return key;
}

bool weak(const Key& key) {
  std::bitset<256> present;
  for (const auto octet : key.expose()) present.set(octet);
  return present.count() < kLeastVariety;
}

std::string hex_fingerprint(const Key& key) {
  std::array<unsigned char, 32> hash{};
  crypto_generichash(hash.data(), hash.size(), key.expose().data(), 32, nullptr, 0);
  std::array<char, 65> hex{};
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  return hex.data();
}

std::string public_key_text(const Key& key) {
  std::array<unsigned char, 32> point{};
  if (crypto_scalarmult_base(point.data(), key.expose().data()) != 0) return {};
  std::array<char, 45> text{};
  sodium_bin2base64(text.data(), text.size(), point.data(), point.size(), sodium_base64_VARIANT_ORIGINAL);
  return text.data();
}

KeyFileFact& say(KeyFileFact& fact, State state, std::string detail) {
  fact.state = state;
  fact.detail = std::move(detail);
  return fact;
}

}  // namespace

KeyFileFact inspect_key_file(const std::string& path, const std::string& shown, KeyKind kind) {
  KeyFileFact fact;
  fact.path = shown;
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return say(fact, errno == ENOENT ? State::kMissing : State::kUnreadable, std::strerror(errno));
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return say(fact, State::kUnreadable, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return say(fact, State::kMalformed, "not a regular file");
  if (auto open_to = openness(status); !open_to.empty()) return say(fact, State::kOpenToOthers, std::move(open_to));
  if (status.st_size >= kLargestFile) return say(fact, State::kMalformed, fmt::format("{} octets", status.st_size));
  const FileText text(file.number());
  if (text.error() != 0) return say(fact, State::kUnreadable, std::strerror(text.error()));
  const auto key = decode(text);
  if (!key) return say(fact, State::kMalformed, {});
  fact.state = weak(*key) ? State::kWeak : State::kGood;
  fact.fingerprint = hex_fingerprint(*key);
  if (kind == KeyKind::kPrivate) fact.public_key = public_key_text(*key);
  return fact;
}

}  // namespace gateway::os
