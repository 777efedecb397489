// Which commands and options there are, in one table: parsing and --help both read it, so that neither can lie.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/daemon/cli.h"

namespace gateway::daemon::cli {
namespace {

constexpr std::array<Option, 5> kCommon{{
    {"--config", "FILE", "main configuration file (/etc/sekisho/sekisho.json)", false},
    {"--runtime", "DIR", "folder of the control socket (/run/sekisho)", false},
    {"--state", "DIR", "folder of records and state (/var/lib/sekisho)", false},
    {"--json", "", "one JSON object instead of text", false},
    {"--help", "", "this text", false},
}};

constexpr std::array<Option, 2> kIsolate{{
    {"--all", "", "every facility, also those that come later: the emergency stop", false},
    {"--reason", "TEXT", "why; kept with the order and in the record", false},
}};
constexpr std::array<Option, 2> kReload{{
    {"--comment", "TEXT", "why; kept in the record of the change and in the history", false},
    {"--again", "", "also when the files still have what was rolled back", false},
}};
constexpr Option kReplay{"--replay", "SPAN",
                         "the recorded flows of the last SPAN (12h, 7d, 2w) through it: what would stop, what would "
                         "newly pass",
                         false};
constexpr std::array<Option, 2> kDiff{{
    kReplay,
    {"--at", "TIME", "with --replay: decide for that time: RFC 3339, or local \"2027-03-31 09:00\" (now)", false},
}};
constexpr std::array<Option, 7> kApply{{
    {"--confirm", "TIME", "take it back after TIME (90s, 10m, 2h) unless 'sekisho confirm' comes before", false},
    {"--canary", "FACILITY",
     "try that facility's part of the files alone; all else runs as it does. Taken back as with --confirm (10m unless "
     "you say)",
     false},
    {"--down", "N",
     "with --confirm: take it back also when N facilities that were up are down for 30 s; 0: never for that (3, or all "
     "that were up when they are fewer)",
     false},
    kReload[0],
    kReload[1],
    kReplay,
    {"--stop-flows", "", "with --replay: also when recorded flows would stop", false},
}};
constexpr std::array<Option, 1> kComment{{{"--comment", "TEXT", "why; kept in the history", false}}};
constexpr std::array<Option, 1> kHistory{
    {{"--out", "DIR", "with N: write its configuration files into this new folder", false}}};
constexpr std::array<Option, 1> kStatus{
    {{"--strict", "", "exit 1 also when anything needs a person: a tunnel that is down, a warning, no records",
      false}}};
constexpr std::array<Option, 2> kShow{{
    {"--watch", "", "go on with what happens (flows)", false},
    {"--unused", "DAYS", "only what nobody has used for so long (permissions)", false},
}};
constexpr std::array<Option, 7> kKey{{
    {"--kind", "KIND",
     "generate: wireguard, or for a certificate ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-3072, rsa-4096, ed25519 "
     "(wireguard)",
     false},
    {"--swap", "", "rotate: the key that was made takes the place of the one in use", false},
    {"--back", "", "rotate: the one of before takes its place again", false},
    {"--ppk", "", "rotate: the postquantum key instead of the preshared key", false},
    {"--subject", "NAME", "csr: \"CN=gw.example, O=Centre, C=JP\"", false},
    {"--san", "KIND:TEXT", "csr: fqdn:, ip: or email: and a name; may be repeated (the configuration's local_id)",
     true},
    {"--out", "FILE", "csr: write there, never over a file", false},
}};
constexpr std::array<Option, 1> kExplain{
    {{"--at", "TIME", "decide for that time: RFC 3339, or local \"2027-03-31 09:00\" (now)", false}}};
constexpr std::array<Option, 1> kVerify{
    {{"--live", "", "of what is really installed in kernel and data plane, read back; each difference by name",
      false}}};
constexpr std::array<Option, 6> kMatrix{{
    {"--from", "NAME", "only what begins at that facility or service", false},
    {"--to", "NAME", "only what ends at that facility or service", false},
    {"--at", "TIME", "what is open then: RFC 3339, or local \"2027-03-31 09:00\" (now)", false},
    {"--html", "", "one page for paper (A4 landscape), with a picture", false},
    {"--lang", "ja|en", "html: language (ja)", false},
    {"--out", "FILE", "html: write there, never over a file", false},
}};
constexpr std::array<Option, 19> kFacility{{
    {"--protocol", "PROTOCOL", "add: ikev2 or wireguard (ikev2)", false},
    {"--title", "TEXT", "add: name for people", false},
    {"--role", "ROLE", "add: viewing or disclosing (viewing)", false},
    {"--network", "REAL[=SEEN]", "add: network of the facility, and the prefix it is seen under; may be repeated",
     true},
    {"--may-use", "SERVICE", "add: may be repeated", true},
    {"--source", "PREFIX", "add: outer address it comes from; may be repeated", true},
    {"--remote-id", "KIND:TEXT", "add: identity of its router (fqdn:NAME)", false},
    {"--endpoint", "ADDRESS[:PORT]", "add: where we call it (with a port for WireGuard); absent: it calls us", false},
    {"--reason", "TEXT", "add: why WireGuard is allowed here", false},
    {"--approved-by", "NAME", "add: who allowed WireGuard", false},
    {"--until", "YYYY-MM-DD", "add: last day of that exception", false},
    {"--vendor", "VENDOR",
     "of the router: yamaha-rtx, nec-ix, cisco-ios-xe, fortigate, alliedware-plus, strongswan, wg-quick", false},
    {"--filter", "", "router-config: the packet filter, where it is a file of its own (strongswan, wg-quick)", false},
    {"--lang", "ja|en", "sheet: language (ja)", false},
    {"--real", "PREFIX", "suggest-prefix: network of the facility that collides; may be repeated", true},
    {"--size", "LENGTH", "suggest-prefix: of that length (/24), when the network is not known yet", false},
    {"--from", "PREFIX",
     "suggest-prefix: out of that pool (gateway.seen_as_pools, else 100.64.0.0/10); may be repeated", true},
    {"--avoid", "PREFIX", "suggest-prefix: not this, though no file names it; may be repeated", true},
    {"--out", "FILE", "write there, never over a file; add: the peer's wg-quick file (NAME.conf in this folder)",
     false},
}};

constexpr std::array<Verb, 18> kVerbs{{
    {"check", "[FILE]", "read the configuration and show everything that is wrong", 0, 1, {}, check},
    {"run", "", "run the whole gateway in the foreground", 0, 0, {}, run_foreground},
    {"reload", "", "make the running gateway read its configuration again", 0, 0, kReload, reload},
    {"apply", "", "reload that may be taken back by itself: --confirm, --canary", 0, 0, kApply, apply},
    {"confirm", "", "keep the change that waits for confirmation", 0, 0, {}, confirm},
    {"rollback", "[N]", "take back the change that waits, or the last one; or go back to generation N", 0, 1, kComment,
     rollback},
    {"history", "[N]", "who changed what, when, and what became of it; of generation N all that is known", 0, 1,
     kHistory, history},
    {"diff", "[FILE]", "what a reload would do to each facility; --replay: to the flows of the last days", 0, 1, kDiff,
     diff},
    {"status", "", "state of the gateway; exit 1 unless it runs", 0, 0, kStatus, status},
    {"show", "facilities|tunnels|routes|flows|permissions [FACILITY]", "what the gateway knows", 1, 2, kShow, show},
    {"explain", "FROM TO[:PORT]",
     "may FROM (facility, inside:SERVICE, address) open PORT at TO (service, facility, address), by which line, and "
     "what "
     "each layer says: of what runs; of a file with --config",
     2, 2, kExplain, explain},
    {"matrix", "", "who may reach whom, by which line, until when; as text, JSON or a page", 0, 0, kMatrix, matrix},
    {"verify", "", "prove promises P1-P4 over all packets; a packet, its rule and its line when one fails", 0, 0,
     kVerify, verify},
    {"isolate", "[FACILITY]", "cut a facility off at once, open flows included; it stays so until it rejoins", 0, 1,
     kIsolate, isolate},
    {"rejoin", "[FACILITY]", "end the isolation of a facility (--all: the emergency stop)", 0, 1, kIsolate, rejoin},
    {"key", "generate|public|csr FILE, rotate FACILITY",
     "make a private key; its public key; a request for its certificate; another preshared key", 1, 2, kKey, key},
    {"facility", "add|router-config|sheet NAME, suggest-prefix",
     "make a facility's key and file; the configuration of its router; the parameter sheet (HTML, for paper); a free "
     "prefix for addresses that collide",
     1, 2, kFacility, facility},
    {"doctor", "", "is this machine fit to run the gateway", 0, 0, {}, doctor},
}};

const Option* find_option(const Verb& verb, std::string_view name) {
  for (const auto& option : verb.options)
    if (option.name == name) return &option;
  for (const auto& option : kCommon)
    if (option.name == name) return &option;
  return nullptr;
}

std::string unknown_option(const Verb& verb, std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& option : verb.options) names.push_back(option.name);
  for (const auto& option : kCommon) names.push_back(option.name);
  const auto near = nearest(name, names);
  return fmt::format("unknown option '{}'{}; 'sekisho {} --help' lists them", name,
                     near.empty() ? "" : fmt::format(", did you mean '{}'", near), verb.name);
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto up = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = up;
    }
  }
  return row[b.size()];
}

