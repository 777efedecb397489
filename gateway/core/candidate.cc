#include "gateway/core/candidate.h"

#include <sodium.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "gateway/core/ike_peers.h"
#include "gateway/core/proof.h"
#include "policy/compile.h"
#include "policy/explain.h"
#include "policy/translations.h"
#include "policy/verify.h"

namespace gateway::core {
namespace {

using config::Diagnostic;
using config::value::WallTime;

void add(const std::vector<Diagnostic>& diagnostics, const std::vector<std::string>& files, Candidate& out) {
  for (const auto& each : diagnostics)
    (each.severity == config::Severity::kError ? out.errors : out.warnings).push_back(config::to_text(each, files));
}

std::vector<Diagnostic> check_reach(const config::GatewayConfig& config, const policy::Plan& plan) {
  const auto reached = destinations_of(plan);
  std::vector<Diagnostic> found;
  for (const auto& facility : config.facilities) {
    if (facility.tunnel.protocol != config::TunnelProtocol::kIkev2) continue;
    const auto known = reached.find(facility.name.text);
    const auto fault = known == reached.end() ? std::nullopt : too_many_destinations(known->second.size());
    if (!fault) continue;
    Diagnostic diagnostic;
    diagnostic.at = facility.tunnel.ikev2.remote_id_at;
    diagnostic.key_path = "facilities." + facility.name.text + ".may_use";
    diagnostic.message = "facility \"" + facility.name.text + "\": " + *fault;
    found.push_back(std::move(diagnostic));
  }
  return found;
}

Candidate compiled(const config::GatewayConfig& config, const std::string& directory, WallTime now) {
  Candidate candidate;
  candidate.config = std::make_shared<const config::GatewayConfig>(config);
  auto result = policy::compile(config, now);
  add(result.diagnostics, config.files, candidate);
  candidate.plan = std::move(result.plan);
  candidate.next_change = result.next_change;
  candidate.keys = key_sources(candidate.plan, directory);
  add(check_ikev2(config), config.files, candidate);
  add(check_reach(config, candidate.plan), config.files, candidate);
  for (const auto& finding : policy::verify(candidate.plan))
    candidate.errors.push_back("the plan breaks promise " + finding.promise + ": " + finding.what);
  return candidate;
}

std::string text_of(const policy::FacilityPlan& facility) {
  std::string text = facility.name.text + " (";
  for (const auto& network : facility.networks)
    text += (text.back() == '(' ? "" : ", ") + network.real.to_string() +
            (network.real == network.seen ? "" : " seen as " + network.seen.to_string());
  return text + ")";
}

template <class T, class Key>
std::map<Key, const T*> by_key(const std::vector<T>& values, Key (*key)(const T&)) {
  std::map<Key, const T*> found;
  for (const auto& value : values) found.emplace(key(value), &value);
  return found;
}

void compare_facilities(const policy::Plan& before, const policy::Plan& after, std::vector<std::string>& lines) {
  const auto name = +[](const policy::FacilityPlan& f) { return f.name; };
  const auto old = by_key(before.facilities, name), now = by_key(after.facilities, name);
  for (const auto& [key, facility] : old)
    if (!now.contains(key)) lines.push_back("- facility " + text_of(*facility));
  for (const auto& [key, facility] : now) {
    const auto was = old.find(key);
    if (was == old.end()) {
      lines.push_back("+ facility " + text_of(*facility));
      continue;
    }
    if (was->second->networks != facility->networks)
      lines.push_back("~ facility " + text_of(*was->second) + " is now " + text_of(*facility));
    if (was->second->wireguard != facility->wireguard || was->second->ike != facility->ike)
      lines.push_back("~ facility " + key.text + ": tunnel");
    if (was->second->sources != facility->sources) lines.push_back("~ facility " + key.text + ": outer sources");
    if (was->second->mtu != facility->mtu) lines.push_back("~ facility " + key.text + ": MTU");
    if (was->second->isolated != facility->isolated)
      lines.push_back("~ facility " + key.text + (facility->isolated ? ": isolated" : ": isolated no longer"));
    if (was->second->title != facility->title) lines.push_back("~ facility " + key.text + ": title");
  }
}

// What the facilities themselves call the addresses, where that is something else.
std::string real_text(const policy::Permission& row, const policy::Translations& translations) {
  const auto source = translations.real(row.source), destination = translations.real(row.destination);
  if (source == row.source && destination == row.destination) return {};
  return " (real: " + source.to_string() + " -> " + destination.to_string() + ")";
}

// The origin (a place in a file) moves with every edit and is no difference.
bool same_but_origin(const policy::Permission& a, const policy::Permission& b) {
  return a.rule == b.rule && a.kind == b.kind && a.port == b.port && a.destination == b.destination &&
         a.source == b.source && a.until == b.until && a.from_facility == b.from_facility &&
         a.to_facility == b.to_facility && a.name == b.name;
}

void compare_permissions(const policy::Plan& before, const policy::Plan& after, std::vector<std::string>& lines) {
  const auto text = +[](const policy::Permission& p) { return to_string(p); };
  const auto rows_before = rows_not_in(after, before), rows_after = rows_not_in(before, after);
  const auto old = by_key(rows_before, text), now = by_key(rows_after, text);
  const policy::Translations then(before), translations(after);
  for (const auto& [key, permission] : old)
    if (!now.contains(key)) lines.push_back("- permission " + key + real_text(*permission, then));
  for (const auto& [key, permission] : now) {
    const auto was = old.find(key);
    if (was == old.end())
      lines.push_back("+ permission " + key + real_text(*permission, translations));
    else if (was->second->until != permission->until)
      lines.push_back("~ permission " + key + ": another end date");
  }
}

std::string joined(const std::vector<policy::IpAddress>& addresses) {
  std::string text;
  for (const auto& address : addresses) text += (text.empty() ? "" : " ") + address.to_string();
  return text;
}

void compare_gateway(const policy::Plan& before, const policy::Plan& after, std::vector<std::string>& lines) {
  const auto compare = [&lines](const char* what, const std::string& old, const std::string& now) {
    if (old != now) lines.push_back(std::string("~ gateway ") + what + ": '" + old + "' is now '" + now + "'");
  };
  compare("name", before.gateway_name, after.gateway_name);
  compare("outside interface", before.outside_interface, after.outside_interface);
  compare("outside addresses", joined(before.outside_addresses), joined(after.outside_addresses));
  compare("inside interface", before.inside_interface, after.inside_interface);
  compare("port", std::to_string(before.wireguard_port), std::to_string(after.wireguard_port));
  compare("tunnel MTU", std::to_string(before.tunnel_mtu), std::to_string(after.tunnel_mtu));
  const auto offloads = [](const config::Offloads& used) {
    std::string text;
    for (const auto& [name, on] : {std::pair{"tun_tcp", used.tun_tcp},
                                   {"tun_udp", used.tun_udp},
                                   {"udp_segment", used.udp_segment},
                                   {"udp_gro", used.udp_gro}})
      if (on) text += (text.empty() ? "" : " ") + std::string(name);
    return text;
  };
  compare("offloads", offloads(before.offloads), offloads(after.offloads));
  compare("live check", std::to_string(before.live.every_seconds) + " s",
          std::to_string(after.live.every_seconds) + " s");
  compare("live repair", before.live.repair ? "on" : "off", after.live.repair ? "on" : "off");
  compare("key file", before.gateway_key, after.gateway_key);
  compare("certificate", before.certificate_file, after.certificate_file);
  compare("signing key file", before.signing_key, after.signing_key);
  const auto profile = [](const policy::Plan& plan) {
    return std::string(plan.crypto_profile == config::CryptoProfile::kIpsecStrict ? "ipsec-strict" : "ipsec-compat");
  };
  compare("crypto profile", profile(before), profile(after));
}

}  // namespace

std::vector<Diagnostic> check_ikev2(const config::GatewayConfig& config) {
  std::vector<Diagnostic> found;
  const auto refuse = [&](const config::Position& at, const std::string& path, const std::string& message) {
    Diagnostic diagnostic;
    diagnostic.at = at, diagnostic.key_path = path, diagnostic.message = message;
    found.push_back(std::move(diagnostic));
  };
  std::map<tunnel::ike::IdentityValue, std::string> owners;  // two texts can be one identity: "keyid:0A", "keyid:0a"
  for (const auto& facility : config.facilities) {
    if (facility.tunnel.protocol != config::TunnelProtocol::kIkev2) continue;
    const auto& tunnel = facility.tunnel.ikev2;
    const std::string path = "facilities." + facility.name.text + ".tunnel.";
    if (const auto id = identity_of(tunnel.remote_id); !id) {
      refuse(tunnel.remote_id_at, path + "remote_id", id.error());
    } else if (const auto [first, is_new] = owners.emplace(*id, facility.name.text); !is_new) {
      refuse(tunnel.remote_id_at, path + "remote_id",
             "facility " + first->second + " has the same identity, written differently; each has one of its own");
    }
    if (tunnel.local_id)
      if (const auto id = identity_of(*tunnel.local_id); !id) refuse(tunnel.local_id_at, path + "local_id", id.error());
    for (const auto& exception : tunnel.algorithm_exceptions)
      if (const auto known = algorithm_of(exception.algorithm); !known)
        refuse(exception.at, path + "algorithm_exceptions", known.error());
  }
  if (config.gateway.ikev2.local_id.empty()) return found;
  if (const auto id = identity_of(config.gateway.ikev2.local_id); !id)
    refuse(config.gateway.ikev2.local_id_at, "gateway.ikev2.local_id", id.error());
  return found;
}

std::vector<policy::Permission> rows_not_in(const policy::Plan& other, const policy::Plan& plan) {
  const auto& rows = other.permissions;
  const auto by_number = [](const policy::Permission& a, const policy::Permission& b) { return a.rule < b.rule; };
  if (!std::ranges::is_sorted(rows, by_number) || !std::ranges::is_sorted(plan.permissions, by_number))
    return plan.permissions;
  std::vector<policy::Permission> left;
  auto at = rows.begin();
  for (const policy::Permission& row : plan.permissions) {
    while (at != rows.end() && at->rule < row.rule) ++at;
    auto same = at;
    while (same != rows.end() && same->rule == row.rule && !same_but_origin(*same, row)) ++same;
    if (same == rows.end() || same->rule != row.rule) left.push_back(row);
  }
  return left;
}

std::vector<std::string> unproved(const policy::Plan& plan, const config::GatewayConfig& config, WallTime now) {
  const auto proof = prove(plan, policy::declared(config, now), now);
  if (!proof) return {"the plan cannot be proved: " + proof.error()};
  std::vector<std::string> out;
  for (const std::string& breach : breaches_of(*proof)) out.push_back("the plan breaks promise " + breach);
  return out;
}

std::vector<std::string> Unproved::prove() const {
  return needs_proof() ? unproved(candidate_.plan, *candidate_.config, now_) : std::vector<std::string>{};
}

void Unproved::refuse(std::vector<std::string> errors) {
  std::ranges::move(errors, std::back_inserter(candidate_.errors));
}

void Unproved::note(std::string warning) {
  candidate_.warnings.push_back(std::move(warning));
}

Candidate Unproved::decided(std::vector<std::string> breaches) && {
  refuse(std::move(breaches));
  if (candidate_.errors.empty() || !otherwise_) return std::move(candidate_);
  std::ranges::move(candidate_.errors, std::back_inserter(otherwise_->warnings));
  return *std::move(otherwise_);
}

Unproved refused(std::vector<std::string> errors) {
  Candidate none;
  none.errors = std::move(errors);
  if (none.errors.empty()) none.errors.emplace_back("refused");
  return {std::move(none), {}};
}

Candidate proved_here(Unproved judged) {
  auto breaches = judged.needs_proof() ? judged.prove() : std::vector<std::string>();
  return std::move(judged).decided(std::move(breaches));
}

Unproved judge(const config::Loaded& loaded, const std::string& directory, WallTime now) {
  Candidate candidate;
  if (!config::has_errors(loaded.diagnostics)) {
    candidate = compiled(loaded.config, directory, now);
    candidate.credentials = loaded.credentials;
    candidate.sources = std::make_shared<const std::vector<config::SourceFile>>(loaded.sources);
    add(policy::run_tests(loaded.config, candidate.plan, now), loaded.config.files, candidate);
  }
  add(loaded.diagnostics, loaded.config.files, candidate);
  return {std::move(candidate), now};
}

Unproved judge_again(const config::GatewayConfig& config, std::shared_ptr<const policy::Plan> running,
                     const std::string& directory, WallTime now) {
  const auto test = [&](Candidate& candidate) {
    for (const auto& failed : policy::run_tests(config, candidate.plan, now))
      candidate.warnings.push_back(config::to_text(failed, config.files));
  };
  Unproved judged(compiled(config, directory, now), now);
  judged.otherwise_ = without_ended(*running, key_sources(*running, directory), now);
  judged.otherwise_->config = judged.candidate_.config;
  judged.candidate_.made_of = judged.otherwise_->made_of = std::move(running);
  test(judged.candidate_);
  test(*judged.otherwise_);
  return judged;
}

Candidate without_ended(const policy::Plan& plan, std::vector<KeySource> keys, WallTime now) {
  Candidate candidate;
  candidate.plan = plan;
  candidate.keys = std::move(keys);
  std::erase_if(candidate.plan.permissions, [now](const auto& p) { return p.until && *p.until <= now; });
  for (const auto& permission : candidate.plan.permissions)
    if (permission.until && (!candidate.next_change || *permission.until < *candidate.next_change))
      candidate.next_change = permission.until;
  return candidate;
}

std::vector<KeySource> key_sources(const policy::Plan& plan, const std::string& directory) {
  const auto absolute = [&directory](const std::string& name) {
    return name.starts_with('/') || directory.empty() ? name : directory + "/" + name;
  };
  std::map<std::string, KeySource> by_name;
  const auto add = [&](const std::string& name, KeySource::Kind kind) {
    if (!name.empty()) by_name.emplace(name, KeySource{name, kind, absolute(name)});
  };
  add(plan.gateway_key, KeySource::Kind::kWireguardPrivate);
  add(plan.signing_key, KeySource::Kind::kIkeSigning);
  for (const auto& facility : plan.facilities) {
    add(facility.wireguard.preshared_key, KeySource::Kind::kPreshared);
    if (!facility.ike) continue;
    add(facility.ike->preshared_key, KeySource::Kind::kIkePreshared);
    add(facility.ike->ppk, KeySource::Kind::kIkePpk);
  }
  std::vector<KeySource> keys;
  for (auto& [name, key] : by_name) keys.push_back(std::move(key));
  return keys;
}

std::string digest(const policy::Plan& plan) {
  const auto octets = encode(plan);
  std::array<unsigned char, 32> hash{};
  crypto_generichash(hash.data(), hash.size(), octets.data(), octets.size(), nullptr, 0);
  std::array<char, 65> text{};
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  return text.data();
}

std::vector<std::string> describe_difference(const policy::Plan& before, const policy::Plan& after) {
  std::vector<std::string> lines;
  compare_gateway(before, after, lines);
  compare_facilities(before, after, lines);
  compare_permissions(before, after, lines);
  if (lines.empty() && (before.routes != after.routes || before.rules != after.rules)) lines.push_back("~ routes");
  return lines;
}

void shorten_lines(std::vector<std::string>& lines) {
  if (lines.size() <= kMostDifferenceLines) return;
  const std::size_t more = lines.size() - kMostDifferenceLines;
  lines.resize(kMostDifferenceLines);
  lines.push_back("... and " + std::to_string(more) + " lines more");
}

std::string to_string(const policy::Permission& permission) {
  const std::string from = permission.from_facility.text.empty() ? "inside" : permission.from_facility.text;
  return from + " " + permission.source.to_string() + " -> " + permission.name + " " +
         permission.destination.to_string() + " " + permission.port.to_string();
}

}  // namespace gateway::core
