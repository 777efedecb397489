// sekisho explain FROM TO[:PORT] [--at TIME]: what policy says, by which line, and what each layer makes of it.
#include <fmt/format.h>

#include <algorithm>

#include "config/moment.h"
#include "gateway/core/layers.h"
#include "gateway/daemon/cli_judge.h"
#include "gateway/daemon/cli_text.h"
#include "policy/explain.h"
#include "policy/translations.h"

namespace gateway::daemon::cli {
namespace {

using config::value::Result;
using LayerAnswers = std::vector<core::LayerAnswer>;

// "karte:tcp/443" -> "karte", "tcp/443"; "[2001:db8::1]:443" likewise. A port without protocol is TCP.
struct Split {
  std::string name, port;  // an empty port: none was given
};

Split split_port(const std::string& word) {
  if (word.starts_with('[')) {
    const auto end = word.find(']');
    if (end == std::string::npos) return {word, ""};
    return {word.substr(1, end - 1), end + 1 < word.size() && word[end + 1] == ':' ? word.substr(end + 2) : ""};
  }
  if (word.starts_with("inside:") || config::value::IpAddress::parse(word)) return {word, ""};
  const auto colon = word.find(':');
  return colon == std::string::npos ? Split{word, ""} : Split{word.substr(0, colon), word.substr(colon + 1)};
}

config::value::Result<policy::Question, std::string> question_of(const std::vector<std::string>& words) {
  auto [to, port] = split_port(words[1]);
  policy::Question question{split_port(words[0]).name, to, std::nullopt, std::nullopt};
  if (port.empty()) return question;
  if (port.find_first_not_of("0123456789") == std::string::npos) port.insert(0, "tcp/");
  question.port = TRY(config::value::ServicePort::parse(port));
  return question;
}

// Who stands at one end, as far as the configuration knows: by name, or whose address it is.
struct Side {
  std::string asked, kind, name, title;  // "10.2.0.7", "facility", "matsumae", "松前診療所"; kind "": nobody's
};

template <class Named>
const Named* named(const std::vector<Named>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, [](const Named& each) { return each.name.text; });
  return found == all.end() ? nullptr : &*found;
}

const config::Service* service_at(const config::GatewayConfig& config, const config::IpAddress& address) {
  for (const auto& service : config.services)
    if (std::ranges::find(service.addresses, address) != service.addresses.end()) return &service;
  return nullptr;
}

Side side_of(const AskedAt& asked, const std::string& word) {
  constexpr std::string_view kInside = "inside:";
  std::string name = word.starts_with(kInside) ? word.substr(kInside.size()) : word;
  const auto* service = named(asked.config.services, name);
  if (const auto address = config::IpAddress::parse(word)) {
    if (const auto* facility = policy::facility_of(asked.known, *address)) name = facility->name.text;
    service = service_at(asked.config, *address);
  }
  if (service != nullptr) return {word, "service", service->name.text, service->title};
  if (const auto* facility = named(asked.config.facilities, name)) return {word, "facility", name, facility->title};
  return {word, "", "", ""};
}

std::string text_of(const Side& side) {
  std::string text = side.asked;
  if (!side.name.empty() && side.asked.find(side.name) == std::string::npos) text += " (" + side.name + ")";
  return printable(side.title.empty() ? text : text + " " + side.title);
}

Json to_json(const Side& side) {
  return {{"asked", side.asked}, {"kind", side.kind}, {"name", side.name}, {"title", side.title}};
}

Json to_json(const LayerAnswers& layers) {
  Json list = Json::array();
  for (const auto& each : layers)
    list.push_back({{"layer", each.layer}, {"facility", each.facility}, {"passes", each.passes}, {"says", each.says}});
  return list;
}

Json to_json(const policy::Plan& plan, const policy::Answer& answer, const LayerAnswers& layers) {
  Json json{{"source", answer.packet.source.to_string()},
            {"source_real", policy::real_address(plan, answer.packet.source).to_string()},
            {"destination", answer.packet.destination.to_string()},
            {"destination_real", policy::real_address(plan, answer.packet.destination).to_string()},
            {"destination_port", answer.packet.destination_port},
            {"allowed", answer.decision.allowed()},
            {"text", policy::to_text(answer.decision)}};
  if (const auto* permission = answer.decision.permission) {
    json["rule"] = permission->rule.number;
    json["origin"] = permission->origin;
    json["name"] = permission->name;
    json["port"] = permission->port.to_string();
    if (permission->until) json["until"] = config::moment_text(*permission->until);
  }
  json["layers"] = to_json(layers);
  return json;
}

// What was asked, what policy answers, what the layers say to each answer. They should always agree.
struct Explained {
  Side from, to;
  policy::Explanation policy;
  std::vector<LayerAnswers> layers;  // one for each of policy.answers
  [[nodiscard]] bool allowed() const { return policy.problems.empty() && policy.any_allowed() && agree(); }
  [[nodiscard]] bool agree() const {
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (core::all_pass(layers[i]) != policy.answers[i].decision.allowed()) return false;
    return true;
  }
};

// Of the two sides, and that nothing is known.
std::vector<std::string> isolated(const AskedAt& asked, const Explained& found) {
  auto sentences = asked.isolated;
  std::erase_if(sentences, [&](const std::string& each) {
    return !each.starts_with("not known") && !each.starts_with(found.from.name + " ") &&
           !each.starts_with(found.to.name + " ");
  });
  return sentences;
}

void print_json(const AskedAt& asked, const Explained& found) {
  Json out{{"version", kControlVersion},
           {"at", config::moment_text(asked.at)},
           {"from", to_json(found.from)},
           {"to", to_json(found.to)},
           {"allowed", found.allowed()},
           {"all_allowed", found.policy.all_allowed()},
           {"layers_agree", found.agree()},
           {"problems", found.policy.problems},
           {"isolated", isolated(asked, found)},
           {"notes", asked.notes},
           {"answers", Json::array()}};
  for (std::size_t i = 0; i < found.policy.answers.size(); ++i)
    out["answers"].push_back(to_json(asked.known, found.policy.answers[i], found.layers[i]));
  fmt::print("{}", one_line(out));
}

void print_text(const AskedAt& asked, const Explained& found) {
  if (!found.policy.problems.empty()) {
    fmt::print(stderr, "{}", policy::to_text(found.policy));
    return;
  }
  fmt::print("{} -> {}, at {}\n", text_of(found.from), text_of(found.to), config::moment_text(asked.at));
  for (std::size_t i = 0; i < found.policy.answers.size(); ++i) {
    fmt::print("{}\n", policy::to_text(found.policy.answers[i]));
    for (const auto& layer : found.layers[i])
      fmt::print("  {:<9} {} {}\n", layer.layer, layer.passes ? "passes " : "refuses",
                 (layer.facility.empty() ? "" : layer.facility + ": ") + layer.says);
  }
  if (!found.agree())
    fmt::print("policy and layers do not agree: a fault of the gateway, please report it (SECURITY.md)\n");
  for (const auto& sentence : isolated(asked, found)) fmt::print("isolated: {}\n", printable(sentence));
  print_notes(asked);
}

}  // namespace

int explain(const CommandLine& line) {
  const auto question = question_of(line.words);
  if (!question) {
    fmt::print(stderr, "sekisho explain: {}\n", question.error());
    return kCouldNotRun;
  }
  const auto asked = read_at(line, "explain");
  if (!asked) return asked.error();
  const auto layers = core::Layers::compile(asked->then);
  if (!layers) {
    fmt::print(stderr, "sekisho explain: {}\n", layers.error());
    return kCouldNotRun;
  }
  Explained found{side_of(*asked, question->from),
                  side_of(*asked, question->to),
                  policy::explain(asked->config, asked->known, *question, asked->at),
                  {}};
  for (const auto& answer : found.policy.answers) found.layers.push_back(layers->ask(answer.packet, asked->at));
  if (line.json())
    print_json(*asked, found);
  else
    print_text(*asked, found);
  if (!found.policy.problems.empty()) return kCouldNotRun;
  return found.allowed() ? kFine : kFindings;
}

}  // namespace gateway::daemon::cli
