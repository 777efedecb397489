// Any octets as a line of a record file: a record with what every record has, or a sentence; and whatever is read can
// be asked of a plan.
#include <cstdlib>

#include "gateway/audit/record_line.h"
#include "gateway/audit/replay.h"
#include "gateway/core/refusal.h"
#include "policy/compile.h"

namespace {

// A translated facility, an exchange, and one that may be reached from inside.
policy::Plan plan_of(const char* seen) {
  using config::IpAddress, config::Prefix, config::ServicePort;
  config::GatewayConfig config;
  config.services.resize(1);
  config.services[0].name.text = "karte";
  config.services[0].addresses = {*IpAddress::parse("10.80.0.10")};
  config.services[0].ports = {*ServicePort::parse("tcp/443"), *ServicePort::parse("icmp")};
  config.facilities.resize(2);
  config.facilities[0].name.text = "a", config.facilities[1].name.text = "b";
  config.facilities[0].networks = {{*Prefix::parse("192.168.1.0/24"), *Prefix::parse(seen), {}}};
  config.facilities[1].networks = {{*Prefix::parse("10.2.0.0/24"), *Prefix::parse("10.2.0.0/24"), {}}};
  config.facilities[0].may_use = {{"karte"}};
  config.facilities[0].may_use_at.resize(1);
  return policy::compile(config, {}).plan;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gateway::audit;
  static const policy::Plan before = plan_of("100.64.1.0/24"), after = plan_of("100.64.2.0/24");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto record = read_record_line(text);
  if (!record) {
    if (record.error().empty() || record.error().size() > 200) std::abort();
    return 0;
  }
  if (record->sequence == 0 || record->kind.empty()) std::abort();
  Replay replay(after, &before, {{}, config::value::WallTime{std::chrono::hours(500'000)}, {}},
                gateway::core::is_beyond_permission, 4);
  replay.add(*record);
  const auto found = replay.take();
  if (found.records + found.unreadable > 1 || found.findings.size() > 1) std::abort();
  return 0;
}
