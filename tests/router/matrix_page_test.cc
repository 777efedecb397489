// The page of the matrix: everything that is open and that the rest is closed, as text, in tables and as a picture;
// escaped, on its own, well-formed (tests/gateway/matrix_page_check.py reads it with an XML parser).
#include "gateway/router/matrix_page.h"

#include "gateway/router/matrix_view.h"
#include "policy/compile.h"
#include "tests/router/site.h"

using namespace router_test;
using gateway::router::Language;
namespace r = gateway::router;

namespace {

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

policy::Matrix matrix_of(const config::GatewayConfig& config, const policy::MatrixQuestion& question = {}) {
  return policy::matrix(config, policy::compile(config, kNow).plan, question, kNow);
}

std::string page_of(const config::GatewayConfig& config, Language language,
                    const policy::MatrixQuestion& question = {}) {
  auto page = r::matrix_page(matrix_of(config, question), language, {"dc1", kNow, question});
  if (!page) FAIL(page.error());
  return *page;
}

config::GatewayConfig many(std::size_t facilities) {
  auto config = site();
  const auto model = config.facilities.front();
  config.facilities.clear();
  config.exchanges.clear();
  config.inside_may_reach.clear();
  for (std::size_t i = 0; i < facilities; ++i) {
    config.facilities.push_back(model);
    auto& added = config.facilities.back();
    const auto number = std::to_string(1000 + i);
    added.name.text = "site-" + number;
    added.networks[0].real = added.networks[0].seen_as =
        *config::Prefix::parse("10." + std::to_string(100 + i / 250) + "." + std::to_string(i % 250) + ".0/24");
  }
  return config;
}

}  // namespace

TEST_CASE("matrix page: who, what, which ports, by which line, until when") {
  for (const auto language : {Language::kJapanese, Language::kEnglish}) {
    const auto page = page_of(site(), language);
    for (const auto* words :
         {"函館総合病院", "松前診療所", "電子カルテ参照", "画像 (hakodate/images)", "tcp/104", "udp/5000-5010",
          "icmp, tcp/443", "2027-03-31", "exchanges[0] (sekisho.json:", "inside_may_reach[0] (",
          "facilities.esashi.may_use[0] (", "2026-11-26T09:00:00+09:00", "100.64.1.0/24", "A4 landscape", "yakumo"})
      CHECK(has(page, words));
  }
  CHECK(has(page_of(site(), Language::kJapanese), "すべて閉じています"));
  CHECK(has(page_of(site(), Language::kEnglish), "Everything is closed but the 6 lines"));
}

TEST_CASE("matrix page: tables have heads with a scope, the picture a title and a desc that say it in words") {
  const auto page = page_of(site(), Language::kJapanese);
  for (const auto* words :
       {"<html lang=\"ja\">", "<th scope=\"col\">", "<th scope=\"row\">", "<caption>", "role=\"img\"",
        "aria-labelledby=\"picture-title picture-desc\"", "<title id=\"picture-title\">",
        "松前診療所 (matsumae) → 函館総合病院 (hakodate): tcp/104. "})
    CHECK(has(page, words));
  CHECK(has(page, "stroke-dasharray=\"14 5 2 5\""));  // kinds differ without colour
  for (const auto* words : {"color: red", "fill=\"red\"", "#f00"}) CHECK_FALSE(has(page, words));
}

TEST_CASE("matrix page: a grid cell says yes with the number of its line, or no") {
  const auto config = site();
  const auto grid = r::grid(matrix_of(config), policy::PermissionKind::kService, Language::kEnglish);
  // esashi, hakodate, matsumae, yakumo by karte, relay
  std::string cells;
  for (std::size_t at = grid.find("<td"); at != std::string::npos; at = grid.find("<td", at + 1))
    cells += grid.substr(grid.find('>', at) + 1, grid.find("</td>", at) - grid.find('>', at) - 1) + ";";
  CHECK(cells == "yes 1;no;yes 2;yes 3;yes 4;no;no;no;");
  CHECK(r::grid(matrix_of(many(0)), policy::PermissionKind::kExchange, Language::kEnglish).empty());
}

TEST_CASE("matrix page: a title is text, never HTML, in the tables and in the picture") {
  const auto config = site("函館総合病院", "<script>alert(1)</script>\\\" onload='x'&amp;");
  for (const auto language : {Language::kJapanese, Language::kEnglish}) {
    const auto page = page_of(config, language);
    CHECK_FALSE(has(page, "<script"));
    CHECK_FALSE(has(page, "onload='"));
    CHECK(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39;&amp;amp;"));
  }
  for (const auto* title : {"電子カルテ参照", "画像\"", "画像中継"}) {
    const std::string bad = std::string(title).ends_with('"') ? "<img src=x>\"" : "<img src=x>";
    CHECK_FALSE(has(page_of(site(title, bad), Language::kEnglish), "<img"));
  }
}

TEST_CASE("matrix page: nothing is loaded from elsewhere, and nothing runs") {
  const auto page = page_of(site(), Language::kJapanese);
  for (const auto* words : {"https:", "src=", "href=", "@import", "<script", "<link", "onload", "javascript:"})
    CHECK_FALSE(has(page, words));
  // The one address is the name of a language, the one url() a part of the picture itself.
  CHECK(page.find("http:") == page.find("http://www.w3.org/2000/svg"));
  CHECK(page.rfind("http:") == page.find("http:"));
  for (std::size_t at = page.find("url("); at != std::string::npos; at = page.find("url(", at + 1))
    CHECK(page.substr(at, 10) == "url(#head)");
}

TEST_CASE("matrix page: of very many facilities the list stays, and a part has its picture") {
  const auto config = many(1000);
  const auto page = page_of(config, Language::kEnglish);
  CHECK_FALSE(has(page, "<svg"));
  CHECK_FALSE(has(page, "<table class=\"grid\">"));
  CHECK(has(page, "There are too many for a picture"));
  CHECK(has(page, "Everything is closed but the"));
  CHECK(has(page, "site-1999"));
  const auto part = page_of(config, Language::kEnglish, {"site-1500", {}});
  CHECK(has(part, "<svg"));
  CHECK(has(part, "Only what begins at <code>site-1500</code>"));
  CHECK_FALSE(has(part, "site-1501"));
  CHECK(part.size() < page.size() / 50);
}

TEST_CASE("matrix page: with nothing open it says so") {
  auto config = site();
  for (auto& facility : config.facilities) facility.may_use.clear();
  config.exchanges.clear();
  config.inside_may_reach.clear();
  CHECK(has(page_of(config, Language::kEnglish), "Nothing is open."));
  CHECK(has(page_of(config, Language::kJapanese), "何も開いていません"));
}
