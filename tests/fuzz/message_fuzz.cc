// Any octets as any message: decoding returns a value or nothing, and a value encodes to the same octets again.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "gateway/core/change_history.h"
#include "gateway/core/live_state.h"
#include "gateway/core/messages.h"

namespace {

using namespace gateway::core;

template <class T>
void try_message(std::span<const std::uint8_t> octets) {
  const auto value = decode<T>(octets);
  if (!value) return;
  const auto again = encode(*value);
  if (!std::equal(again.begin(), again.end(), octets.begin(), octets.end())) std::abort();
}

// A file of before canaries is read on, and written anew in today's form, which is that.
template <>
void try_message<ChangeHistory>(std::span<const std::uint8_t> octets) {
  const auto value = decode<ChangeHistory>(octets);
  if (!value) return;
  const auto today = encode(*value);
  const auto again = decode<ChangeHistory>(today);
  if (!again || encode(*again) != today) std::abort();
}

template <class... Ts>
void try_one_of(std::size_t which, std::span<const std::uint8_t> octets) {
  std::size_t index = 0;
  ((index++ == which % sizeof...(Ts) ? try_message<Ts>(octets) : void()), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try_one_of<PeerChannel, Ready, Alive, Busy, StopRequest, ReloadRequest, ApplyPlan, PlanApplied, OpenDescriptors,
             CloseAll, Descriptors, KernelDrift, KernelRefusals, ConfigureTunnels, TunnelsConfigured, TunnelEvents,
             StatusQuery, StatusReport, TimestampFloor, ConfigureKeys, KeysConfigured, KeyRequests, KeyReplies,
             GuardRefusals, ChangeHistory, CutFacilities, FacilitiesCut, RepairKernel, KernelTouched, ReadKernel,
             KernelState, ReadTunnels, TunnelState, LiveState>(data[0], {data + 1, size - 1});
  return 0;
}