std::string option_lines(std::span<const Option> options) {
  std::string text;
  for (const auto& option : options)
    text += fmt::format("  {:<24} {}\n", fmt::format("{} {}", option.name, option.value), option.text);
  return text;
}

// One option at arguments[at]; moves `at` over its value.
config::value::Result<void, std::string> parse_option(const Verb& verb, std::span<const std::string> arguments,
                                                      std::size_t& at, CommandLine& line) {
  std::string name = arguments[at];
  std::optional<std::string> value;
  if (const auto equals = name.find('='); equals != std::string::npos) {
    value = name.substr(equals + 1);
    name.resize(equals);
  }
  const auto* option = find_option(verb, name);
  if (option == nullptr) return std::unexpected(unknown_option(verb, name));
  if (option->value.empty() && value) return std::unexpected(fmt::format("{} takes no value", name));
  if (!option->value.empty() && !value) {
    if (at + 1 >= arguments.size()) return std::unexpected(fmt::format("{} needs {}", name, option->value));
    value = arguments[++at];
  }
  auto& values = line.options[name];
  if (!values.empty() && !option->repeatable) return std::unexpected(fmt::format("{} is given twice", name));
  values.push_back(value.value_or(""));
  return {};
}

}  // namespace

std::span<const Verb> verbs() {
  return kVerbs;
}

