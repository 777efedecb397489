// How an IKEv2 endpoint grows with its peers: memory of an established pair, CPU of making it, of a second in which
// nothing happens but liveness checks, of a packet through any of them, and of rekeying all. Both ends are in this
// process, on a simulated network; figures are for one end.
//   bench_ike_scale [PAIRS...]     (10 100 1000 10000)
#include <malloc.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/sim/ike_nodes.h"

using namespace ike_sim;

namespace {

double cpu_now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::size_t allocated() {
  return mallinfo2().uordblks + mallinfo2().hblkhd;
}

void forget_events(Pair& pair) {
  for (Node* node : {&pair.a, &pair.b}) node->events = {}, node->received = {};
}

void establish(Pair& pair, std::uint32_t pairs) {
  for (std::uint32_t number = 1; number <= pairs; ++number) {
    ike::PeerParams peer = numbered("rtx", "gw", number);
    std::swap(peer.local_networks, peer.remote_networks);
    peer.endpoint = SocketAddress{pair.b.address, 500};
    peer.start = true;
    pair.a.set_peer(peer, pair.now);
    pair.run(pair.now + 10ms);
    if (number % 256 == 0) forget_events(pair);
  }
  pair.run(pair.now + 1s);
  forget_events(pair);
}

std::uint32_t up(const Pair& pair, std::uint32_t pairs) {
  std::uint32_t count = 0;
  for (std::uint32_t number = 1; number <= pairs; ++number) count += pair.b.counters(number).up ? 1 : 0;
  return count;
}

double packets(Pair& pair, std::uint32_t pairs) {
  constexpr std::uint32_t kPackets = 50'000;
  std::uint64_t received = 0;
  const double begun = cpu_now();
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    const std::uint32_t number = 1 + static_cast<std::uint32_t>(std::uint64_t{i} * 7919 % pairs);
    const std::string host = "10." + std::to_string(number / 250) + "." + std::to_string(number % 250) + ".9";
    pair.b.send(sim::ipv4_packet("172.16.0.9", host.c_str(), 100), pair.now, number);
    for (Sent& sent : pair.b.take_sent()) pair.a.receive(std::move(sent.bytes), sent.from, sent.to.port, pair.now);
    received += pair.a.received.size();
    pair.a.received.clear();
  }
  if (received != kPackets) std::printf("only %lu of %u packets came\n", received, kPackets);
  return (cpu_now() - begun) / kPackets / 2;
}

void warm_up() {  // what the libraries take once
  Pair pair({}, without_admission());
  pair.b.set_peer(numbered("gw", "rtx", 1), pair.now);
  establish(pair, 1);
}

void measure(std::uint32_t pairs) {
  Pair pair({.delay = 1ms}, without_admission());
  for (std::uint32_t number = 1; number <= pairs; ++number) pair.b.set_peer(numbered("gw", "rtx", number), pair.now);
  forget_events(pair);
  const std::size_t before = allocated();
  const double begun = cpu_now();
  establish(pair, pairs);
  const double made = (cpu_now() - begun) / pairs / 2;
  const std::size_t memory = (allocated() - before) / pairs / 2;
  const std::uint32_t there = up(pair, pairs);
  const double quiet = cpu_now();
  pair.run(pair.now + 60s);
  const double idle = (cpu_now() - quiet) / 60 / 2;
  const double each = packets(pair, pairs);
  std::printf(
      "%6u pairs  %6u up  %6zu octets each  %7.3f ms to make one  %8.3f ms CPU in a quiet second  %6.2f us a packet\n",
      pairs, there, memory, made * 1e3, idle * 1e3, each * 1e6);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::uint32_t> counts;
  for (int i = 1; i < argc; ++i) counts.push_back(static_cast<std::uint32_t>(std::atoi(argv[i])));
  if (counts.empty()) counts = {10, 100, 1000, 10'000};
  warm_up();
  for (const std::uint32_t pairs : counts) measure(pairs);
}
