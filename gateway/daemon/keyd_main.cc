// sekisho-keyd: holds the private keys and the preshared keys, and uses them for a named request. No network, no
// privilege, and after the start only the system calls this loop needs.
#include <cstdio>

#include "gateway/daemon/keyd_ike.h"
#include "gateway/daemon/keyd_keys.h"
#include "gateway/os/privileges.h"
#include "gateway/os/supervised_child.h"
#include "gateway/os/system_rng.h"
#include "tunnel/crypto/blake2s.h"

namespace {

using gateway::core::MessageType;
using gateway::core::ProcessRole;
using gateway::daemon::KeydKeys;
using gateway::os::Message;
using gateway::os::MessageChannel;
using gateway::os::SupervisedChild;

// The controller says which keys there are; it cannot use them.
bool serve_controller(const Message& message, KeydKeys& keys, MessageChannel& channel) {
  const auto wanted = gateway::core::decode<gateway::core::ConfigureKeys>(message.payload);
  if (message.type != MessageType::kConfigureKeys || !wanted) return false;
  return channel.send(MessageType::kKeysConfigured, keys.configure(*wanted)).has_value();
}

bool serve_tunnels(const Message& message, const KeydKeys& keys, MessageChannel& channel) {
  const auto asked = gateway::core::decode<gateway::core::KeyRequests>(message.payload);
  if (message.type != MessageType::kKeyRequests || !asked) return false;
  gateway::core::KeyReplies replies;
  for (const auto& request : asked->requests) replies.replies.push_back(keys.answer(request));
  return channel.send(MessageType::kKeyReplies, replies)
      .has_value();  // requests and replies are wiped with their types
}

void serve(SupervisedChild& child, ProcessRole peer, const Message& message, KeydKeys& keys) {
  auto& channel = child.peer(peer);
  const bool good = peer == ProcessRole::kAccessd   ? serve_controller(message, keys, channel)
                    : peer == ProcessRole::kTunneld ? serve_tunnels(message, keys, channel)
                                                    : false;
  if (!good) channel.close();  // it broke the form: the supervisor sees to it
}

int fail(const gateway::os::OsError& error) {
  std::fprintf(stderr, "sekisho-keyd: %s\n", error.to_string().c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  auto child = SupervisedChild::start(ProcessRole::kKeyd, argc, argv);
  if (!child) return fail(child.error());
  const gateway::os::SystemRng rng;  // libsodium and OpenSSL open their files before the filter
  (void)tunnel::crypto::kdf3(std::array<std::uint8_t, 32>{}, std::array<std::uint8_t, 32>{});
  gateway::daemon::prepare_ike();
  if (auto filtered = gateway::os::allow_only_key_calls(); !filtered) return fail(filtered.error());
  if (auto told = child->ready("no keys yet"); !told) return fail(told.error());
  KeydKeys keys;
  for (;;) {
    const auto turn = child->turn(std::nullopt);
    if (turn.stop) return 0;
    for (const auto& [peer, message] : turn.messages) serve(*child, peer, message, keys);
  }
}
