#include "policy/explain.h"

#include <algorithm>

#include "config/report.h"
#include "policy/permissions.h"

namespace policy {
namespace {

using config::value::IpProtocol;

constexpr std::string_view kInsidePrefix = "inside:";
// RFC 5737 and RFC 3849 addresses for "anywhere outside": no configuration may use them for a facility or service.
constexpr const char* kOutside4 = "198.51.100.1";
constexpr const char* kOutside6 = "2001:db8:ffff::1";

// Who or what stands at one end of a question.
struct End {
  std::vector<IpAddress> addresses;
  const config::Facility* facility = nullptr;
  const config::Service* service = nullptr;
};

std::vector<IpAddress> outside_addresses() {
  std::vector<IpAddress> out;
  for (const char* text : {kOutside4, kOutside6})
    if (auto parsed = IpAddress::parse(text)) out.push_back(*parsed);
  return out;
}

// The network's first host stands for it; rows name whole networks, so any host would answer alike.
IpAddress first_host(const Prefix& network) {
  if (network.length() + 1 >= network.address().bits()) return network.address();
  std::array<std::uint8_t, 16> octets = network.address().storage();
  octets[network.address().octets().size() - 1] |= 1;
  if (!network.address().is_v4()) return IpAddress::v6(octets);
  return IpAddress::v4({octets[0], octets[1], octets[2], octets[3]});
}

class Asker {
 public:
  Asker(const config::GatewayConfig& config, const Plan& plan, const Question& question, WallTime now)
      : config_(config), plan_(plan), question_(question), now_(now) {}

  std::vector<IpAddress> addresses() {
    auto all = source_end().addresses;
    const auto others = destination_end().addresses;
    all.insert(all.end(), others.begin(), others.end());
    return all;
  }

  Explanation ask() {
    const End from = source_end();
    const End to = destination_end();
    if (!out_.problems.empty()) return std::move(out_);
    for (const IpAddress& source : from.addresses)
      for (const IpAddress& destination : to.addresses)
        if (source.family() == destination.family()) ask_pair(source, destination, to);
    if (out_.answers.empty())
      out_.problems.push_back(question_.from + " and " + question_.to + " have no address pair of one family");
    return std::move(out_);
  }

 private:
  End source_end() {
    End end;
    if (const auto address = IpAddress::parse(question_.from)) {
      end.addresses.push_back(*address);
      return end;
    }
    if (question_.from.starts_with(kInsidePrefix)) {
      end.service = find_service(config_, {question_.from.substr(kInsidePrefix.size())});
      if (end.service != nullptr) end.addresses = end.service->addresses;
    } else {
      end.facility = find_facility(config_, {question_.from});
      if (end.facility != nullptr)
        for (const Prefix& network : seen_networks(*end.facility)) end.addresses.push_back(first_host(network));
    }
    if (end.service == nullptr && end.facility == nullptr)
      out_.problems.push_back("no facility \"" + question_.from + "\" (and no \"inside:SERVICE\" of that name)" +
                              meant(question_.from, true));
    return end;
  }

  End destination_end() {
    End end;
    if (question_.to == "outside") {
      end.addresses = question_.address ? std::vector{*question_.address} : outside_addresses();
      return end;
    }
    if (const auto address = IpAddress::parse(question_.to)) {
      end.addresses.push_back(*address);
      end.service = service_at(*address);
      return end;
    }
    end.service = find_service(config_, {question_.to});
    end.facility = end.service == nullptr ? find_facility(config_, {question_.to}) : nullptr;
    if (end.service != nullptr) {
      end.addresses = question_.address ? std::vector{*question_.address} : end.service->addresses;
    } else if (end.facility != nullptr) {
      add_facility_addresses(end);
    } else {
      out_.problems.push_back("no service and no facility \"" + question_.to + "\"" + meant(question_.to, false));
    }
    return end;
  }

  std::string meant(const std::string& text, bool source) const {
    std::vector<std::string> names;
    for (const auto& facility : config_.facilities) names.push_back(facility.name.text);
    for (const auto& service : config_.services)
      names.push_back((source ? std::string(kInsidePrefix) : std::string()) + service.name.text);
    const auto hint = config::did_you_mean(text, {names.begin(), names.end()});
    return hint.empty() ? hint : "; " + hint;
  }

  const config::Service* service_at(const IpAddress& address) const {
    for (const config::Service& service : config_.services)
      if (std::find(service.addresses.begin(), service.addresses.end(), address) != service.addresses.end())
        return &service;
    return nullptr;
  }

  void add_facility_addresses(End& end) {
    if (question_.address) {
      if (const auto seen = seen_address(*end.facility, *question_.address))
        end.addresses.push_back(*seen);
      else
        out_.problems.push_back(question_.address->to_string() + " is in no network of " + end.facility->name.text);
      return;
    }
    for (const config::Offer& offer : end.facility->offers)
      for (const IpAddress& address : seen_addresses(*end.facility, offer)) end.addresses.push_back(address);
    if (!end.addresses.empty()) return;
    for (const Prefix& network : seen_networks(*end.facility)) end.addresses.push_back(first_host(network));
  }

