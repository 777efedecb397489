// Documents -> binding -> checks. A file that is no whole JSON text is reported and the checks across files, which
// would then complain about what it holds, are left for the next try.
#include "config/load.h"

#include <algorithm>

#include "config/bind.h"
#include "config/check.h"
#include "config/document.h"
#include "config/report.h"

namespace config {

struct ParsedMain {
  Document document;
  std::vector<Diagnostic> found;
};

MainDocument parse_main(const SourceFile& main) {
  auto parsed = std::make_shared<ParsedMain>();
  parsed->document = parse_document(main.text, 0, parsed->found);
  return parsed;
}

std::vector<std::string> include_patterns(const MainDocument& main) {
  std::vector<std::string> patterns;
  const Node* list = find(main->document.root, "include");
  if (list == nullptr) return patterns;
  for (const auto& item : list->items)
    if (item.kind == Kind::kString && good_include_pattern(item.text)) patterns.push_back(item.text);
  return patterns;
}

namespace {

void warn_of_empty_includes(const Document& main, const std::vector<std::string>& patterns, Report& report) {
  const Node* list = find(main.root, "include");
  if (list == nullptr) return;
  for (const auto& item : list->items)
    if (item.kind == Kind::kString && std::ranges::find(patterns, item.text) != patterns.end())
      report.warning(item.at, quoted(item.text) + " names no file",
                     "relative to this file's directory; nothing is read by it");
}

}  // namespace

Loaded load(const std::vector<SourceFile>& files, WallTime now, const std::vector<std::string>& empty_includes) {
  return load(files, files.empty() ? std::make_shared<ParsedMain>() : parse_main(files.front()), now, empty_includes);
}

Loaded load(const std::vector<SourceFile>& files, MainDocument main, WallTime now,
            const std::vector<std::string>& empty_includes) {
  Loaded loaded;
  std::vector<Document> documents;
  std::vector<Diagnostic> found = std::move(main->found);
  for (const auto& file : files) {
    loaded.config.files.push_back(file.path);
    if (documents.empty())
      documents.push_back(std::move(main->document));
    else
      documents.push_back(parse_document(file.text, static_cast<std::uint32_t>(documents.size()), found));
  }
  Report report(documents);
  for (auto& diagnostic : found) report.add(std::move(diagnostic));
  if (documents.empty()) report.error({0, 1, 1}, "there is no configuration");
  bool whole = !documents.empty();
  for (std::size_t i = 0; i < documents.size(); ++i) {
    whole = whole && documents[i].whole;
    if (documents[i].whole)
      bind_document(documents[i].root, i == 0 ? FileRole::kMain : FileRole::kIncluded, loaded.config, report);
  }
  if (!documents.empty()) warn_of_empty_includes(documents.front(), empty_includes, report);
  sort_and_check_repeated(loaded.config, report);
  if (whole) {
    check_references(loaded.config, now, report);
    check_prefixes(loaded.config, report);
    check_tunnels(loaded.config, now, report);
    check_clients(loaded.config, report);
    check_ends(loaded.config, now, report);
  }
  loaded.diagnostics = report.take();
  return loaded;
}

}  // namespace config
