// Configuration -> the text for each router and the sheets, compared with files that people read in review.
// SEKISHO_UPDATE_GOLDEN=1 writes them anew.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gateway/router/matrix_page.h"
#include "policy/compile.h"
#include "tests/router/site.h"

using namespace router_test;
namespace r = gateway::router;

namespace {

void check_golden(const std::string& name, const std::string& found) {
  const std::string path = std::string(SEKISHO_SOURCE_DIR) + "/tests/golden/router/" + name;
  if (std::getenv("SEKISHO_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << found;
  std::stringstream wanted;
  wanted << std::ifstream(path).rdbuf();
  INFO(name);
  CHECK(found == wanted.str());
}

}  // namespace

TEST_CASE("golden: what each router is told") {
  const auto config = site();
  for (const auto& each : r::vendors()) {
    const auto known = facts(config, each.wireguard ? "matsumae" : "hakodate");
    const std::string name(each.name);
    check_golden(name + ".txt", r::router_config(known, each, r::Part::kConfiguration, kMade).value().text);
    if (each.filter_apart)
      check_golden(name + "-filter.nft", r::router_config(known, each, r::Part::kFilter, kMade).value().text);
  }
}

TEST_CASE("golden: the sheets") {
  const auto config = site();
  const auto known = facts(config, "hakodate");
  check_golden("sheet.ja.html", r::sheet(known, nullptr, r::Language::kJapanese, kMade).value());
  check_golden("sheet.en.html", r::sheet(known, &vendor("yamaha-rtx"), r::Language::kEnglish, kMade).value());
  check_golden("sheet.certificate.ja.html",
               r::sheet(facts(config, "esashi"), nullptr, r::Language::kJapanese, kMade).value());
  check_golden("sheet.wireguard.ja.html",
               r::sheet(facts(config, "matsumae"), nullptr, r::Language::kJapanese, kMade).value());
}

TEST_CASE("golden: the pages of the matrix") {
  const auto config = site();
  const auto matrix = policy::matrix(config, policy::compile(config, kNow).plan, {}, kNow);
  check_golden("matrix.ja.html", r::matrix_page(matrix, r::Language::kJapanese, {"dc1", kNow, {}}).value());
  check_golden("matrix.en.html", r::matrix_page(matrix, r::Language::kEnglish, {"dc1", kNow, {}}).value());
}
