// What a packet costs in the whole data plane (tunnel, guard, translation, MSS, ECN) and what a peer weighs, as the
// number of configured facilities grows while few of them are busy. WireGuard; no kernel, one thread, CPU time.
//   bench_data_plane [PACKETS]   (200000 a case)
// Cases run in turns, five rounds; given are median and range. "batches": 64 packets of one facility at a time, as a
// busy socket gives them; "mixed": each packet of another facility than the one before.
#include <malloc.h>
#include <sodium.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "gateway/core/data_plane.h"
#include "tests/sim/nodes.h"

namespace {

using namespace std::chrono_literals;
using gateway::core::DataPlane;
using gateway::core::DataPlaneOutputs;
using gateway::core::Times;
using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kBatch = 64, kPacket = 1392, kRounds = 5;
constexpr std::uint8_t kGatewaySeed = 250;
constexpr const char* kService = "10.80.0.10";

double cpu_now() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::size_t allocated() {
  return mallinfo2().uordblks + mallinfo2().hblkhd;
}

void require(bool good, const char* what) {
  if (!good) std::fprintf(stderr, "%s\n", what), std::abort();
}

std::string base64(const sim::Key& key) {
  std::string text(sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), key.data(), key.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}

std::string network_of(std::size_t facility) {
  return "10." + std::to_string(facility / 256) + "." + std::to_string(facility % 256);
}

sim::Key key_of(std::size_t facility, std::size_t busy, sim::SeededRng& rng) {
  sim::Key key{};
  if (facility < busy) return sim::public_of(static_cast<std::uint8_t>(facility + 1));
  rng.fill(key);
  return key;
}

// Facility i has 10.(i / 256).(i % 256).0/24 and may use udp/5000 of the service.
policy::Plan plan_of(std::size_t facilities, std::size_t busy) {
  policy::Plan plan;
  plan.gateway_key = "gateway.key";
  sim::SeededRng rng(1);
  for (std::size_t i = 0; i < facilities; ++i) {
    policy::FacilityPlan facility;
    facility.name = {"f" + std::string(5 - std::to_string(i).size(), '0') + std::to_string(i)};
    const auto net = *config::value::Prefix::parse(network_of(i) + ".0/24");
    facility.networks = {{net, net}};
    facility.wireguard.public_key = base64(key_of(i, busy, rng));
    policy::Permission row;
    row.rule = {static_cast<std::uint32_t>(i + 1)};
    row.from_facility = facility.name, row.source = net;
    row.destination = *config::value::Prefix::parse(std::string(kService) + "/32");
    row.port = *config::value::ServicePort::parse("udp/5000");
    row.name = "service";
    plan.permissions.push_back(row);
    plan.facilities.push_back(std::move(facility));
  }
  return plan;
}

Octets datagram(const std::string& from, std::uint16_t from_port, const std::string& to, std::uint16_t to_port) {
  Octets packet = sim::ipv4_packet(from, to, kPacket);  // no UDP checksum: allowed with IPv4 (RFC 768)
  const auto put = [&](std::size_t at, std::size_t value) {
    packet[at] = static_cast<std::uint8_t>(value >> 8), packet[at + 1] = static_cast<std::uint8_t>(value);
  };
  put(20, from_port), put(22, to_port), put(24, kPacket - 20);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(packet[i] << 8 | packet[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  put(10, ~sum & 0xffff);
  return packet;
}

class Scene {
 public:
  Scene(std::size_t facilities, std::size_t busy)
      : name_(std::to_string(busy) + " busy of " + std::to_string(facilities)), busy_(busy) {
    keyd_.keys["gateway.key"] = sim::key_of(kGatewaySeed);
    const std::size_t before = allocated();
    plane_.set_durable_timestamps(UINT64_MAX, times(), out_);
    {
      const policy::Plan plan = plan_of(facilities, busy);
      require(plane_.apply(plan, {sim::public_of(kGatewaySeed), 0, {}, {}, {}}, times(), out_).has_value(), "apply");
    }
    weight_ = (allocated() - before) / facilities;
    for (std::size_t i = 0; i < busy; ++i) connect(i);
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t weight() const { return weight_; }

  // Seconds of CPU a packet that comes out of the tunnels.
  double inward(std::size_t packets, bool mixed) {
    double spent = 0;
    for (std::size_t done = 0; done < packets; done += kBatch) {
      std::vector<sim::Sent> sealed;
      std::vector<tunnel::wire::OuterDatagram> batch;
      for (std::size_t i = 0; i < kBatch; ++i) {
        sim::Node& node = *nodes_[turn(done, i, mixed)];
        node.send(1, questions_[turn(done, i, mixed)], now_);
        for (auto& sent : node.take_sent()) sealed.push_back(std::move(sent));
      }
      for (std::size_t i = 0; i < kBatch; ++i)
        batch.push_back({{nodes_[turn(done, i, mixed)]->address, outside_.address, 0}, sealed[i].bytes, 0});
      const double begun = cpu_now();
      plane_.from_outside(batch, times(), out_);
      spent += cpu_now() - begun;
      require(out_.tun_writes.size() == kBatch, "a packet did not come in");
      out_.clear();
    }
    return spent / static_cast<double>(packets);
  }
  // The same of those that go into the tunnels.
  double outward(std::size_t packets, bool mixed) {
    double spent = 0;
    for (std::size_t done = 0; done < packets; done += kBatch) {
      std::vector<Octets> copies;
      std::vector<gateway::core::TunPacket> batch;
      for (std::size_t i = 0; i < kBatch; ++i) copies.push_back(answers_[turn(done, i, mixed)]);
      for (Octets& packet : copies) batch.push_back({packet, {}});
      const double begun = cpu_now();
      plane_.from_tun(batch, times(), out_);
      spent += cpu_now() - begun;
      require(out_.wire.transmits.size() == kBatch, "a packet did not go out");
      out_.clear();
    }
    return spent / static_cast<double>(packets);
  }

 private:
  [[nodiscard]] std::size_t turn(std::size_t done, std::size_t i, bool mixed) const {
    return (mixed ? done + i : done / kBatch) % busy_;
  }
  [[nodiscard]] Times times() const { return {now_, sim::kWallStart}; }

  void connect(std::size_t i) {
    nodes_.push_back(std::make_unique<sim::Node>(static_cast<std::uint8_t>(i + 1)));
    sim::Node& node = *nodes_.back();
    node.address = sim::socket_address("198.51.100." + std::to_string(i + 1) + ":51820");
    node.set_peer({.id = {1},
                   .public_key = sim::public_of(kGatewaySeed),
                   .preshared_key = "",
                   .endpoint = outside_,
                   .outer_sources = {},
                   .allowed = {sim::prefix("0.0.0.0/0")}},
                  now_);
    questions_.push_back(datagram(network_of(i) + ".5", 40000, kService, 5000));
    answers_.push_back(datagram(kService, 5000, network_of(i) + ".5", 40000));
    node.send(1, questions_.back(), now_);
    for (int step = 0; step < 8; ++step) carry(node);
    node.received.clear();
  }
  void carry(sim::Node& node) {
    for (auto& sent : node.take_sent()) {
      const tunnel::wire::OuterDatagram one{{node.address, outside_.address, 0}, sent.bytes, 0};
      plane_.from_outside({&one, 1}, times(), out_);
      for (auto requests = std::exchange(out_.wire.key_requests, {}); !requests.empty();
           requests = std::exchange(out_.wire.key_requests, {}))
        for (const auto& request : requests) plane_.on_key_reply(keyd_.answer(request), times(), out_);
      for (const auto& t : out_.wire.transmits) node.receive({t.bytes.begin(), t.bytes.end()}, outside_, now_);
      out_.clear();
    }
  }

  std::string name_;
  std::size_t busy_, weight_ = 0;
  config::value::Instant now_ = sim::kStart;
  config::value::SocketAddress outside_ = sim::socket_address("203.0.113.10:51820");
  sim::SeededRng rng_{9};
  sim::KeyDaemon keyd_;
  DataPlaneOutputs out_;
  DataPlane plane_{rng_};
  std::vector<std::unique_ptr<sim::Node>> nodes_;
  std::vector<Octets> questions_, answers_;
};

struct Case {
  const char* name;
  double (Scene::*run)(std::size_t, bool);
  bool mixed;
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t packets = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200'000;
  std::vector<std::unique_ptr<Scene>> scenes;
  for (const auto& [facilities, busy] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {100, 100}, {1000, 100}, {10'000, 100}}) {
    scenes.push_back(std::make_unique<Scene>(facilities, busy));
    std::printf("%-18s %8zu octets a configured facility\n", scenes.back()->name().c_str(), scenes.back()->weight());
  }
  const std::vector<Case> cases{{"in, batches", &Scene::inward, false},
                                {"in, mixed", &Scene::inward, true},
                                {"out, batches", &Scene::outward, false},
                                {"out, mixed", &Scene::outward, true}};
  for (const Case& each : cases) {
    std::vector<std::vector<double>> took(scenes.size());
    for (std::size_t round = 0; round < kRounds; ++round)
      for (std::size_t i = 0; i < scenes.size(); ++i) took[i].push_back((*scenes[i].*each.run)(packets, each.mixed));
    double first = 0;
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      std::ranges::sort(took[i]);
      const double median = took[i][kRounds / 2];
      if (i == 0) first = median;
      std::printf("%-14s %-18s %7.1f ns a packet (%.1f-%.1f)  %5.1f %% of the first's speed\n", each.name,
                  scenes[i]->name().c_str(), median * 1e9, took[i].front() * 1e9, took[i].back() * 1e9,
                  100 * first / median);
    }
  }
}
