// sekisho-netd: the only process that changes the kernel. Typed requests in, no packet and no text of rules.
#include <algorithm>
#include <cstdio>

#include "gateway/daemon/netd_kernel.h"
#include "gateway/daemon/netd_state_reader.h"
#include "gateway/os/clock.h"
#include "gateway/os/heap.h"
#include "gateway/os/supervised_child.h"

namespace {

using gateway::core::MessageType;
using gateway::core::ProcessRole;
using gateway::daemon::NetdKernel;
using gateway::os::Message;
using gateway::os::OsResult;
using gateway::os::SupervisedChild;
namespace core = gateway::core;

constexpr auto kParameterCheck = std::chrono::seconds(1);
constexpr std::size_t kMany = 4'000, kInASecond = 2'000;  // of a slow machine under load
constexpr std::uint32_t kNftablesToken = SupervisedChild::kFirstFreeToken;
constexpr std::uint32_t kRoutingToken = kNftablesToken + 1;
constexpr std::uint32_t kStateToken = kNftablesToken + 2;

class Netd {
 public:
  Netd(SupervisedChild child, NetdKernel kernel) : child_(std::move(child)), kernel_(std::move(kernel)) {}

  OsResult<void> start() {
    if (auto watched = child_.loop().watch(kernel_.watch().nftables_descriptor(), kNftablesToken); !watched)
      return watched;
    if (auto watched = child_.loop().watch(kernel_.watch().routing_descriptor(), kRoutingToken); !watched)
      return watched;
    kernel_.before_long([this](std::size_t elements) { announce(elements); });
    return child_.ready(kernel_.owned() ? "table owned" : "table watched");
  }

  // Returns when asked to stop, with the kernel closed.
  OsResult<void> run() {
    auto next_check = gateway::os::boot_now() + kParameterCheck;
    for (;;) {
      auto turn = child_.turn(next_check);
      if (!turn.fresh_channels.empty()) told_.clear(), (void)reader_.end("");  // who asked is gone
      if (turn.kept) kernel_.descriptors().adopt(*std::move(turn.kept));
      for (const auto& [peer, message] : turn.messages) serve(peer, message);
      if (turn.stop) return kernel_.close_all();
      const auto of_state = [](const auto& ready) { return ready.token == kStateToken; };
      if (std::ranges::any_of(turn.other, of_state)) tell_state();
      if (!std::ranges::all_of(turn.other, of_state)) tell(kernel_.repair());
      if (const auto now = gateway::os::boot_now(); now >= next_check) {
        next_check = now + kParameterCheck;
        tell_state();  // that it was late
        tell(kernel_.check_parameters());
        tell_refusals();
        if (touched_ && accessd().open() && accessd().send(MessageType::kKernelTouched, *touched_)) touched_.reset();
      }
    }
  }

 private:
  gateway::os::MessageChannel& accessd() { return child_.peer(ProcessRole::kAccessd); }

  void serve(ProcessRole peer, const Message& message) {
    bool good = false;
    if (message.type == MessageType::kApplyPlan || message.type == MessageType::kCutFacilities ||
        message.type == MessageType::kCloseAll)
      stop_reading();
    if (peer == ProcessRole::kAccessd && message.type == MessageType::kApplyPlan) good = apply(message);
    if (peer == ProcessRole::kAccessd && message.type == MessageType::kOpenDescriptors)
      good = open_descriptors(message);
    if (peer == ProcessRole::kAccessd && message.type == MessageType::kCloseAll) good = close_all(message);
    if (peer == ProcessRole::kAccessd && message.type == MessageType::kCutFacilities) good = cut(message);
    if (peer == ProcessRole::kAccessd && message.type == MessageType::kReadKernel) good = read_kernel(message);
    if (peer == ProcessRole::kAccessd && message.type == MessageType::kRepairKernel) good = repair_kernel(message);
    if (!good) child_.peer(peer).close();
  }

  // A plan of so many rows, or a transaction of so many elements, may take longer than the watchdog waits: libnftables
  // reads a table as text, in one piece (docs/decisions/0017).
  void announce(std::size_t count) {
    if (count > kMany) child_.busy_for(std::chrono::seconds(count / kInASecond));
  }

  bool apply(const Message& message) {
    auto request = core::decode<core::ApplyPlan>(message.payload);
    if (!request) return false;
    announce(request->plan.permissions.size());
    auto done = gateway::daemon::unbroken(request->plan);
    if (done) done = kernel_.apply(std::move(request->plan));
    if (!done) tell(kernel_.check_parameters());  // rules that were installed but not read back: the old ones again
    const core::PlanApplied answer{request->generation, done.has_value(), done ? "" : done.error().to_string()};
    return accessd().send(MessageType::kPlanApplied, answer).has_value();
  }

