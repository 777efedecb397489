// The refusals name what would be right.
#include "config/text_forms.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <vector>

#include <fmt/format.h>

#include "config/report.h"

namespace config {
namespace {

using value::Result;

struct Special {
  Prefix prefix;
  std::string_view what;
};

constexpr std::string_view kLinkLocal = "link-local addresses";

// RFC 6890 and RFC 4291: never the address of a host behind a tunnel.
const std::vector<Special>& special_prefixes() {
  static const std::vector<Special> all = [] {
    const std::pair<const char*, std::string_view> rows[] = {
        {"0.0.0.0/8", "\"this network\" (0.0.0.0/8)"},
        {"127.0.0.0/8", "loopback addresses (127.0.0.0/8)"},
        {"169.254.0.0/16", kLinkLocal},
        {"224.0.0.0/4", "multicast addresses (224.0.0.0/4)"},
        {"240.0.0.0/4", "reserved addresses (240.0.0.0/4)"},
        {"::/96", "loopback and unspecified addresses (::/96)"},
        {"::ffff:0.0.0.0/96", "IPv4 addresses in IPv6 form; write them as IPv4"},
        {"fe80::/10", kLinkLocal},
        {"ff00::/8", "multicast addresses (ff00::/8)"}};
    std::vector<Special> out;
    for (const auto& [text, what] : rows) out.push_back({*Prefix::parse(text), what});
    return out;
  }();
  return all;
}

std::string_view special(const Prefix& prefix, bool link_local_allowed) {
  for (const auto& row : special_prefixes())
    if (row.prefix.overlaps(prefix) && !(link_local_allowed && row.what == kLinkLocal)) return row.what;
  return {};
}

Result<IpAddress, std::string> usable(std::string_view text, bool link_local_allowed) {
  const auto address = TRY(IpAddress::parse(text));
  const auto what = special(Prefix::host(address), link_local_allowed);
  if (!what.empty())
    return std::unexpected(fmt::format("{} cannot be used here: it belongs to the {}", quoted(text), what));
  return address;
}

std::optional<int> digits(std::string_view text) {
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<unsigned> sextet(char c) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = kAlphabet.find(c);
  return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

}  // namespace

Result<NameText, std::string> NameText::parse(std::string_view text) {
  const bool good = !text.empty() && text.size() <= 31 && text[0] != '-' &&
                    text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
  if (good) return NameText{std::string(text)};
  return std::unexpected(
      fmt::format("{} is not a name: 1 to 31 lower-case letters, digits and hyphens, not beginning with a hyphen "
                  "(\"title\" is free text)",
                  quoted(text)));
}

Result<EndDate, std::string> EndDate::parse(std::string_view text) {
  const auto refusal =
      std::unexpected(fmt::format("{} is not a date; write it as \"2027-03-31\" (the last day)", quoted(text)));
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return refusal;
  const auto year = digits(text.substr(0, 4));
  const auto month = digits(text.substr(5, 2));
  const auto day = digits(text.substr(8, 2));
  if (!year || !month || !day || *year < 2000 || *year > 2200) return refusal;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return refusal;
  const auto next_day = std::chrono::sys_days(date) + std::chrono::days(1);
  return EndDate{WallTime(next_day.time_since_epoch() - std::chrono::hours(9))};
}

Result<PublicKeyText, std::string> PublicKeyText::parse(std::string_view text) {
  bool good = text.size() == 44 && text[43] == '=';
  unsigned bits = 0;
  unsigned last = 0;
  for (std::size_t i = 0; good && i < 43; ++i) {
    const auto value = sextet(text[i]);
    good = value.has_value();
    last = value.value_or(0);
    bits |= last;
  }
  // 43 characters hold 258 bits; the last two are no part of the key and stay zero, so that a key has one text only.
  if (!good || (last & 3) != 0)
    return std::unexpected(
        "this is not a WireGuard public key: 32 octets as 44 characters of base64, as `sekisho key "
        "public` and `wg pubkey` print them");
  if (bits == 0) return std::unexpected("this public key is all zero: a placeholder, not a key");
  return PublicKeyText{std::string(text)};
}

Result<IkeIdentityText, std::string> IkeIdentityText::parse(std::string_view text) {
  const auto colon = text.find(':');
  const auto kind = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const auto rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  const auto of = [](std::string_view alphabet, std::string_view what) {
    return !what.empty() && what.find_first_not_of(alphabet) == std::string_view::npos;
  };
  constexpr std::string_view kHost = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  bool good = false;
  if (kind == "fqdn") good = rest.size() <= 253 && of(kHost, rest);
  if (kind == "ip") good = IpAddress::parse(rest).has_value();
  if (kind == "email") good = rest.size() <= 254 && rest.find('@') != 0 && rest.find('@') < rest.size() - 1;
  if (kind == "keyid") good = rest.size() % 2 == 0 && rest.size() <= 128 && of("0123456789abcdefABCDEF", rest);
  if (kind == "dn") good = rest.size() <= 500 && rest.find('=') != std::string_view::npos;
  if (good) return IkeIdentityText{std::string(text)};
  return std::unexpected(
      fmt::format("{} is no identity of IKEv2: \"fqdn:router.example\", \"ip:198.51.100.7\", "
                  "\"email:a@b.example\", \"keyid:0a1b\" (hexadecimal) or \"dn:CN=rtx, O=Hospital, C=JP\"",
                  quoted(text)));
}

Result<InterfaceName, std::string> InterfaceName::parse(std::string_view text) {
  const auto strange = [](char c) { return c <= ' ' || c > '~'; };  // char may be signed or not: both leave ASCII alone
  if (text.empty() || text.size() > 15 || text == "." || text == ".." || std::ranges::any_of(text, strange) ||
      text.find_first_of("/:\"\\%*") != std::string_view::npos)
    return std::unexpected(fmt::format("{} is not an interface name: 1 to 15 characters, as \"eth0\"", quoted(text)));
  if (text == "lo" || text == "sekisho0")
    return std::unexpected(fmt::format("{} cannot be used here: it is the {}", quoted(text),
                                       text == "lo" ? "loopback device" : "gateway's own tunnel device"));
  return InterfaceName{std::string(text)};
}

Result<HostAddress, std::string> HostAddress::parse(std::string_view text) {
  return HostAddress{TRY(usable(text, false))};
}

Result<NextHopAddress, std::string> NextHopAddress::parse(std::string_view text) {
  return NextHopAddress{TRY(usable(text, true))};
}

Result<FacilityNetwork, std::string> FacilityNetwork::parse(std::string_view text) {
  const auto prefix = TRY(Prefix::parse(text));
  if (prefix.length() == 0)
    return std::unexpected(fmt::format("{} is a default route: a facility has networks of its own", quoted(text)));
  const auto what = special(prefix, false);
  if (!what.empty())
    return std::unexpected(fmt::format("{} cannot be a facility's network: it holds {}", quoted(text), what));
  return FacilityNetwork{prefix};
}

}  // namespace config
