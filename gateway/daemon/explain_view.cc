#include "gateway/daemon/explain_view.h"

#include <algorithm>
#include <optional>

#include "config/moment.h"
#include "gateway/core/layers.h"
#include "policy/part.h"
#include "policy/translations.h"

namespace gateway::daemon {
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

Side side_of(const Asked& asked, const std::string& word) {
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
            {"text", policy::to_text(answer.decision)},
            {"sentence", policy::to_text(answer)}};
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
std::vector<std::string> isolated(const Asked& asked, const Explained& found) {
  auto sentences = asked.isolated;
  std::erase_if(sentences, [&](const std::string& each) {
    return !each.starts_with("not known") && !each.starts_with(found.from.name + " ") &&
           !each.starts_with(found.to.name + " ");
  });
  return sentences;
}

// What is asked of one pair after the other is answered by what has a say about that pair alone.
class AskedLayers {
 public:
  explicit AskedLayers(const policy::Plan& plan) : plan_(plan) {}
  Result<LayerAnswers, std::string> ask(const policy::Packet& packet, config::value::WallTime at) {
    if (!layers_ || source_ != packet.source || destination_ != packet.destination) {
      source_ = packet.source, destination_ = packet.destination;
      part_ = policy::part_about(plan_, {source_, destination_});
      layers_ = TRY(core::Layers::compile(part_));
    }
    return layers_->ask(packet, at);
  }

 private:
  const policy::Plan& plan_;
  config::value::IpAddress source_, destination_;
  policy::Plan part_;
  std::optional<core::Layers> layers_;
};

}  // namespace

Result<policy::Question, std::string> question_of(const std::string& from, const std::string& to) {
  auto [name, port] = split_port(to);
  policy::Question question{split_port(from).name, name, std::nullopt, std::nullopt};
  if (port.empty()) return question;
  if (port.find_first_not_of("0123456789") == std::string::npos) port.insert(0, "tcp/");
  question.port = TRY(config::value::ServicePort::parse(port));
  return question;
}

Result<Json, std::string> explanation_view(const Asked& asked, const policy::Question& question,
                                           std::size_t most_ends) {
  // One look through 200,000 rows; what follows is about a few.
  const auto ends = policy::addresses_asked(asked.config, question);
  const policy::Plan known = policy::part_about(asked.known, ends);
  const policy::Plan then = &asked.then == &asked.known ? known : policy::part_about(asked.then, ends);
  Explained found{side_of(asked, question.from),
                  side_of(asked, question.to),
                  policy::explain(asked.config, known, question, asked.at),
                  {}};
  if (const auto count = found.policy.answers.size(); count > most_ends)
    return std::unexpected("'" + question.from + "' and '" + question.to + "' stand for " + std::to_string(count) +
                           " pairs of addresses and ports, and the gateway answers about " + std::to_string(most_ends) +
                           " at most: name an address or a port");
  AskedLayers layers(then);
  for (const auto& answer : found.policy.answers) found.layers.push_back(TRY(layers.ask(answer.packet, asked.at)));
  Json out{{"at", config::moment_text(asked.at)},
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
    out["answers"].push_back(to_json(known, found.policy.answers[i], found.layers[i]));
  return out;
}

}  // namespace gateway::daemon