std::string nearest(std::string_view word, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t least = 3;  // more than two edits is another word
  for (const auto& name : names)
    if (const auto edits = distance(word, name); edits < least) least = edits, best = name;
  return std::string(best);
}

config::value::Result<CommandLine, std::string> parse(const Verb& verb, std::span<const std::string> arguments) {
  CommandLine line;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    if (!arguments[at].starts_with("--"))
      line.words.push_back(arguments[at]);
    else if (auto parsed = parse_option(verb, arguments, at, line); !parsed)
      return std::unexpected(parsed.error());
  }
  if (line.has("--help")) return line;
  if (line.words.size() < verb.least_words)
    return std::unexpected(fmt::format("'sekisho {}' needs {}", verb.name, verb.words));
  if (line.words.size() > verb.most_words)
    return std::unexpected(fmt::format("'{}' is too much; the form is: sekisho {} {}", line.words[verb.most_words],
                                       verb.name, verb.words));
  return line;
}

std::string help() {
  std::string text = "sekisho: the gateway between facilities and a data centre\n\nusage: sekisho VERB [OPTIONS]\n\n";
  for (const auto& verb : kVerbs)
    text += fmt::format("  {:<42} {}\n", fmt::format("{} {}", verb.name, verb.words), verb.summary);
  return text + "\nEvery verb:\n" + option_lines(kCommon) +
         "\nexit status: 0 fine, 1 findings or denied, 2 could not run\n";
}

std::string help(const Verb& verb) {
  return fmt::format("usage: sekisho {} {} [OPTIONS]\n\n{}\n\n{}{}", verb.name, verb.words, verb.summary,
                     option_lines(verb.options), option_lines(kCommon));
}

}  // namespace gateway::daemon::cli
