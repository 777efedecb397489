#include "gateway/core/change_effect.h"

#include <algorithm>
#include <map>
#include <set>

#include "gateway/core/candidate.h"
#include "policy/translations.h"

namespace gateway::core {
namespace {

using policy::FacilityPlan;
using policy::Permission;
using policy::PermissionKind;
using policy::Plan;

using policy::Translations;

using Lines = std::map<std::string, std::vector<std::string>>;  // facility -> what is said of it

std::string networks_text(const FacilityPlan& facility) {
  std::string text;
  for (const auto& each : facility.networks)
    text += (text.empty() ? "" : ", ") + each.real.to_string() +
            (each.real == each.seen ? "" : " seen as " + each.seen.to_string());
  return text.empty() ? "none" : text;
}

std::string sources_text(const FacilityPlan& facility) {
  std::string text;
  for (const auto& each : facility.sources) text += (text.empty() ? "" : ", ") + each.to_string();
  return text.empty() ? "anywhere" : text;
}

std::string protocol(const FacilityPlan& facility) {
  return facility.ike ? "IKEv2" : "WireGuard";
}

void compare_tunnel(const FacilityPlan& was, const FacilityPlan& now, std::vector<std::string>& lines) {
  constexpr const char* kAgain = ": the tunnel is set up again, and open flows stop until it is";
  if (was.ike.has_value() != now.ike.has_value())
    lines.push_back("its tunnel becomes " + protocol(now) + kAgain);
  else if (was.wireguard.public_key != now.wireguard.public_key)
    lines.push_back(std::string("its WireGuard key is another") + kAgain);
  else if (was.ike && was.ike->remote_id != now.ike->remote_id)
    lines.push_back("its router is now known as '" + now.ike->remote_id + "' (was '" + was.ike->remote_id + "')" +
                    kAgain);
  else if (was.wireguard != now.wireguard || was.ike != now.ike)
    lines.push_back("the parameters of its tunnel change; it may have to be set up again");
  if (was.sources != now.sources)
    lines.push_back("its router may call from " + sources_text(now) + " (was " + sources_text(was) + ")");
  if (was.mtu != now.mtu)
    lines.push_back("packets up to " + std::to_string(now.mtu) + " octets (was " + std::to_string(was.mtu) + ")");
}

void compare_facility(const FacilityPlan& was, const FacilityPlan& now, std::vector<std::string>& lines) {
  if (was.networks != now.networks)
    lines.push_back("its networks are " + networks_text(now) + " (were " + networks_text(was) + ")");
  compare_tunnel(was, now, lines);
  if (was.title != now.title) lines.push_back("its title is '" + now.title + "' (was '" + was.title + "')");
}

// Both addresses where one is translated.
std::string what_opens(const Permission& permission, const Translations& translations) {
  return permission.name + " " + translations.text(permission.destination) + " " + permission.port.to_string() +
         " from " + translations.text(permission.source);
}

// Both ends of a permission are told: who may open, and to whom it is opened.
void tell(const Permission& permission, bool opens, const Translations& translations, Lines& lines) {
  const auto& from = permission.from_facility.text;
  const auto& to = permission.to_facility.text;
  const std::string may = opens ? "may newly open " : "may no longer open ";
  lines[from].push_back((from.empty() ? "inside " : "") + may + what_opens(permission, translations));
  if (to.empty() || to == from) return;
  lines[to].push_back((opens ? "is newly opened to " : "is no longer open to ") + (from.empty() ? "inside" : from) +
                      ": " + what_opens(permission, translations));
}

using ByText = std::map<std::string, const Permission*>;

ByText by_text(const std::vector<Permission>& rows) {
  ByText found;
  for (const auto& each : rows) found.emplace(to_string(each), &each);
  return found;
}

// The same road with another end: neither opened nor closed.
void compare_ends(const Permission& was, const Permission& now, const Translations& translations, Lines& lines) {
  if (was.until == now.until) return;
  const std::string end = !now.until                ? "no longer ends"
                          : !was.until              ? "now has an end"
                          : *now.until < *was.until ? "ends sooner"
                                                    : "ends later";
  lines[now.from_facility.text].push_back("what it may open " + end + ": " + what_opens(now, translations));
}

void compare_permissions(const Plan& before, const Plan& after, Lines& lines) {
  const auto rows_before = rows_not_in(after, before), rows_after = rows_not_in(before, after);
  const auto old = by_text(rows_before), now = by_text(rows_after);
  const Translations then(before), translations(after);
  for (const auto& [text, permission] : old)
    if (!now.contains(text)) tell(*permission, false, then, lines);
  for (const auto& [text, permission] : now) {
    const auto was = old.find(text);
    was == old.end() ? tell(*permission, true, translations, lines)
                     : compare_ends(*was->second, *permission, translations, lines);
  }
}

std::map<std::string, const FacilityPlan*> by_name(const Plan& plan) {
  std::map<std::string, const FacilityPlan*> found;
  for (const auto& each : plan.facilities) found.emplace(each.name.text, &each);
  return found;
}

// Facilities are said in their own lines; the rest is the gateway's.
void compare_gateway(const Plan& before, const Plan& after, std::vector<std::string>& lines) {
  for (auto& line : describe_difference(before, after))
    if (line.starts_with("~ gateway ") || line == "~ routes") lines.push_back(line.substr(2));
}

}  // namespace

std::vector<ChangeEffect> effects(const Plan& before, const Plan& after) {
  Lines lines;
  compare_gateway(before, after, lines[""]);
  const auto old = by_name(before), now = by_name(after);
  for (const auto& [name, facility] : old)
    if (!now.contains(name))
      lines[name].push_back("is served no longer: its tunnel ends, and its networks " + networks_text(*facility) +
                            " are reached by nobody");
  for (const auto& [name, facility] : now) {
    if (const auto was = old.find(name); was != old.end())
      compare_facility(*was->second, *facility, lines[name]);
    else
      lines[name].push_back("is new: " + protocol(*facility) + ", networks " + networks_text(*facility) +
                            ", called from " + sources_text(*facility));
  }
  compare_permissions(before, after, lines);
  std::vector<ChangeEffect> found;
  for (auto& [name, said] : lines) {
    if (said.empty()) continue;
    const auto after_it = now.find(name), before_it = old.find(name);
    const auto title = after_it != now.end()    ? after_it->second->title
                       : before_it != old.end() ? before_it->second->title
                                                : std::string();
    found.push_back({name, title, std::move(said)});
  }
  return found;
}

std::vector<std::string> brought_again(const Plan& running, const Plan& rolled_back, const Plan& candidate) {
  auto lines = describe_difference(running, candidate);
  const auto was = describe_difference(running, rolled_back), otherwise = describe_difference(rolled_back, candidate);
  const std::set<std::string> then(was.begin(), was.end()), other(otherwise.begin(), otherwise.end());
  std::erase_if(lines, [&](const std::string& line) { return !then.contains(line) || other.contains(line); });
  return lines;
}

}  // namespace gateway::core
