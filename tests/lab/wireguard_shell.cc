// Real sockets and a TUN device (tunnel_io.h) around tunnel::wireguard::Endpoint, for bench: one peer, the private key
// in this process (a gateway's is at keyd). Prints "event NUMBER" a line; ends on SIGTERM or end of input.
//   wireguard_shell tun=NAME local=ADDRESS key=BASE64 peer=BASE64 [remote=ADDRESS] allowed=PREFIX
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

#include <sodium.h>

#include "gateway/os/clock.h"
#include "gateway/os/outside_socket.h"
#include "gateway/os/system_rng.h"
#include "tests/lab/tunnel_io.h"
#include "tunnel/crypto/blake2s.h"
#include "tunnel/crypto/x25519.h"
#include "tunnel/wireguard/endpoint.h"

namespace {

using namespace tunnel;
using gateway::os::boot_now;
using lab::die;

constexpr std::uint16_t kPort = 51'820;
using Key = std::array<std::uint8_t, 32>;

Key key_of(const std::string& text) {
  Key key{};
  std::size_t size = 0;
  if (sodium_base642bin(key.data(), key.size(), text.data(), text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      size != key.size())
    die("a key is 32 octets in base64");
  return key;
}

class Shell {
 public:
  explicit Shell(std::map<std::string, std::string> options)
      : options_(std::move(options)), key_(key_of(options_["key"])) {
    const auto local = *wire::IpAddress::parse(options_["local"]);
    wireguard::EndpointParams params;
    params.private_key = "own";
    params.public_key = crypto::x25519_public(key_);
    params.wall_now = gateway::os::wall_now();
    endpoint_ = std::make_unique<wireguard::Endpoint>(params, rng_, boot_now());
    auto bound = gateway::os::bind_outside({local, kPort});
    if (!bound) die(bound.error().to_string().c_str());
    io_.add_socket(std::move(*bound), {local, kPort});
    io_.open_tun(options_["tun"]);
    endpoint_->set_peer(peer(), boot_now(), out_);
    flush();
  }

  void run() {
    for (;;) {
      const bool said = io_.wait(patience());
      const auto now = boot_now();
      const auto flush_all = [this] { flush(); };
      io_.serve_sockets([&](const wire::OuterDatagram& it) { endpoint_->receive(it, now, out_); }, flush_all);
      io_.serve_tun(out_.arena, [&](wire::Bytes it) { endpoint_->send({{1}, it, {}, true}, now, out_); }, flush_all);
      std::array<char, 256> text{};
      if (said && read(0, text.data(), text.size()) <= 0) return;
      endpoint_->on_deadline(boot_now(), out_);
      flush();
    }
  }

 private:
  wireguard::PeerParams peer() {
    wireguard::PeerParams params;
    params.id = {1};
    params.public_key = key_of(options_["peer"]);
    params.allowed = {*wire::Prefix::parse(options_["allowed"])};
    if (options_.contains("remote")) params.endpoint = {*wire::IpAddress::parse(options_["remote"]), kPort};
    return params;
  }

  int patience() const {
    const auto next = endpoint_->next_deadline();
    if (!next) return -1;
    return static_cast<int>(std::max(0L, std::chrono::ceil<std::chrono::milliseconds>(*next - boot_now()).count()));
  }

  void flush() {
    for (;;) {
      io_.transmit(out_.transmits);
      io_.deliver(out_.deliveries);
      for (const auto& event : out_.events) std::printf("event %d\n", static_cast<int>(event.kind));
      if (!out_.events.empty()) std::fflush(stdout);
      const std::vector<wire::KeyRequest> requests = std::move(out_.key_requests);
      out_.clear();
      if (requests.empty()) return;
      for (const auto& request : requests) endpoint_->on_key_reply(answer(request), boot_now(), out_);
    }
  }

  // As keyd does. There is no preshared key: kMixPsk is not asked.
  wire::KeyReply answer(const wire::KeyRequest& request) const {
    wire::KeyReply reply;
    reply.id = request.id;
    const auto shared = crypto::x25519(key_, request.input.expose());
    reply.good = request.operation == wire::KeyRequest::Operation::kStaticDh && shared.has_value();
    if (reply.good) std::ranges::copy(shared->expose(), reply.output.fill().begin());
    return reply;
  }

  std::map<std::string, std::string> options_;
  Key key_;
  gateway::os::SystemRng rng_;
  std::unique_ptr<wireguard::Endpoint> endpoint_;
  wire::Outputs out_;
  lab::TunnelIo io_;
};

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;  // key=value
  for (int i = 1; i < argc; ++i) {
    const std::string word(argv[i]);
    const std::size_t equals = word.find('=');
    options[word.substr(0, equals)] = equals == std::string::npos ? "" : word.substr(equals + 1);
  }
  Shell(std::move(options)).run();
}
