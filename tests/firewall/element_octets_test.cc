// Elements as nf_tables keeps them: octets written down by hand from nf_tables.h, each element of a table there and
// back, what is not of its set's type, and what strangers may have put into a set.
#include "firewall/element_octets.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>

#include "firewall/compile.h"
#include "firewall/diff.h"
#include "firewall/stages.h"
#include "policy/compile.h"
#include "tests/policy/sample_config.h"

using namespace tests;
using firewall::ElementForm;
using firewall::ElementOctets;
using firewall::Set;

namespace {

std::string octets(std::initializer_list<int> all) {
  std::string out;
  for (const int one : all) out += static_cast<char>(one);
  return out;
}

std::string mark(std::uint32_t number) {
  std::string out(4, '\0');
  std::memcpy(out.data(), &number, 4);
  return out;
}

std::vector<ElementOctets> encoded(const Set& set) {
  std::vector<ElementOctets> out;
  const auto form = ElementForm::of(set);
  REQUIRE(form.has_value());
  for (const auto& element : set.elements) {
    const auto done = form->encode(element, out);
    INFO(element << (done ? "" : ": " + done.error()));
    REQUIRE(done.has_value());
  }
  return out;
}

using All = std::vector<ElementOctets>;
using Texts = std::vector<std::string>;

Texts decoded(const Set& set, All elements) {
  return ElementForm::of(set)->decode(std::move(elements));
}

const Set kNetworks{"facility4", "set", "ipv4_addr", "interval", {}};

}  // namespace

