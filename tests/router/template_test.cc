// The renderer: what it writes, and that nothing unknown, open or crooked passes.
#include "gateway/router/template.h"

#include <catch2/catch.hpp>

using gateway::router::Escape;
using gateway::router::render;
using gateway::router::Values;

namespace {

Values sample() {
  Values values;
  values.texts = {{"a", "1"}, {"b", "two"}};
  values.lists["rows"] = {{"x", "y"}, {{"p", "q"}, {"r", "s"}}};
  values.lists["none"] = {{"z"}, {}};
  values.flag("on", true);
  values.flag("off", false);
  return values;
}

std::string error(std::string_view text) {
  const auto result = render(text, sample(), Escape::kLine);
  return result ? "" : result.error();
}

}  // namespace

TEST_CASE("template: values, rows, flags") {
  const auto text = render(
      "{{a}} and {{b}}\n{{#rows}}\n  {{x}}-{{y}} {{a}}\n{{/rows}}\n{{#on}}\nyes\n{{/on}}\n"
      "{{#off}}\nno\n{{/off}}\n{{#none}}\n{{z}}\n{{/none}}\nend",
      sample(), Escape::kLine);
  REQUIRE(text);
  CHECK(*text == "1 and two\n  p-q 1\n  r-s 1\nyes\nend\n");
}

TEST_CASE("template: parts within parts") {
  const auto text =
      render("{{#rows}}\n{{#on}}\n{{x}}\n{{/on}}\n{{#off}}\n{{y}}\n{{/off}}\n{{/rows}}\n", sample(), Escape::kLine);
  REQUIRE(text);
  CHECK(*text == "p\nr\n");
}

TEST_CASE("template: an unknown name is an error, also where nothing would be written") {
  CHECK(error("x\n{{c}}").starts_with("line 2 of the template"));
  CHECK(error("{{#c}}\n{{/c}}").find("a list that nobody set") != std::string::npos);
  CHECK(error("{{x}}").find("nobody set") != std::string::npos);  // a field outside its rows
  CHECK(error("{{#none}}\n{{c}}\n{{/none}}").find("'c'") != std::string::npos);
  CHECK(error("{{#off}}\n{{#rows}}\n{{q}}\n{{/rows}}\n{{/off}}").find("'q'") != std::string::npos);
}

TEST_CASE("template: what is not closed is an error") {
  CHECK(error("{{#rows}}\n{{x}}").find("not closed") != std::string::npos);
  CHECK(error("{{/rows}}").find("not open") != std::string::npos);
  CHECK(error("{{a").find("not closed") != std::string::npos);
  CHECK(error("{{#rows}}\n{{#on}}\n{{/rows}}\n{{/on}}").find("not closed") != std::string::npos);
}

TEST_CASE("template: a value cannot begin a line of its own, nor be HTML") {
  Values values;
  for (const char* bad : {"a\nno shutdown", "a\rb", "\x1b[2J", "a\x7f"}) {
    values.texts["v"] = bad;
    CHECK_FALSE(render("{{v}}", values, Escape::kLine));
  }
  values.texts["v"] = "<script>alert('x')</script>\n&\"";
  CHECK(render("{{v}}", values, Escape::kHtml).value() ==
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp;&quot;\n");
  values.texts["v"] = "{{b}}";  // a value is never read as a template
  CHECK(render("{{v}}", values, Escape::kLine).value() == "{{b}}\n");
}

TEST_CASE("template: markup that was made elsewhere is taken as it is, in HTML alone, and only by its own line") {
  auto values = sample();
  values.markup["box"] = "<b>&amp;</b>\n";
  values.texts["box"] = "<i>";
  const auto text = render("{{>box}}\n{{box}}\n{{#off}}\n{{>box}}\n{{/off}}\n", values, Escape::kHtml);
  REQUIRE(text);
  CHECK(*text == "<b>&amp;</b>\n&lt;i&gt;\n");
  CHECK(render("{{>box}}\n", values, Escape::kLine).error().find("no place outside HTML") != std::string::npos);
  CHECK(error("{{>nobody}}\n").find("nobody made") != std::string::npos);
  CHECK_FALSE(render("a {{>box}}\n", values, Escape::kHtml));  // not a line of its own: an unknown name
}

TEST_CASE("template: what HTML would read as its own is escaped, and control characters are spaces") {
  CHECK(gateway::router::html_escaped("<a href=\"x\">&'\x01\x7f函館") ==
        "&lt;a href=&quot;x&quot;&gt;&amp;&#39;  函館");
}
