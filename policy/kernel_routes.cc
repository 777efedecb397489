#include "policy/kernel_routes.h"

#include <array>

namespace policy {
namespace {

using config::value::Family;

std::string prefix_text(const Prefix& prefix) {
  if (prefix.length() == 0) return "default";
  return prefix.is_host() ? prefix.address().to_string() : prefix.to_string();
}

std::string table_text(std::uint32_t table) {
  if (table == kMainTable) return "main";
  if (table == kLocalTable) return "local";
  return table == 253 ? "default" : std::to_string(table);
}

std::string hex(std::uint32_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  do out.insert(out.begin(), kDigits[number & 0xf]);
  while ((number >>= 4) != 0);
  return "0x" + out;
}

std::string ends_text(const KernelRule& rule) {
  std::string out = "from " + (rule.from.length() == 0 ? std::string("all") : prefix_text(rule.from));
  if (rule.to.length() != 0) out += " to " + prefix_text(rule.to);
  if (rule.mask == 0xffffffff) out += " fwmark " + hex(rule.mark);
  if (rule.mask != 0 && rule.mask != 0xffffffff) out += " fwmark " + hex(rule.mark) + "/" + hex(rule.mask);
  if (!rule.incoming.empty()) out += " iif " + rule.incoming;
  if (!rule.outgoing.empty()) out += " oif " + rule.outgoing;
  return out;
}

std::string action_text(const KernelRule& rule) {
  switch (rule.action) {
    case KernelRule::Action::kLookUp:
      return " lookup " + table_text(rule.table) +
             (rule.suppressed < 0 ? "" : " suppress_prefixlength " + std::to_string(rule.suppressed));
    case KernelRule::Action::kGoto:
      return " goto " + std::to_string(rule.target);
    case KernelRule::Action::kNothing:
      return " nop";
    case KernelRule::Action::kNowhere:
      return " prohibit";
    case KernelRule::Action::kOther:
      break;
  }
  return " (another action)";
}

}  // namespace

KernelRoutes kernel_routes(const Plan& plan) {
  KernelRoutes out;
  for (const Route& route : plan.routes) {
    KernelRoute made;
    made.table = static_cast<std::uint32_t>(route.table);
    made.destination = route.destination;
    made.type = route.interface.empty() ? KernelRoute::Type::kNowhere : KernelRoute::Type::kUnicast;
    if (!route.interface.empty()) made.hops = {{route.interface, route.via}};
    made.mtu = route.mtu;
    out.routes.push_back(std::move(made));
  }
  for (const Family family : {Family::kV4, Family::kV6})
    for (const RoutingRule& rule : plan.rules) {
      KernelRule made;
      made.family = family, made.priority = rule.priority;
      made.incoming = rule.incoming_interface;
      made.mark = made.mask = rule.mark;
      made.action = rule.prohibit ? KernelRule::Action::kNowhere : KernelRule::Action::kLookUp;
      made.table = rule.prohibit ? 0 : static_cast<std::uint32_t>(rule.table);
      out.rules.push_back(std::move(made));
    }
  return out;
}

std::string to_text(const KernelRoute& route) {
  if (!route.text.empty()) return route.text;
  static constexpr std::array kWords{"", "local ", "unreachable ", "throw ", "(another type) "};
  std::string out = kWords[static_cast<std::size_t>(route.type)] + prefix_text(route.destination);
  if (route.destination.length() == 0 && !route.destination.address().is_v4()) out += " (IPv6)";
  for (const KernelHop& hop : route.hops)
    out += (hop.via ? " via " + hop.via->to_string() : "") + " dev " + hop.interface;
  out += " table " + table_text(route.table);
  if (route.metric != 0) out += " metric " + std::to_string(route.metric);
  if (route.mtu >= kNotLocked) out += " mtu " + std::to_string(route.mtu - kNotLocked);
  if (route.mtu != 0 && route.mtu < kNotLocked) out += " mtu lock " + std::to_string(route.mtu);
  return out;
}

std::string to_text(const KernelRule& rule) {
  if (!rule.text.empty()) return rule.text;
  return std::to_string(rule.priority) + ": " + (rule.inverted ? "not " : "") + ends_text(rule) + action_text(rule) +
         (rule.family == Family::kV4 ? "" : " (IPv6)");
}

}  // namespace policy
