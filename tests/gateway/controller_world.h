// The controller among processes that answer as a test wants.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>

#include "gateway/core/controller.h"

namespace controller_world {

using namespace gateway::core;
namespace action = gateway::core::action;
using config::value::Generation;
using config::value::Instant;
using config::value::IpAddress;
using config::value::WallTime;
using std::chrono::seconds;

inline policy::Plan plan_named(const std::string& facility) {
  policy::Plan plan;
  plan.gateway_name = "dc1";
  plan.gateway_key = "keys/gateway.key";
  plan.outside_addresses = {IpAddress::v4({203, 0, 113, 10})};
  policy::FacilityPlan each;
  each.name = {facility};
  plan.facilities = {each};
  return plan;
}

inline Candidate candidate(const std::string& facility) {
  Candidate wanted;
  wanted.plan = plan_named(facility);
  wanted.keys = key_sources(wanted.plan, "/etc/sekisho");
  return wanted;
}

// The controller with processes that answer. What each does is a switch of the test.
struct World {
  explicit World(std::uint64_t last = 0, policy::Isolation isolation = {})
      : controller(Generation{last}, std::move(isolation)) {}
  Controller controller;
  Instant now{seconds(1000)};
  WallTime wall{seconds(1'700'000'000)};
  bool record_good = true, keys_good = true, netd_good = true, tunneld_good = true, sockets_good = true;
  bool keys_answer = true, netd_answers = true, tunneld_answers = true, descriptors_answer = true;
  std::vector<std::string> log;
  std::vector<ChangeOutcome> answers;
  std::vector<ChangeRecord> records;
  std::optional<action::Kept> applying;  // of the change begun last
  std::string netd_has, tunneld_has;
  std::uint64_t key_mark = 0;  // of every key, as keyd finds it now
  std::vector<KeyMark> tunneld_has_marks;
  std::optional<CutFacilities> kernel_cut;
  bool tunneld_has_descriptors = false, use_last_good = false, recompile = false;
  int alarms = 0;
  policy::Plan netd_plan, tunneld_plan, last_good;  // as they were told and confirmed
  policy::Isolation kept;
  std::vector<IsolationRecord> isolation_records;
  std::vector<IsolationOutcome> isolation_answers;

  void carry_out(Actions actions) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      Actions more;
      const auto each = actions[i];
      std::visit([&](const auto& wanted) { act(wanted, more); }, each);
      actions.insert(actions.end(), more.begin(), more.end());
    }
  }
  void act(const action::AppendRecord& a, Actions& more) {
    log.push_back("record");
    records.push_back(a.record);
    if (a.kept) applying = a.kept;
    controller.on_recorded(a.ticket, record_good, now, more);
  }
  void act(const action::ConfigureKeyd& a, Actions& more) {
    log.push_back("keys");
    KeysConfigured reply;
    for (const auto& key : a.message.keys)
      reply.keys.push_back({key.name, keys_good, keys_good ? "" : "unreadable", {}, {}, key_mark});
    if (keys_answer) controller.on_keys_configured(reply, now, more);
  }
  void act(const action::ApplyToNetd& a, Actions& more) {
    log.push_back("netd");
    if (!netd_answers) return;
    if (netd_good) netd_plan = *a.plan;
    if (netd_good) netd_has = a.plan->facilities[0].name.text;
    controller.on_plan_applied({a.generation, netd_good, netd_good ? "" : "no such device"}, now, more);
  }
  void act(const action::RequestDescriptors&, Actions& more) {
    log.push_back("descriptors");
    const auto address = sockets_good ? IpAddress::v4({203, 0, 113, 10}) : IpAddress::v4({203, 0, 113, 99});
    if (descriptors_answer) controller.on_descriptors({true, "", "sekisho0", {{{address, 51820}}}}, now, more);
  }
  void act(const action::ConfigureTunneld& a, Actions& more) {
    log.push_back("tunneld");
    if (!tunneld_answers) return;
    if (tunneld_good) tunneld_plan = *a.plan;
    if (tunneld_good) tunneld_has = a.plan->facilities[0].name.text, tunneld_has_marks = a.key_marks;
    tunneld_has_descriptors |= a.with_descriptors;
    controller.on_tunnels_configured({a.generation, tunneld_good, tunneld_good ? "" : "no memory"}, now, more);
  }
  void act(const action::AnswerChange& a, Actions&) { answers.push_back(a.outcome); }
  void act(const action::KeepLastGood& a, Actions&) { log.push_back("keep"), last_good = *a.plan; }
  void act(const action::KeepIsolation& a, Actions&) { log.push_back("isolation"), kept = a.isolation; }
  void act(const action::AppendIsolationRecord& a, Actions&) {
    log.push_back("order"), isolation_records.push_back(a.record);
  }
  void act(const action::AnswerIsolation& a, Actions&) { isolation_answers.push_back(a.outcome); }
  void act(const action::UseLastGood&, Actions&) { use_last_good = true; }
  void act(const action::PlanChanged&, Actions&) { log.push_back("changed"); }
  void act(const action::AnnounceReady&, Actions&) { log.push_back("ready"); }
  void act(const action::RecompileRunning&, Actions&) { recompile = true; }
  void act(const action::RaiseAlarm&, Actions&) { ++alarms; }
  void act(const action::CutInKernel& a, Actions& more) {
    log.push_back("cut");
    kernel_cut = a.message;
    if (netd_answers) controller.on_facilities_cut({a.message.generation, netd_good, ""}, more);
  }
  void act(const action::CloseKernel&, Actions&) { log.push_back("close"); }

  void give(Candidate wanted, ChangeReason reason = ChangeReason::kRequest, std::uint64_t id = 1) {
    Actions actions;
    if (reason == ChangeReason::kExpiry && !wanted.made_of) wanted.made_of = controller.running_shared();
    controller.on_candidate(std::move(wanted), {id, reason, "uid 0", "why", once}, now, actions);
    carry_out(std::move(actions));
  }
  bool once = false;  // what is given is a trial
  IsolationRequest about(const std::string& facility) {
    return {++isolation_id, {facility}, "uid 0 (root), pid 7", "virus", wall};
  }
  // An empty name: all.
  void isolate(const std::string& facility) {
    Actions actions;
    controller.on_isolate(about(facility), now, actions);
    carry_out(std::move(actions));
  }
  void rejoin(const std::string& facility) {
    Actions actions;
    controller.on_rejoin(about(facility), now, actions);
    carry_out(std::move(actions));
  }
  std::uint64_t isolation_id = 100;
  void greet(ProcessRole role) {
    Actions actions;
    controller.on_greeted(role, now, actions);
    carry_out(std::move(actions));
  }
  void greet_all() {
    for (const auto role : {ProcessRole::kKeyd, ProcessRole::kNetd, ProcessRole::kTunneld}) greet(role);
  }
  void lose(ProcessRole role) {
    Actions actions;
    controller.on_lost(role, now, actions);
    carry_out(std::move(actions));
  }
  void pass(Duration time) {
    now += time, wall += time;
    Actions actions;
    controller.on_deadline(wall, now, actions);
    carry_out(std::move(actions));
  }
  void start(const std::string& facility = "a") {
    give(candidate(facility), ChangeReason::kStart, 0);
    greet_all();
    log.clear(), records.clear();
  }
  [[nodiscard]] bool runs(const std::string& facility) const {
    return controller.settled() && controller.running_plan()->facilities[0].name.text == facility &&
           netd_has == facility && tunneld_has == facility;
  }
};

using Log = std::vector<std::string>;

}  // namespace controller_world