  // A port range is asked at both ends and at every port where a row could begin or end inside it.
  void ask_pair(const IpAddress& source, const IpAddress& destination, const End& to) {
    std::vector<ServicePort> ports;
    const auto between = rows_between(plan_, source, destination);
    if (question_.port) {
      ports = edges(*question_.port);
    } else {
      for (const Permission* row : between) ports.push_back(row->port);
      if (ports.empty() && to.service != nullptr) ports = to.service->ports;
      if (ports.empty()) ports.push_back({IpProtocol::kIcmp, 0, 0});
    }
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    for (const ServicePort& port : ports) ask_port(source, destination, port, between);
  }

  std::vector<ServicePort> edges(const ServicePort& asked) const {
    std::vector<ServicePort> out;
    const auto add = [&](std::uint32_t number) {
      if (number < asked.first || number > asked.last) return;
      const auto n = static_cast<std::uint16_t>(number);
      out.push_back({asked.protocol, n, n});
    };
    add(asked.first);
    add(asked.last);
    if (asked.first == asked.last) return out;
    for (const Permission& row : plan_.permissions) {
      add(row.port.first);
      add(std::uint32_t{row.port.last} + 1);
    }
    return out;
  }

  void ask_port(const IpAddress& source, const IpAddress& destination, const ServicePort& port,
                const std::vector<const Permission*>& between) {
    Packet packet{source, destination, port.protocol, 0, port.first};
    if (packet.protocol == IpProtocol::kIcmp && !destination.is_v4()) packet.protocol = IpProtocol::kIcmpV6;
    if (port.has_ports()) packet.source_port = 49152;  // RFC 6335: an ephemeral port stands for any
    out_.answers.push_back({packet, decide(plan_, between, packet, now_)});
  }

  const config::GatewayConfig& config_;
  const Plan& plan_;
  const Question& question_;
  WallTime now_;
  Explanation out_;
};

std::string endpoint(const IpAddress& address, const Packet& packet) {
  const ServicePort port{packet.protocol, packet.destination_port, packet.destination_port};
  return address.to_string() + " " + port.to_string();
}

config::Diagnostic failure(const config::PolicyTest& test, std::size_t index, std::string message, std::string hint) {
  return {.severity = config::Severity::kError,
          .at = test.at,
          .key_path = "tests[" + std::to_string(index) + "]",
          .message = std::move(message),
          .hint = std::move(hint),
          .also = {}};
}

// The first answer that is not as expected; null when all are.
const Answer* contradicting(const Explanation& explanation, config::Expectation expected) {
  for (const Answer& answer : explanation.answers)
    if (answer.decision.allowed() != (expected == config::Expectation::kAllow)) return &answer;
  return nullptr;
}

}  // namespace

bool Explanation::all_allowed() const {
  return !answers.empty() &&
         std::all_of(answers.begin(), answers.end(), [](const Answer& a) { return a.decision.allowed(); });
}

bool Explanation::any_allowed() const {
  return std::any_of(answers.begin(), answers.end(), [](const Answer& a) { return a.decision.allowed(); });
}

Explanation explain(const config::GatewayConfig& config, const Plan& plan, const Question& question, WallTime now) {
  return Asker(config, plan, question, now).ask();
}

std::vector<IpAddress> addresses_asked(const config::GatewayConfig& config, const Question& question) {
  return Asker(config, {}, question, {}).addresses();
}

std::string to_text(const Answer& answer) {
  return answer.packet.source.to_string() + " -> " + endpoint(answer.packet.destination, answer.packet) + ": " +
         to_text(answer.decision);
}

std::string to_text(const Explanation& explanation) {
  std::string out;
  for (const std::string& problem : explanation.problems) out += problem + "\n";
  for (const Answer& answer : explanation.answers) out += to_text(answer) + "\n";
  return out;
}

std::vector<config::Diagnostic> run_tests(const config::GatewayConfig& config, const Plan& plan, WallTime now) {
  std::vector<config::Diagnostic> out;
  for (std::size_t i = 0; i < config.tests.size(); ++i) {
    const config::PolicyTest& test = config.tests[i];
    const std::string expected = test.expect == config::Expectation::kAllow ? "allow" : "deny";
    const std::string name = test.from + " -> " + test.to + " " + test.port.to_string();
    const Explanation found = explain(config, plan, {test.from, test.to, test.address, test.port}, now);
    if (!found.problems.empty()) {
      out.push_back(failure(test, i, "the test " + name + " cannot be asked: " + found.problems.front(), ""));
      continue;
    }
    const Answer* answer = contradicting(found, test.expect);
    if (answer == nullptr) continue;
    out.push_back(failure(test, i,
                          "the test " + name + " expects " + expected + ", but " + answer->packet.source.to_string() +
                              " -> " + endpoint(answer->packet.destination, answer->packet) + " is " +
                              to_text(answer->decision),
                          "change the policy, or the test if it says the wrong thing"));
  }
  return out;
}

}  // namespace policy
