// Any octets as a packet with any virtio header: what is cut parses again, has the payload once and in order, sums that
// hold, and no packet is longer than was said before.
#include <algorithm>
#include <cstdlib>

#include "gateway/core/checksum.h"
#include "gateway/core/cutter.h"

namespace {

void must(bool fact) {
  if (!fact) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway::core;
  using tunnel::wire::Segmentation;
  if (size < 3) return 0;
  const Segmentation segmentation{
      static_cast<Segmentation::Kind>(data[0] % 4), 0, static_cast<std::uint16_t>(data[1] << 8 | data[2]), 0, 0, true};
  const std::vector<std::uint8_t> bytes(data + 3, data + size);
  const auto view = parse_inner(bytes);
  if (!view) return 0;
  const std::size_t largest = largest_segment(*view, bytes, segmentation);
  tunnel::wire::Arena arena;
  std::vector<tunnel::wire::Bytes> pieces;
  if (cut(*view, bytes, segmentation, arena, pieces) != Refusal::kNone) {
    must(pieces.empty());
    return 0;
  }
  must(!pieces.empty() && pieces.size() <= kMostSegments);
  std::size_t headers = 0, payload = 0;
  for (const auto piece : pieces) {
    must(piece.size() <= largest);
    const auto again = parse_inner(piece);
    must(again && again->total_length == piece.size() && again->flow.source == view->flow.source);
    const bool tcp = again->flow.protocol == kProtocolTcp;
    headers =
        again->transport_offset + (tcp ? static_cast<std::size_t>(piece[again->transport_offset + 12u] >> 4) * 4 : 8);
    const auto part = piece.subspan(headers);
    must(std::ranges::equal(part, std::span(bytes).subspan(headers + payload, part.size())));
    payload += part.size();
    const std::size_t from = view->is_v4() ? 12 : 8, half = view->is_v4() ? 4 : 16;
    const auto transport = piece.subspan(again->transport_offset);
    const auto pseudo = pseudo_sum(piece.subspan(from, half), piece.subspan(from + half, half), again->flow.protocol,
                                   static_cast<std::uint32_t>(transport.size()));
    must(finish_sum(ones_sum(transport, pseudo)) == 0);
  }
  must(headers + payload == view->total_length);
  return 0;
}
