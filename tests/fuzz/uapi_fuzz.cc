// What a client of the UAPI socket may send, whole or in pieces: it is cut into the same requests, each is refused with
// one of the two words or carried out whole, and what the interface then tells makes the same interface again.
#include <cstdlib>
#include <string>
#include <string_view>

#include "gateway/wg/device.h"
#include "tests/sim/nodes.h"
#include "tunnel/uapi/request_stream.h"

namespace {

using tunnel::uapi::Status;
using tunnel::wire::WipedOctets;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<WipedOctets> requests_of(std::span<const std::uint8_t> octets, std::size_t at_once) {
  tunnel::uapi::RequestStream stream;
  std::vector<WipedOctets> requests;
  for (; !octets.empty(); octets = octets.subspan(std::min(at_once, octets.size()))) {
    stream.add(octets.first(std::min(at_once, octets.size())));
    while (auto request = stream.next()) requests.push_back(*std::move(request));
  }
  requests.push_back(stream.take_rest());
  return requests;
}

// A get's answer as the set that makes it.
WipedOctets as_set(const WipedOctets& answer) {
  std::string text = "set=1\n";
  std::string_view rest(reinterpret_cast<const char*>(answer.data()), answer.size());
  for (; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
    const auto line = rest.substr(0, rest.find('\n'));
    const bool only_told =
        line.starts_with("last_") || line.starts_with("tx_") || line.starts_with("rx_") || line.starts_with("errno=");
    if (!only_told) text.append(line).append("\n");
  }
  return {text.begin(), text.end()};
}

struct Interface {
  sim::SeededRng rng{1};
  gateway::wg::Times now{sim::kStart, sim::kWallStart};
  gateway::wg::Device device{rng, now};
  gateway::wg::DeviceOutputs out;

  bool set(const WipedOctets& text) {
    const auto parsed = tunnel::uapi::parse(text);
    if (!parsed) return require(parsed.error() == Status::kInvalid || parsed.error() == Status::kProtocol), false;
    const auto* request = std::get_if<tunnel::uapi::SetRequest>(&*parsed);
    if (request != nullptr && device.has_room_for(*request)) device.apply(*request, now, out);
    return true;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto whole = requests_of({data + 1, size - 1}, size);
  require(whole == requests_of({data + 1, size - 1}, 1u + data[0] % 7));
  Interface first, second;
  first.device.set_link((data[0] & 1) != 0, 1420, first.now, first.out);
  for (const auto& request : whole) (void)first.set(request);
  const auto told = as_set(to_text(first.device.state()));
  require(second.set(told));
  require(as_set(to_text(second.device.state())) == told);
  return 0;
}
