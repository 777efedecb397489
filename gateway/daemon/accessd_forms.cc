#include "gateway/daemon/accessd_forms.h"

#include <algorithm>
#include <set>
#include <string>

#include "config/limits.h"
#include "gateway/core/event_queue.h"

namespace gateway::daemon {
namespace {

using core::Direction;

constexpr std::size_t kLongestCounter = 64;
constexpr std::size_t kLongestName = 31;  // config/value/ids.h

bool is_name(const std::string& text) {
  return text.size() <= kLongestName &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

bool packet_fits(const core::RefusedPacket& packet) {
  if (!is_name(packet.facility) || !is_name(packet.other_facility)) return false;
  if (packet.source.has_value() != packet.destination.has_value()) return false;
  return !packet.source || packet.source->family() == packet.destination->family();
}

bool sum_fits(const core::RefusedSum& sum) {
  std::set<std::pair<Direction, core::Refusal>> seen;
  return is_name(sum.facility) && !sum.reasons.empty() && std::ranges::all_of(sum.reasons, [&](const auto& each) {
           return each.count > 0 && each.count <= each.total && seen.emplace(each.direction, each.reason).second;
         });
}

bool event_fits(const core::TunnelEvent& event) {
  return is_name(event.facility) && event.detail.size() <= core::kLongestDetail;
}

// Of a boot's clock, which begins with 0: what is before that would be shown as a day long ago.
bool counts_up(const std::optional<config::value::Instant>& moment) {
  return !moment || moment->time_since_epoch().count() >= 0;
}

bool tunnel_fits(const core::TunnelStatus& tunnel) {
  const auto& ends = tunnel.certificate_expires;
  return counts_up(tunnel.last_handshake) && counts_up(tunnel.since) && counts_up(tunnel.last_heard) &&
         counts_up(tunnel.problem_since) && (!ends || ends->time_since_epoch().count() >= 0) &&
         is_name(tunnel.facility) && !tunnel.facility.empty() && tunnel.problem.size() <= core::kLongestDetail &&
         tunnel.negotiated.size() <= core::kLongestDetail;
}

bool counter_fits(const core::Counter& counter) {
  return !counter.name.empty() && counter.name.size() <= kLongestCounter &&
         std::ranges::all_of(counter.name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

}  // namespace

bool fits(const core::TunnelEvents& events) {
  return events.events.size() <= core::EventQueue::kMost && std::ranges::all_of(events.events, event_fits);
}

bool fits(const core::StatusReport& report) {
  return report.tunnels.size() <= config::kMaxFacilities && report.counters.size() <= kMostNamedCounters &&
         std::ranges::all_of(report.tunnels, tunnel_fits) && std::ranges::all_of(report.counters, counter_fits);
}

bool fits(const core::GuardRefusals& refusals) {
  return refusals.packets.size() <= core::kMostRefusedPackets && refusals.sums.size() <= core::kMostRefusedSums &&
         std::ranges::all_of(refusals.packets, packet_fits) && std::ranges::all_of(refusals.sums, sum_fits);
}

std::uint64_t furthest_floor(std::uint64_t clock, std::uint64_t floor_at_start, std::uint64_t seconds_since_start) {
  constexpr std::uint64_t kAhead = 86'400;
  return std::max(clock, floor_at_start + seconds_since_start) + kAhead;
}

}  // namespace gateway::daemon
