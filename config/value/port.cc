// Text form of protocol and port.
#include "config/value/port.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace config::value {
namespace {

constexpr std::string_view kForms = "\"tcp/443\", \"udp/5000-5010\" or \"icmp\" (echo)";

std::optional<std::uint16_t> port_number(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

}  // namespace

Result<ServicePort, std::string> ServicePort::parse(std::string_view text) {
  if (text == "icmp") return ServicePort{IpProtocol::kIcmp, 0, 0};
  const auto shown = text.substr(0, 40);
  const auto slash = text.find('/');
  const auto protocol = text.substr(0, slash);
  if (slash == std::string_view::npos || (protocol != "tcp" && protocol != "udp"))
    return std::unexpected(fmt::format("\"{}\" is not a port: write {}", shown, kForms));
  const auto range = text.substr(slash + 1);
  const auto dash = range.find('-');
  const auto first = port_number(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : port_number(range.substr(dash + 1));
  if (!first || !last) return std::unexpected(fmt::format("\"{}\": a port is a number 1 to 65535", shown));
  if (*last < *first) return std::unexpected(fmt::format("\"{}\": the range ends before it begins", shown));
  return ServicePort{protocol == "tcp" ? IpProtocol::kTcp : IpProtocol::kUdp, *first, *last};
}

std::string ServicePort::to_string() const {
  if (protocol == IpProtocol::kIcmp) return "icmp";
  if (protocol == IpProtocol::kIcmpV6) return "icmpv6";  // never written in a configuration
  const std::string_view name = protocol == IpProtocol::kTcp ? "tcp" : "udp";
  return first == last ? fmt::format("{}/{}", name, first) : fmt::format("{}/{}-{}", name, first, last);
}

}  // namespace config::value
