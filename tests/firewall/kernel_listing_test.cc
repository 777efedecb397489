// The kernel's own listing of our table is our table: whatever nft writes otherwise, and nothing more.
#include "firewall/kernel_listing.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "firewall/compile.h"
#include "firewall/rule_words.h"
#include "firewall/table_changes.h"
#include "firewall/table_edits.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using firewall::KernelTable;
using firewall::RuleSet;

namespace {

std::string file(const std::string& name) {
  std::ifstream in(std::string(SEKISHO_SOURCE_DIR) + "/tests/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  REQUIRE_FALSE(text.str().empty());
  return text.str();
}

RuleSet wanted() {
  return firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
}

std::vector<KernelTable> tables(const std::string& name) {
  const auto read = firewall::read_ruleset(file("fuzz/seeds/kernel_listing/" + name));
  if (!read) FAIL(read.error());
  return *read;
}

RuleSet found(const std::string& name) {
  const auto listing = firewall::read_listing(file("fuzz/seeds/listing/sample.json"));
  if (!listing) FAIL(listing.error());
  return firewall::installed(tables(name).at(0), listing->sets);
}

const firewall::Interfaces kInterfaces{"sekisho0", "dc0", "wan0"};

}  // namespace

TEST_CASE("kernel listing: what nft 1.0.6 lists of our table differs in nothing") {
  const auto differ = firewall::edits(wanted(), found("sample.txt"));
  for (const auto& edit : differ) UNSCOPED_INFO(int(edit.kind) << " " << edit.object << " " << edit.text);
  CHECK(differ.empty());
  CHECK(firewall::ways(found("sample.txt"), kInterfaces).has_value());
}

TEST_CASE("kernel listing: strangers' tables, chains and words are read; only the accept opens") {
  const auto all = tables("strangers.txt");
  REQUIRE(all.size() == 3);
  CHECK(all[1].family + " " + all[1].name == "ip nat");
  CHECK(all[1].chains.at(0).type == "nat");
  CHECK(all[1].chains.at(0).priority == 100);
  CHECK(all[1].chains.at(0).rules.at(0).text == "oifname \"wan0\" masquerade");
  CHECK(all[1].chains.at(0).rules.at(0).handle == 2);
  CHECK(all[2].family == "netdev");
  const auto verdict = firewall::table_changes(wanted(), found("strangers.txt"), kInterfaces);
  CHECK_FALSE(verdict.changes.empty());
  CHECK(verdict.not_understood.find("vmap") != std::string::npos);
}

TEST_CASE("kernel listing: one form for what nft writes in several") {
  using firewall::one_form;
  CHECK(one_form("iifname { \"wan0\", \"dc0\" } meta mark set 0x00000010") ==
        one_form("iifname { \"dc0\", \"wan0\" } meta mark set 16"));
  CHECK(one_form("ip saddr 10.0.0.1 counter packets 5 bytes 7 drop comment \"because of this\"") ==
        "ip saddr 10.0.0.1 counter drop");
  CHECK(one_form("ip saddr 10.0.0.1 drop") != one_form("ip daddr 10.0.0.1 drop"));
  CHECK(one_form("udp dport { 4500, 500 } accept") == one_form("udp dport { 500, 4500 } accept"));
}

TEST_CASE("kernel listing: words that rewrite, and words that only count") {
  using firewall::rewriting_word;
  for (const char* rule : {"oifname \"wan0\" masquerade", "tcp dport 80 dnat to 10.0.0.1", "meta mark set 5",
                           "ip saddr 10.0.0.1 notrack", "flow add @ft", "ip daddr set 10.0.0.1", "queue num 3",
                           "tcp dport 80 redirect to :8080", "ct mark set 7", "dup to 10.0.0.1", "redirect"})
    CHECK_FALSE(rewriting_word(rule).empty());
  for (const char* rule :
       {"xt target \"NETMAP\"", "tcp dport 80 counter xt target \"NFQUEUE\"", "xt", "xt watcher \"X\"",
        "ct helper set \"ftp\"", "meta nftrace set 1 meta mark set 7", "ct status dnat snat to 10.0.0.1"})
    CHECK_FALSE(rewriting_word(rule).empty());
  for (const char* rule :
       {"xt target \"LOG\"", "tcp flags syn counter xt target \"TCPMSS\"", "xt match \"comment\" accept",
        "ct status dnat accept", "ct status { snat, dnat } accept", "ct status != dnat drop",
        "ct helper \"ftp\" accept", "ct state vmap { established : accept, related : accept }", "meta nftrace set 1",
        "meta priority set 1:1", "tcp flags syn tcp option maxseg size set rt mtu"})
    CHECK(rewriting_word(rule).empty());
  CHECK_FALSE(firewall::only_counts("xt target \"REJECT\""));
  CHECK_FALSE(firewall::only_counts("iifname vmap @chains"));
  CHECK_FALSE(firewall::verdict_of_unknown("ct state vmap { new : jump other }").has_value());
  for (const char* rule : {"icmp type redirect drop", "icmp type { redirect, echo-request } drop",
                           "ip saddr @masquerades accept", "counter", "tcp flags syn accept"})
    CHECK(rewriting_word(rule).empty());
  CHECK(firewall::only_counts("ip saddr 10.0.0.1 counter"));
  CHECK(firewall::only_counts("log prefix \"x accept\" group 3"));
  CHECK_FALSE(firewall::only_counts("counter accept"));
}

TEST_CASE("kernel listing: what is cut or odd is an error, never half a table") {
  for (const char* text :
       {"table inet sekisho {", "}", "table inet {", "chain x {", "table inet x {\n\tchain\n}",
        "table inet x {\n\tchain c {\n\t\ttype filter hook forward priority soon; policy drop;\n\t}\n}"})
    CHECK_FALSE(firewall::read_ruleset(text).has_value());
  CHECK(firewall::read_ruleset("")->empty());
  const auto early = firewall::read_ruleset(
      "table inet x {\n\tchain c {\n\t\ttype filter hook prerouting priority raw - 10; policy "
      "accept;\n\t}\n}\n");
  REQUIRE(early.has_value());
  CHECK(firewall::hook_text(early->at(0).chains.at(0)) == "type filter hook prerouting priority -310; policy accept;");
}

TEST_CASE("kernel listing: a line end inside quotation marks is an error, and hides no rule") {
  const auto table = [](const std::string& rule) {
    return "table inet x {\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t\t" + rule +
           "\n\t\taccept\n\t}\n}\n";
  };
  CHECK(firewall::read_ruleset(table("drop comment \"all of it\"")).has_value());
  const auto read = firewall::read_ruleset(table("drop comment \"x\n\t}\n\tset s {\n\""));
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().find("cannot be understood") != std::string::npos);
}

TEST_CASE("kernel listing: a table that is asleep, and one of iptables-legacy") {
  const auto all =
      firewall::read_ruleset("table inet a {\n\tflags dormant\n}\ntable inet b {\n\tflags owner,persist\n}\n" +
                             firewall::legacy_table("ip", "nat"));
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 3);
  CHECK((firewall::is_dormant(all->at(0)) && !firewall::is_dormant(all->at(1)) && !firewall::is_dormant(all->at(2))));
  CHECK((!firewall::is_legacy(all->at(0)) && firewall::is_legacy(all->at(2)) && all->at(2).name == "nat"));
}
