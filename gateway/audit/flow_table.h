// The open flows as connection tracking tells them, each joined with the permission whose number its mark carries.
// Gives the begin and end records. Flows without our mark are none of ours. Bounded, and fair: when it is full
// the facility with most open flows loses its own oldest, which is counted; its end is still recorded, as of a flow
// seen late.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/audit/conntrack_event.h"
#include "gateway/audit/flow_shares.h"
#include "gateway/audit/record.h"
#include "policy/plan.h"
#include "policy/translations.h"

namespace gateway::audit {

struct Flow {
  std::uint64_t number = 0;  // ours, running; joins begin and end
  Tuple tuple;
  std::uint32_t rule = 0;
  std::shared_ptr<const policy::Permission> permission;  // null: the plan does not know the number any more
  config::value::IpAddress real_source, real_destination;
  config::value::WallTime began;
  std::optional<config::value::WallTime> closing_since;  // TCP said good-bye; the kernel forgets it later
  bool seen_late = false;  // its begin was missed: it was open before we were, or fell out of the table
  bool cut = false;        // its permission was taken away
};

class FlowTable {
 public:
  explicit FlowTable(std::size_t most = 262'144) : most_(most) {}

  // Open flows whose permission is not in `plan` are cut from now on: a record each.
  void set_plan(const policy::Plan& plan, std::vector<Record>& out);
  void on_event(const ConntrackEvent& event, const RecordTime& now, std::vector<Record>& out);

  [[nodiscard]] std::size_t size() const { return flows_.size(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::uint64_t begun() const { return begun_; }
  [[nodiscard]] std::uint64_t ended() const { return ended_; }
  [[nodiscard]] const std::map<std::uint64_t, Flow>& flows() const { return flows_; }

 private:
  struct TupleHash {
    std::size_t operator()(const Tuple& tuple) const noexcept;
  };
  using Rules = std::unordered_map<std::uint32_t, std::shared_ptr<const policy::Permission>>;

  Flow& begin(const ConntrackEvent& event, bool late, const RecordTime& now, std::vector<Record>& out);
  void end(const ConntrackEvent& event, const RecordTime& now, std::vector<Record>& out);
  void drop_one();
  void forget(std::uint64_t number);
  [[nodiscard]] std::shared_ptr<const policy::Permission> permission_of(std::uint32_t rule) const;

  std::size_t most_;
  std::map<std::uint64_t, Flow> flows_;
  FlowShares shares_;
  std::unordered_map<Tuple, std::uint64_t, TupleHash> by_tuple_;
  Rules rules_, earlier_rules_;  // of the plan, and of the one before
  policy::Translations translations_;
  std::uint64_t next_number_ = 1, dropped_ = 0, begun_ = 0, ended_ = 0;
};

// The fields of a flow that its begin, cut and end records share; also the answer of `sekisho show flows`.
[[nodiscard]] nlohmann::ordered_json to_fields(const Flow& flow);
[[nodiscard]] std::string protocol_name(std::uint8_t protocol);

}  // namespace gateway::audit
