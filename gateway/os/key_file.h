// A file with one 32-octet key in base64, as `wg genkey` writes it. The only judge of such files: keyd, `sekisho check`
// and `sekisho doctor` all ask here, so that what the check accepts is what is used.
#pragma once

#include <optional>
#include <string>

#include "config/load.h"
#include "gateway/os/error.h"
#include "tunnel/crypto/secret.h"
#include "tunnel/crypto/secret_octets.h"

namespace gateway::os {

struct JudgedKeyFile {
  config::KeyFileFact::State state = config::KeyFileFact::State::kGood;
  std::string detail;                             // of what is wrong: "mode 0644"; may be empty
  std::optional<tunnel::crypto::Secret<32>> key;  // of a good or a weak file, which is not to be used
};

// Good is: a regular file, not a symbolic link; owned by root or this process's user; no rights for group and others;
// at most 128 octets, which are the base64 of 32 octets with white space before and after; not a placeholder.
// What was read is wiped. The file is read by the descriptor that was judged.
[[nodiscard]] JudgedKeyFile judge_key_file(const std::string& path);

// The key of a good file. The error is a sentence that begins with the path; it never holds what is in the file.
[[nodiscard]] OsResult<tunnel::crypto::Secret<32>> read_key_file(const std::string& path);

// The text of a PEM file with a private key: same rights and ownership as above, at most kLargestPem octets. Wiped with
// its type; whether it is a key is tunnel::crypto's to say.
inline constexpr std::size_t kLargestPem = 16 * 1024;
[[nodiscard]] OsResult<tunnel::crypto::SecretOctets> read_private_key_text(const std::string& path);

}  // namespace gateway::os
