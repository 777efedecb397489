// The ceiling of our own tunnels: a TUN, the cutter, datagrams to the other end, the coalescer, and nothing between: no
// handshake, no cipher, no replay window. The same calls and the same loop as ike_shell and wireguard_shell.
//   null_tunnel TUN LOCAL REMOTE   (addresses; ends on SIGTERM or end of input)
#include <unistd.h>

#include <cstdio>
#include <string>

#include "gateway/os/outside_socket.h"
#include "tests/lab/tunnel_io.h"

namespace {

constexpr std::uint16_t kPort = 4'999;

class NullTunnel {
 public:
  NullTunnel(const std::string& tun, const std::string& local, const std::string& remote) {
    const auto ours = config::value::IpAddress::parse(local), theirs = config::value::IpAddress::parse(remote);
    if (!ours || !theirs) lab::die("two addresses are wanted");
    path_ = {{*theirs, kPort}, *ours, 0};
    auto bound = gateway::os::bind_outside({*ours, kPort});
    if (!bound) lab::die(bound.error().to_string().c_str());
    io_.add_socket(std::move(*bound), {*ours, kPort});
    io_.open_tun(tun);
  }

  void run() {
    const auto flush_all = [this] { flush(); };
    for (;;) {
      const bool said = io_.wait(-1);
      io_.serve_sockets([this](const tunnel::wire::OuterDatagram& it) { take(it); }, flush_all);
      io_.serve_tun(
          out_.arena, [this](tunnel::wire::Bytes it) { out_.transmits.push_back({path_, it, 0}); }, flush_all);
      char octet = 0;
      if (said && read(0, &octet, 1) <= 0) return;
    }
  }

 private:
  void take(const tunnel::wire::OuterDatagram& datagram) {
    if (datagram.path.remote == path_.remote) out_.deliveries.push_back({{1}, datagram.bytes, datagram.ecn});
  }

  void flush() {
    io_.transmit(out_.transmits);
    io_.deliver(out_.deliveries);
    out_.clear();
  }

  lab::TunnelIo io_;
  tunnel::wire::OuterPath path_;
  tunnel::wire::Outputs out_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("null_tunnel TUN LOCAL REMOTE\n", stderr), 2;
  NullTunnel(argv[1], argv[2], argv[3]).run();
}
