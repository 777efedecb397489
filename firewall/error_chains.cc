#include "firewall/error_chains.h"

namespace firewall {
namespace {

// RFC 792, RFC 4443: conntrack says which flow an error quotes, not who says so. Anybody can quote what he does not
// see, so each error passes only where the flow's rule still holds, in the direction of that flow, and from or to the
// very facility that the rule names.
std::string error_of(const char* direction, const std::string& parties, const std::string& pass) {
  return std::string("ct direction ") + direction + " ct mark . meta mark @" + parties + " " + pass;
}

// Out of a tunnel to inside: what the facility opened, and answers of it.
Chain error_inward(const Words& w) {
  Rules rules = facility_of(w, "saddr");
  append(rules, {error_of("original", "ends_service", kPass), error_of("reply", "ends_inside", kPass),
                 "goto drop_not_permitted"});
  return {std::string("error_inward") + w.digit, "", rules};
}

Chain error_outward(const Words& w) {
  Rules rules = facility_of(w, "daddr");
  append(rules, {error_of("reply", "ends_service", kPass), error_of("original", "ends_inside", kPass),
                 "goto drop_not_permitted"});
  return {std::string("error_outward") + w.digit, "", rules};
}

// Between two tunnels both must be parties of the rule, each on its own side. What is not returns to the caller.
std::vector<Chain> error_across(const Words& w) {
  const auto receiver = [&](const char* chain, const std::string& parties) {
    Rules rules = facility_of(w, "daddr");
    rules.push_back("ct mark . meta mark @" + parties + " " + kPassAcross);
    return Chain{std::string(chain) + w.digit, "", rules};
  };
  Rules rules = facility_of(w, "saddr");
  append(rules, {error_of("original", "opens_exchange", std::string("goto error_to_answerer") + w.digit),
                 error_of("reply", "answers_exchange", std::string("goto error_to_opener") + w.digit)});
  return {receiver("error_to_answerer", "answers_exchange"),
          receiver("error_to_opener", "opens_exchange"),
          {std::string("error_across") + w.digit, "", rules}};
}

}  // namespace

std::vector<Chain> error_chains(const Words& words) {
  std::vector<Chain> out = error_across(words);
  out.push_back(error_inward(words));
  out.push_back(error_outward(words));
  return out;
}

std::string errors_to(const Words& w, const std::string& verb_and_chain) {
  return "ct state related " + w.errors + " " + verb_and_chain + w.digit;
}

}  // namespace firewall