TEST_CASE("element octets: fields in their order, padded to four octets, marks as the machine has them") {
  const std::string type = "mark . ipv4_addr . inet_proto . inet_service : mark";
  const Set service{"service4", "map", type, "", {"0x0a010000 . 10.80.0.10 . tcp . 443 : 0x00000007"}};
  CHECK(encoded(service) ==
        All{{mark(0x0a010000) + octets({10, 80, 0, 10, 6, 0, 0, 0, 0x01, 0xbb, 0, 0}), "", mark(7)}});
  const Set range{"inside_range4",
                  "map",
                  "ipv4_addr . ipv4_addr . inet_proto . inet_service : mark",
                  "interval",
                  {"10.1.0.0/24 . 10.80.0.10 . udp . 5000-5010 : 0x00000009"}};
  CHECK(encoded(range) == All{{octets({10, 1, 0, 0, 10, 80, 0, 10, 17, 0, 0, 0, 0x13, 0x88, 0, 0}),
                               octets({10, 1, 0, 255, 10, 80, 0, 10, 17, 0, 0, 0, 0x13, 0x92, 0, 0}), mark(9)}});
  const Set reach{"reach6", "set", "ipv6_addr", "", {"2001:db8::1"}};
  CHECK(encoded(reach) == All{{octets({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "", ""}});
}

TEST_CASE("element octets: an interval of one field is its first key and the one behind, which the last has not") {
  Set networks = kNetworks;
  networks.elements = {"10.1.0.0/16", "192.0.2.7"};
  CHECK(encoded(networks) == All{{octets({10, 1, 0, 0}), "", ""},
                                 {octets({10, 2, 0, 0}), "", "", true},
                                 {octets({192, 0, 2, 7}), "", ""},
                                 {octets({192, 0, 2, 8}), "", "", true}});
  networks.elements = {"240.0.0.0/4"};
  CHECK(encoded(networks) == All{{octets({240, 0, 0, 0}), "", ""}});
  networks.elements = {"0.0.0.0/0"};
  CHECK(encoded(networks) == All{{octets({0, 0, 0, 0}), "", ""}});
  CHECK(decoded(networks, encoded(networks)) == networks.elements);
}

TEST_CASE("element octets: every element of a table is itself again") {
  const auto table = firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
  std::size_t count = 0;
  for (const auto& set : table.sets) {
    if (set.is_dynamic()) continue;
    auto elements = encoded(set);
    std::ranges::reverse(elements);  // as the kernel's trees give them
    CHECK(decoded(set, elements) == set.elements);
    count += set.elements.size();
  }
  CHECK(count > 30);
}

TEST_CASE("element octets: neighbours, and whatever order the kernel has") {
  Set classes{"class4",
              "map",
              "ipv4_addr : mark",
              "interval",
              {"0.0.0.0/1 : 0x00000001", "10.0.0.0/24 : 0x00000002", "10.0.1.0/24 : 0x00000003",
               "255.255.255.255 : 0x00000004"}};
  classes.elements.erase(classes.elements.begin());
  auto elements = encoded(classes);
  std::ranges::sort(elements);
  do CHECK(decoded(classes, elements) == classes.elements);
  while (std::ranges::next_permutation(elements).found);
  elements.push_back({octets({0, 0, 0, 0}), "", "", true});  // as libnftables begins a tree
  CHECK(decoded(classes, elements) == classes.elements);
}

TEST_CASE("element octets: ranges that are no prefix, others' protocols and everything else are told as they are") {
  const Set range{"service_range4", "map", "ipv4_addr . ipv4_addr . inet_proto . inet_service : mark", "interval", {}};
  CHECK(decoded(range, {{octets({10, 1, 0, 1, 10, 80, 0, 10, 132, 0, 0, 0, 0, 1, 0, 0}),
                         octets({10, 1, 0, 6, 10, 80, 0, 10, 132, 0, 0, 0, 0xff, 0xff, 0, 0}), mark(5)}}) ==
        Texts{"10.1.0.1-10.1.0.6 . 10.80.0.10 . 132 . 1-65535 : 0x00000005"});
  CHECK(decoded(kNetworks, {{octets({10, 0, 0, 1}), "", ""}, {octets({10, 0, 0, 4}), "", "", true}}) ==
        Texts{"10.0.0.1-10.0.0.3"});
  const Set reach{"reach4", "set", "ipv4_addr", "", {}};
  CHECK(decoded(reach, {{"", "", ""}}) == Texts{"*"});
  CHECK(decoded(kNetworks, {{"", "", ""}}) == Texts{"*"});
  CHECK(decoded(reach, {{octets({1, 2, 3}), "", ""}}) == Texts{"? 010203"});
  CHECK(decoded(kNetworks, {{octets({1, 2, 3}), "", ""}, {octets({9, 9, 9, 9}), "", "", true}}) ==
        Texts{"? 010203", "? 09090909 ends"});  // the end of nothing
  CHECK(firewall::unread_elements({{octets({1}), octets({2}), octets({3}), true}}) == Texts{"? 01-02 ends : 03"});
}

TEST_CASE("element octets: what only looks like one of ours is not one") {
  const Set service{"service4", "map", "ipv4_addr . inet_proto . inet_service : mark", "", {}};
  const auto good = octets({10, 80, 0, 10, 6, 0, 0, 0, 1, 0xbb, 0, 0});
  CHECK(decoded(service, {{good, "", mark(1)}}) == Texts{"10.80.0.10 . tcp . 443 : 0x00000001"});
  const auto padded = octets({10, 80, 0, 10, 6, 0, 0, 1, 1, 0xbb, 0, 0});
  const auto is_odd = [](const Set& set, const ElementOctets& element) {
    const auto texts = decoded(set, {element});
    return texts.size() == 1 && texts[0].starts_with("? ");
  };
  CHECK(is_odd(service, {padded, "", mark(1)}));
  CHECK(is_odd(service, {good, good, mark(1)}));  // an interval, in a set that has none
  CHECK(is_odd(service, {good, "", mark(1), true}));
  CHECK(is_odd(service, {good, "", mark(1), false, true}));
  CHECK(is_odd(service, {good, "", ""}));
  const Set range{"service_range4", "map", service.type, "interval", {}};
  CHECK(decoded(range, {{good, good, mark(1)}}) == Texts{"10.80.0.10 . tcp . 443 : 0x00000001"});
  CHECK(is_odd(range, {good, padded, mark(1)}));
  CHECK(is_odd(kNetworks, {octets({10, 0, 0, 0}), octets({10, 0, 0, 9}), ""}));
  CHECK(is_odd(kNetworks, {octets({10, 0, 0, 0}), "", mark(1)}));
  CHECK(ElementForm::of(service)->field_sizes() == std::vector<std::uint32_t>{4, 1, 2});
  CHECK(ElementForm::of(service)->key_size() == 12);
  CHECK(ElementForm::of(kNetworks)->field_sizes().empty());
}

TEST_CASE("element octets: what is not of its set's type is refused, and says so") {
  const Set service{"service4", "map", "mark . ipv4_addr . inet_proto . inet_service : mark", "", {}};
  const auto refuses = [](const Set& set, const std::string& element) {
    All out;
    const auto done = ElementForm::of(set)->encode(element, out);
    CAPTURE(element);
    CHECK(out.empty());
    return !done && done.error().find('"' + element + '"') != std::string::npos;
  };
  for (const char* element :
       {"", "0x01", "0x01 . 10.0.0.1 . tcp . 443", "0x01 . 10.0.0.1 . tcp . 70000 : 0x01",
        "0x01 . 10.0.0.1 . tcp . 80-90 : 0x01", "0x01 . 10.0.0.0/24 . tcp . 80 : 0x01",
        "0x01 . 2001:db8::1 . tcp . 80 : 0x01", "0x01 . 10.0.0.1 . none . 80 : 0x01",
        "0x01 . 10.0.0.1 . tcp . 80 . 9 : 0x01", "0x01 . 10.0.0.1 . tcp . 80 : x", "0x01 . 10.0.0.1 . tcp : 0x01"})
    CHECK(refuses(service, element));
  for (const char* element : {"10.0.0.9-10.0.0.1", "10.0.0.0/24-10.0.1.0/24", "10.0.0.1/24", "tcp"})
    CHECK(refuses(kNetworks, element));
}

TEST_CASE("element octets: sets of other forms are not written") {
  for (const Set& set : {Set{"a", "set", "ether_addr", "", {}}, Set{"a", "set", "", "", {}},
                         Set{"a", "map", "ipv4_addr : verdict", "", {}}, Set{"a", "map", "ipv4_addr", "", {}},
                         Set{"a", "set", "mark", "interval", {}}})
    CHECK_FALSE(ElementForm::of(set).has_value());
  CHECK(ElementForm::of({"a", "set", "ipv4_addr", "interval,timeout", {}}).has_value());  // a stranger's: it is read
}

namespace {

firewall::RuleSet one_more(firewall::RuleSet table, const std::string& set, const std::string& element) {
  auto& elements = std::ranges::find(table.sets, set, &Set::name)->elements;
  elements.push_back(element);
  std::ranges::sort(elements);
  return table;
}

}  // namespace

TEST_CASE("stages: elements alone are one transaction of octets; new sets are filled before rules name them") {
  const auto rules = firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
  const auto more = one_more(rules, "reach4", "10.80.9.9");
  const auto change = firewall::stages(firewall::diff(rules, more), more.sets);
  REQUIRE(change.has_value());
  CHECK((change->before.empty() && change->after.empty()));
  REQUIRE(change->elements.size() == 1);
  CHECK(change->elements[0].set == "reach4");
  CHECK(change->elements[0].added == All{{octets({10, 80, 9, 9}), "", ""}});
  CHECK(change->elements[0].gone.empty());
  const auto back = firewall::stages(firewall::diff(more, rules), rules.sets);
  REQUIRE((back && back->elements.size() == 1));
  CHECK((back->elements[0].added.empty() && back->elements[0].gone == change->elements[0].added));

  const auto closed = firewall::closed_rule_set("wan0");
  const auto transaction = firewall::diff(closed, rules);
  const auto opening = firewall::stages(transaction, rules.sets);
  REQUIRE(opening.has_value());
  for (const auto& command : opening->before.commands)
    CHECK((command.operation == firewall::Operation::kAddSet || command.operation == firewall::Operation::kAddCounter));
  for (const auto& command : opening->after.commands) CHECK(command.operation != firewall::Operation::kAddElements);
  CHECK(opening->elements.size() > 5);
}

TEST_CASE("stages: elements that change together with rules stay in one transaction of text") {
  const auto rules = firewall::compile(policy::compile(sample_config(), at_second(1)).plan);
  auto other = one_more(rules, "reach4", "10.80.9.9");
  other.chains.front().rules.emplace_back("drop");
  CHECK_FALSE(firewall::stages(firewall::diff(rules, other), other.sets).has_value());
  auto reformed = rules;  // a set of another form: its name is another's until the old one is gone
  std::ranges::find(reformed.sets, "reach4", &Set::name)->flags = "interval";
  CHECK_FALSE(firewall::stages(firewall::diff(rules, reformed), reformed.sets).has_value());
  const auto odd = one_more(rules, "reach4", "example.org");
  CHECK_FALSE(firewall::stages(firewall::diff(rules, odd), odd.sets).has_value());
}