  bool open_descriptors(const Message& message) {
    if (!core::decode<core::OpenDescriptors>(message.payload)) return false;
    const auto refuse = [&](const std::string& why) {
      return accessd().send(MessageType::kDescriptors, core::Descriptors{false, why, {}, {}}).has_value();
    };
    if (!kernel_.plan()) return refuse("no plan was applied yet");
    if (auto opened = kernel_.descriptors().open(*kernel_.plan()); !opened) return refuse(opened.error().to_string());
    return send_descriptors();
  }

  bool send_descriptors() {
    const auto description = kernel_.descriptors().description();
    const auto numbers = kernel_.descriptors().numbers();
    (void)child_.keep(description, numbers);
    return accessd().send(MessageType::kDescriptors, description, numbers).has_value();
  }

  bool close_all(const Message& message) {
    if (!core::decode<core::CloseAll>(message.payload)) return false;
    if (auto closed = kernel_.close_all(); !closed)
      tell({{{"closing failed: " + closed.error().to_string(), false, 0, {}}}, false, {}});
    return true;
  }

  bool read_kernel(const Message& message) {
    const auto request = core::decode<core::ReadKernel>(message.payload);
    if (!request) return false;
    if (reader_.running()) child_.loop().forget(reader_.descriptor());
    auto started = reader_.start(request->id, kernel_.state_reader(), gateway::os::boot_now());
    if (started) started = child_.loop().watch(reader_.descriptor(), kStateToken);
    if (started) return true;
    (void)reader_.end("");
    core::KernelState none;
    none.id = request->id, none.error = started.error().to_string();
    return accessd().send(MessageType::kKernelState, none).has_value();
  }

  // What it would tell is of before.
  void stop_reading() {
    if (!reader_.running()) return;
    child_.loop().forget(reader_.descriptor());
    if (const auto told = reader_.end("a change came first"); told && accessd().open())
      (void)accessd().send_octets(MessageType::kKernelState, *told);
  }

  void tell_state() {
    if (!reader_.running()) return;
    const int descriptor = reader_.descriptor();
    const auto told = reader_.answer(gateway::os::boot_now());
    if (!told) return;
    child_.loop().forget(descriptor);
    if (accessd().open()) (void)accessd().send_octets(MessageType::kKernelState, *told);
  }

  bool repair_kernel(const Message& message) {
    if (!core::decode<core::RepairKernel>(message.payload)) return false;
    if (!kernel_.plan() || kernel_.plan()->live.repair) tell(kernel_.repair_all());
    return true;
  }

  bool cut(const Message& message) {
    const auto order = core::decode<core::CutFacilities>(message.payload);
    if (!order) return false;
    if (order->plan_follows) {
      if (!kernel_.cut_at_once(*order)) return true;  // with the plan
      return accessd().send(MessageType::kFacilitiesCut, core::FacilitiesCut{order->generation, true, ""}).has_value();
    }
    const auto done = kernel_.cut(*order);
    const core::FacilitiesCut answer{order->generation, done.has_value(), done ? "" : done.error().to_string()};
    return accessd().send(MessageType::kFacilitiesCut, answer).has_value();
  }

  void tell(const NetdKernel::Repairs& repairs) {
    if (repairs.touched) touched_ = repairs.touched;
    if (!accessd().open()) return;
    for (const auto& drift : repairs.drifts) (void)accessd().send(MessageType::kKernelDrift, drift);
    if (repairs.tun_renewed && kernel_.descriptors().complete()) (void)send_descriptors();
  }

  void tell_refusals() {
    if (!accessd().open()) return;
    auto refusals = kernel_.refusals();
    std::vector<std::uint64_t> totals;
    for (const auto& each : refusals.totals) totals.push_back(each.value);
    if (totals == told_) return;
    if (accessd().send(MessageType::kKernelRefusals, refusals)) told_ = std::move(totals);
  }

  SupervisedChild child_;
  NetdKernel kernel_;
  gateway::daemon::NetdStateReader reader_;
  std::optional<core::KernelTouched> touched_;  // not told yet
  std::vector<std::uint64_t> told_;             // the totals accessd has, in their order; empty for a fresh accessd
};

int fail(const gateway::os::OsError& error, int status) {
  std::fprintf(stderr, "sekisho-netd: %s\n", error.to_string().c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  gateway::os::prepare_heap();
  auto child = SupervisedChild::start(ProcessRole::kNetd, argc, argv);
  if (!child) return fail(child.error(), 2);
  auto kernel = NetdKernel::open();
  if (!kernel) return fail(kernel.error(), 2);
  Netd netd(*std::move(child), *std::move(kernel));
  if (auto started = netd.start(); !started) return fail(started.error(), 2);
  if (auto closed = netd.run(); !closed) return fail(closed.error(), 1);
  return 0;
}
