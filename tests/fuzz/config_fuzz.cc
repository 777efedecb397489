// The whole way from text to configuration: whatever the octets, no crash, and an error always has a place. An octet
// 0x1e divides the input into main file and included files.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/load.h"
#include "config/moment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  if (const auto moment = config::Moment::parse(rest)) {  // written again it is the same second
    const auto text = config::moment_text(moment->at);
    const auto again = config::Moment::parse(text);
    if (text.size() != 25 || (again && again->at != std::chrono::floor<std::chrono::seconds>(moment->at))) std::abort();
  }
  std::vector<config::SourceFile> files;
  for (;;) {
    const auto end = rest.find('\x1e');
    files.push_back({"f" + std::to_string(files.size()), std::string(rest.substr(0, end))});
    if (end == std::string_view::npos || files.size() == 4) break;
    rest.remove_prefix(end + 1);
  }
  const auto loaded = config::load(files, config::WallTime(std::chrono::hours(24 * 365 * 56)));
  for (const auto& diagnostic : loaded.diagnostics) {
    if (diagnostic.at.file >= files.size() || diagnostic.at.line == 0 || diagnostic.at.column == 0) std::abort();
    if (config::to_text(diagnostic, loaded.config.files).empty()) std::abort();
  }
  if (!config::has_errors(loaded.diagnostics) && loaded.config.gateway.name.empty()) std::abort();
  for (const auto& pattern : config::include_patterns(config::parse_main(files[0])))
    if (pattern.empty() || pattern[0] == '/' || pattern.find("..") == 0) std::abort();
  (void)config::check_key_files(loaded.config, {});
  return 0;
}
