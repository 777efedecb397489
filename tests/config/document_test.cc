// The tree with positions, and syntax errors as people make them.
#include <catch2/catch.hpp>

#include "config/document.h"
#include "config/source_text.h"

using namespace config;

namespace {

struct Parsed {
  Document document;
  std::vector<Diagnostic> diagnostics;
};

Parsed parse(std::string_view text) {
  Parsed parsed;
  parsed.document = parse_document(text, 0, parsed.diagnostics);
  return parsed;
}

struct Case {
  const char* text;
  Position at;
  const char* words;  // in message or hint
};

void check_case(const Case& c) {
  CAPTURE(c.text);
  const auto parsed = parse(c.text);
  CHECK_FALSE(parsed.document.whole);
  REQUIRE(parsed.diagnostics.size() == 1);
  const auto& d = parsed.diagnostics[0];
  CAPTURE(d.message, d.hint, d.at.line, d.at.column);
  CHECK((d.message + " " + d.hint).find(c.words) != std::string::npos);
  CHECK(d.at == c.at);
}

}  // namespace

TEST_CASE("positions of keys and values") {
  const auto [document, diagnostics] =
      parse("// c\n{ \"a\" : 12 , /* x */\n  \"é\":\"\\u0041\\n\",\"c\":[ -1.5e3,true ,null,{}],\n\"d\":{\"e\":7}}");
  // "\n" inside the string is a control character: one diagnostic, and the tree is whole.
  CHECK(document.whole);
  REQUIRE(diagnostics.size() == 1);
  CHECK(diagnostics[0].at == Position{0, 3, 8});
  const auto& root = document.root;
  CHECK(root.at == Position{0, 2, 1});
  REQUIRE(root.members.size() == 4);
  CHECK(root.members[0].at == Position{0, 2, 3});
  CHECK(root.members[0].value.at == Position{0, 2, 9});
  CHECK(root.members[0].value.integer == 12);
  CHECK(root.members[1].at == Position{0, 3, 3});
  const auto& items = root.members[2].value.items;
  REQUIRE(items.size() == 4);
  CHECK(items[0].at == Position{0, 3, 25});
  CHECK(items[0].kind == Kind::kFraction);
  CHECK(items[1].at == Position{0, 3, 32});
  CHECK(items[1].boolean);
  CHECK(items[2].at == Position{0, 3, 38});
  CHECK(items[3].at == Position{0, 3, 43});
  CHECK(path_of(root, items[3].at) == "c[3]");
  CHECK(path_of(root, root.members[1].at) == "[\"é\"]");
  CHECK(path_of(root, {0, 4, 10}) == "d.e");
  CHECK(place_below(root, root.members[3].at, {"e"}) == Position{0, 4, 10});
  CHECK(place_below(root, root.members[3].at, {"f"}) == root.members[3].at);
}

TEST_CASE("full-width signs are named where they stand") {
  for (const Case& c : std::initializer_list<Case>{{R"({ "a"： 1 })", {0, 1, 6}, "half-width"},
                                                   {R"({ "a": 1、 "b": 2 })", {0, 1, 9}, "half-width"},
                                                   {R"({ "a": 1， "b": 2 })", {0, 1, 9}, "half-width"},
                                                   {R"({ "a": “b” })", {0, 1, 8}, "half-width"},
                                                   {R"(｛ "a": 1 })", {0, 1, 1}, "half-width"},
                                                   {R"({　"a": 1 })", {0, 1, 2}, "full-width space"}})
    check_case(c);
}

TEST_CASE("large and odd numbers") {
  const auto document =
      parse(R"([9223372036854775807, 9223372036854775808, -9223372036854775808, 1.0, 18446744073709551616, 7])")
          .document;
  REQUIRE(document.root.items.size() == 6);
  CHECK(document.root.items[0].integer == INT64_MAX);
  CHECK(document.root.items[1].kind == Kind::kFraction);
  CHECK(document.root.items[2].integer == INT64_MIN);
  CHECK(document.root.items[3].kind == Kind::kFraction);
  CHECK(document.root.items[4].kind == Kind::kFraction);
  CHECK(document.root.items[5].at == Position{0, 1, 93});
}

