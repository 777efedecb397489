// One packet asked at every layer that could refuse it (P4): the selectors of the tunnels, the guard, the routes and
// the table of nftables, each from what it is itself given of the plan. For people who ask why (`sekisho explain`); no
// packet is decided here, and policy::decide is not asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/value/result.h"
#include "firewall/rule_set.h"
#include "gateway/core/guard.h"
#include "policy/decide.h"
#include "policy/plan.h"

namespace gateway::core {

struct LayerAnswer {
  std::string layer;     // "tunnel", "guard", "route", "nftables"
  std::string facility;  // whose tunnel, or whose side of the guard; empty: of the gateway
  bool passes = false;
  std::string says;  // one sentence
};

class Layers {
 public:
  // `plan` must outlive the result. The error: what the guard finds wrong with the plan.
  [[nodiscard]] static Result<Layers, std::string> compile(const policy::Plan& plan);

  // In the order in which the packet meets them; all are asked, also behind one that refuses. A source that is no
  // facility's is taken to come from inside. The first packet of a flow: TCP with SYN, an echo request.
  [[nodiscard]] std::vector<LayerAnswer> ask(const policy::Packet& packet, config::value::WallTime now) const;

 private:
  Layers(const policy::Plan& plan, Guard guard, firewall::RuleSet table)
      : plan_(&plan), guard_(std::move(guard)), table_(std::move(table)) {}
  // `near`: the packet's address on the facility's side, `far`: the other; `way`: in the sentence.
  [[nodiscard]] LayerAnswer tunnel_answer(const policy::FacilityPlan& facility, const config::value::IpAddress& near,
                                          const config::value::IpAddress& far, const std::string& way) const;
  void ask_kernel(const policy::Packet& packet, bool from_tunnel, std::vector<LayerAnswer>& out) const;

  const policy::Plan* plan_;
  Guard guard_;
  firewall::RuleSet table_;
};

// Every layer lets it pass.
[[nodiscard]] bool all_pass(const std::vector<LayerAnswer>& answers);

}  // namespace gateway::core
