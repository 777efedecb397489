#include "config/canary.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/document.h"
#include "config/report.h"
#include "config/text_forms.h"

namespace config {
namespace {

// Lists whose items name facilities, and under which keys.
struct PartyList {
  std::string_view key;
  std::array<std::string_view, 2> parties;
};
constexpr std::array<PartyList, 3> kPartyLists{
    {{"exchanges", {"from", "to"}}, {"inside_may_reach", {"facility", "facility"}}, {"tests", {"from", "to"}}}};
constexpr std::string_view kInside = "inside:";

std::string_view text_at(const Node& node, std::string_view key) {
  const Node* value = find(node, key);
  return value == nullptr ? std::string_view() : std::string_view(value->text);
}

bool is_party(const Node& item, const PartyList& list, std::string_view facility) {
  return std::ranges::any_of(list.parties, [&](std::string_view key) { return text_at(item, key) == facility; });
}

// Where they stand, and in which order keys do, says nothing.
bool same_value(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.boolean != b.boolean || a.integer != b.integer || a.text != b.text) return false;
  if (!std::ranges::equal(a.items, b.items, same_value)) return false;
  return a.members.size() == b.members.size() && std::ranges::all_of(a.members, [&](const Member& member) {
           const Node* other = find(b, member.key);
           return other != nullptr && same_value(member.value, *other);
         });
}

std::string scalar_text(const Node& node) {
  switch (node.kind) {
    case Kind::kBoolean:
      return node.boolean ? "true" : "false";
    case Kind::kInteger:
      return std::to_string(node.integer);
    case Kind::kString:
      return nlohmann::json(node.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    case Kind::kNull:
    case Kind::kFraction:  // no key takes one, so it is not in what was accepted
    case Kind::kArray:
    case Kind::kObject:
      break;
  }
  return "null";
}

// As a person would write it; arrays of plain values on one line.
void write(const Node& node, std::size_t depth, std::string& out) {
  if (node.kind != Kind::kArray && node.kind != Kind::kObject) {
    out += scalar_text(node);
    return;
  }
  const bool is_object = node.kind == Kind::kObject;
  const bool on_one_line = std::ranges::none_of(
      node.items, [](const Node& item) { return item.kind == Kind::kArray || item.kind == Kind::kObject; });
  const bool flat = node.members.empty() && on_one_line;
  const auto line = [&](std::size_t indent) { return flat ? std::string() : "\n" + std::string(2 * indent, ' '); };
  out += is_object ? '{' : '[';
  std::size_t count = 0;
  const auto separate = [&] { out += (count++ == 0 ? "" : flat ? ", " : ",") + line(depth + 1); };
  for (const Member& member : node.members) {
    separate();
    out += nlohmann::json(member.key).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + ": ";
    write(member.value, depth + 1, out);
  }
  for (const Node& item : node.items) {
    separate();
    write(item, depth + 1, out);
  }
  if (count != 0) out += line(depth);
  out += is_object ? '}' : ']';
}

value::Result<std::vector<Document>, std::string> parse_all(const std::vector<SourceFile>& files) {
  std::vector<Document> documents;
  std::vector<Diagnostic> found;
  for (const SourceFile& file : files) {
    documents.push_back(parse_document(file.text, static_cast<std::uint32_t>(documents.size()), found));
    if (!documents.back().whole || documents.back().root.kind != Kind::kObject)
      return std::unexpected(file.path + " is not the file it was when it was accepted");
  }
  if (documents.empty()) return std::unexpected("there is no configuration");
  return documents;
}

// In whichever file it stands; null: in none.
const Member* find_member(const std::vector<Document>& documents, std::string_view key, std::string_view name) {
  for (const Document& document : documents)
    if (const Node* all = find(document.root, key))
      for (const Member& member : all->members)
        if (member.key == name) return &member;
  return nullptr;
}

std::set<std::string_view> names(const std::vector<Document>& documents, std::string_view key) {
  std::set<std::string_view> found;
  for (const Document& document : documents)
    if (const Node* all = find(document.root, key))
      for (const Member& member : all->members) found.insert(member.key);
  return found;
}

std::vector<const Node*> items_of(const std::vector<Document>& documents, const PartyList& list,
                                  std::string_view facility) {
  std::vector<const Node*> found;
  for (const Document& document : documents)
    if (const Node* all = find(document.root, list.key))
      for (const Node& item : all->items)
        if (is_party(item, list, facility)) found.push_back(&item);
  return found;
}

Node* find_in(Node& object, std::string_view key) {
  const auto at = std::ranges::find(object.members, key, &Member::key);
  return at == object.members.end() ? nullptr : &at->value;
}

Node& find_or_make(Node& object, std::string_view key, Kind kind) {
  if (Node* known = find_in(object, key)) return *known;
  Member made;
  made.key = key;
  made.value.kind = kind;
  object.members.push_back(std::move(made));
  return object.members.back().value;
}

// True: there was one.
bool take_out_member(Node& root, std::string_view key, std::string_view name) {
  Node* all = find_in(root, key);
  return all != nullptr && std::erase_if(all->members, [&](const Member& each) { return each.key == name; }) > 0;
}

// It lets nothing pass any more, and would keep the rest from being a configuration.
bool has_ended(const Node& item, WallTime now) {
  const auto until = EndDate::parse(text_at(item, "until"));
  return until && until->end <= now;
}

bool take_out(Node& root, std::string_view facility, WallTime now) {
  bool taken = take_out_member(root, "facilities", facility);
  for (const PartyList& list : kPartyLists)
    if (Node* all = find_in(root, list.key))
      taken =
          std::erase_if(all->items,
                        [&](const Node& item) {
                          return is_party(item, list, facility) || (list.key == "exchanges" && has_ended(item, now));
                        }) > 0 ||
          taken;
  return taken;
}

// Keys below "gateway" that the two have otherwise.
std::vector<std::string> other_gateway_keys(const Document& running, const Document& candidate) {
  static const Node kNone;
  const Node* was = find(running.root, "gateway");
  const Node* now = find(candidate.root, "gateway");
  const Node &before = was == nullptr ? kNone : *was, &after = now == nullptr ? kNone : *now;
  std::vector<std::string> keys;
  for (const Member& member : before.members) {
    const Node* other = find(after, member.key);
    if (other == nullptr || !same_value(member.value, *other)) keys.push_back("gateway." + member.key);
  }
  for (const Member& member : after.members)
    if (find(before, member.key) == nullptr) keys.push_back("gateway." + member.key);
  return keys;
}

// Services that the facility's own lines in the candidate use.
std::set<std::string_view> services_of(const std::vector<Document>& candidate, std::string_view facility) {
  std::set<std::string_view> services;
  if (const Member* its = find_member(candidate, "facilities", facility))
    if (const Node* used = find(its->value, "may_use"))
      for (const Node& name : used->items) services.insert(name.text);
  for (const Node* line : items_of(candidate, kPartyLists[1], facility)) services.insert(text_at(*line, "service"));
  return services;
}

// Of the candidate's tests those whose other end the mixture has too.
bool can_be_asked(const Node& test, const std::vector<Document>& mixture) {
  const auto services = names(mixture, "services"), facilities = names(mixture, "facilities");
  const auto is_known = [&](std::string_view name) {
    if (name.starts_with(kInside)) return services.contains(name.substr(kInside.size()));
    return name == "outside" || services.contains(name) || facilities.contains(name);
  };
  return is_known(text_at(test, "from")) && is_known(text_at(test, "to"));
}

struct Mixture {
  std::vector<Document> documents;
  std::vector<bool> changed;  // of each: it is no longer what stands in its file
};

void replace_services(Mixture& mixture, const std::vector<Document>& candidate, std::string_view facility) {
  for (const std::string_view name : services_of(candidate, facility)) {
    const Member* wanted = find_member(candidate, "services", name);
    const Member* known = find_member(mixture.documents, "services", name);
    if (wanted == nullptr || (known != nullptr && same_value(known->value, wanted->value))) continue;
    for (std::size_t i = 0; i < mixture.documents.size(); ++i)
      if (take_out_member(mixture.documents[i].root, "services", name)) mixture.changed[i] = true;
    find_or_make(mixture.documents.front().root, "services", Kind::kObject).members.push_back(*wanted);
  }
}

void put_in(Mixture& mixture, const std::vector<Document>& candidate, std::string_view facility) {
  replace_services(mixture, candidate, facility);
  Node& main = mixture.documents.front().root;
  if (const Member* its = find_member(candidate, "facilities", facility))
    find_or_make(main, "facilities", Kind::kObject).members.push_back(*its);
  for (const PartyList& list : kPartyLists)
    for (const Node* item : items_of(candidate, list, facility))
      if (list.key != "tests" || can_be_asked(*item, mixture.documents))
        find_or_make(main, list.key, Kind::kArray).items.push_back(*item);
  mixture.changed.front() = true;
}

std::string no_such_facility(const std::vector<Document>& candidate, const std::string& facility) {
  const auto known = names(candidate, "facilities");
  const auto near = did_you_mean(facility, {known.begin(), known.end()});
  return "there is no facility " + config::quoted(facility) + ", neither in what runs nor in the candidate" +
         (near.empty() ? "" : " (" + near + ")");
}

}  // namespace

value::Result<std::vector<SourceFile>, std::string> canary(const std::vector<SourceFile>& running,
                                                           const std::vector<SourceFile>& candidate,
                                                           const FacilityName& facility, WallTime now) {
  Mixture mixture{TRY(parse_all(running)), std::vector<bool>(running.size())};
  const auto wanted = TRY(parse_all(candidate));
  auto& documents = mixture.documents;
  const std::string& name = facility.text;
  if (find_member(documents, "facilities", name) == nullptr && find_member(wanted, "facilities", name) == nullptr)
    return std::unexpected(no_such_facility(wanted, name));
  if (const auto keys = other_gateway_keys(documents.front(), wanted.front()); !keys.empty())
    return std::unexpected(
        fmt::format("the candidate also changes {}, which holds for every facility, so it cannot be tried with {} "
                    "alone: apply that first, as a change of its own",
                    fmt::join(keys, ", "), name));
  for (std::size_t i = 0; i < documents.size(); ++i) mixture.changed[i] = take_out(documents[i].root, name, now);
  put_in(mixture, wanted, name);
  std::vector<SourceFile> files = running;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!mixture.changed[i]) continue;
    files[i].text.clear();
    write(documents[i].root, 0, files[i].text);
    files[i].text += '\n';
  }
  return files;
}

}  // namespace config