TEST_CASE("syntax errors say where and what would be right") {
  for (const Case& c : {
           Case{"{\n  \"a\": 1,\n}", {0, 2, 9}, "remove the comma"},
           Case{"[1, 2, // more\n]", {0, 1, 6}, "remove the comma"},
           Case{"{\n  \"a\": 1\n  \"b\": 2\n}", {0, 2, 9}, "a comma is missing"},
           Case{"[1 2]", {0, 1, 3}, "a comma is missing"},
           Case{"[\"a\" \"b\"]", {0, 1, 5}, "a comma is missing"},
           Case{"{\"a\": \"x\n}", {0, 1, 7}, "closing quote"},
           Case{"{\"a\": \"x", {0, 1, 7}, "closing quote"},
           Case{"{\"a\": 1,\n \"b: 2\n}", {0, 2, 2}, "closing quote"},
           Case{"{'a': 1}", {0, 1, 2}, "double quotes"},
           Case{"{a: 1}", {0, 1, 2}, "double quotes"},
           Case{"{\"a\": yes}", {0, 1, 7}, "double quotes"},
           Case{"{\"a\": 'x'}", {0, 1, 7}, "double quotes"},
           Case{"# c\n{}", {0, 1, 1}, "//"},
           Case{"{ /* c }", {0, 1, 3}, "comment"},
           Case{"{\"a\" 1}", {0, 1, 6}, "colon"},
           Case{"{\"a\", 1}", {0, 1, 5}, "colon"},
           Case{"{\"a\":: 1}", {0, 1, 6}, "JSON"},
           Case{"[1,,2]", {0, 1, 4}, "one too many"},
           Case{"{\"a\": [1}", {0, 1, 9}, "does not fit"},
           Case{"{\"a\": {\n\"b\": 1", {0, 2, 7}, "the \"{\" of line 1, column 7 is not closed"},
           Case{"{\"a\": 1,", {0, 1, 9}, "ends too early"},
           Case{"", {0, 1, 1}, "no content"},
           Case{"// only\n", {0, 2, 1}, "no content"},
           Case{"{} {}", {0, 1, 4}, "follows the end"},
           Case{"{\"a\": \"\\x\"}", {0, 1, 7}, "backslash"},
           Case{"{\"a\": 01}", {0, 1, 8}, "comma"},
           Case{"{\"a\": +1}", {0, 1, 7}, "digit"},
           Case{"{\"a\": \"\xff\"}", {0, 1, 8}, "UTF-8"},
           Case{"{}\n// \x8e\xa9", {0, 2, 4}, "UTF-8"},
           Case{"{\"a\": \"\xed\xa0\x80\"}", {0, 1, 8}, "UTF-8"},
       })
    check_case(c);
}

TEST_CASE("a number at the very end of the text") {
  CHECK(parse("17").document.root.integer == 17);
  check_case({"17 5", {0, 1, 4}, "follows the end"});
  check_case({"[17", {0, 1, 4}, "ends too early"});
  check_case({"[17,", {0, 1, 5}, "ends too early"});
}

TEST_CASE("NUL does not hide what follows") {
  const auto parsed = parse(std::string_view("{}\0{}", 5));
  CHECK_FALSE(parsed.document.whole);
  REQUIRE(parsed.diagnostics.size() == 1);
  CHECK(parsed.diagnostics[0].at == Position{0, 1, 3});
}

TEST_CASE("limits of size and depth") {
  const std::string deep(kMaxDepth, '['), closing(kMaxDepth, ']');
  CHECK(parse(deep + closing).document.whole);
  const auto deeper = parse("[" + deep + closing + "]");
  CHECK_FALSE(deeper.document.whole);
  REQUIRE(deeper.diagnostics.size() == 1);
  CHECK(deeper.diagnostics[0].at == Position{0, 1, kMaxDepth + 1});
  CHECK_FALSE(parse(std::string(100000, '[')).document.whole);
  CHECK_FALSE(parse(std::string(kMaxFileBytes + 1, ' ')).document.whole);
}

TEST_CASE("a repeated key is reported and the first one stays") {
  const auto parsed = parse("{\"a\": 1,\n\"b\": {\"c\": 1, \"c\": 2},\n \"a\": 3}");
  CHECK(parsed.document.whole);
  REQUIRE(parsed.diagnostics.size() == 2);
  CHECK(parsed.diagnostics[0].at == Position{0, 2, 15});
  CHECK(parsed.diagnostics[1].at == Position{0, 3, 2});
  CHECK(parsed.diagnostics[1].also.at(0).at == Position{0, 1, 2});
  CHECK(find(parsed.document.root, "a")->integer == 1);
}

TEST_CASE("hidden characters are found, letters are not") {
  CHECK_FALSE(has_hidden_characters("函館総合病院 é 𠮷 A-1"));
  CHECK(has_hidden_characters("a\x1b[31m"));
  CHECK(
      has_hidden_characters("\xe2\x80\xae"
                            "txt"));              // U+202E
  CHECK(has_hidden_characters("a\xe2\x80\x8b"));  // U+200B
  CHECK(has_hidden_characters("\xc2\x9b"));       // U+009B
  CHECK(has_hidden_characters("a\x7f"));
}
