// Collecting, bounding and sorting diagnostics; suggestions for a mistyped word.
#include "config/report.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "config/source_text.h"

namespace config {
namespace {

constexpr std::size_t kLongestShown = 48;

// Optimal string alignment: insert, delete, replace, swap neighbours. Both are short (callers cut them).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

auto order(const Diagnostic& d) {
  return std::tie(d.at.file, d.at.line, d.at.column, d.message);
}

}  // namespace

void Report::add(Diagnostic diagnostic) {
  if (count_[static_cast<std::size_t>(diagnostic.severity)]++ >= kMaxDiagnostics) return;
  diagnostic.key_path = path(diagnostic.at);
  for (auto& also : diagnostic.also) also.key_path = path(also.at);
  found_.push_back(std::move(diagnostic));
}

void Report::add(Severity severity, const Position& at, std::string message, std::string hint,
                 std::vector<Position> also) {
  Diagnostic diagnostic{severity, at, {}, std::move(message), std::move(hint), {}, false};
  for (const auto& other : also) diagnostic.also.push_back({other, {}});
  add(std::move(diagnostic));
}

Position Report::below(const Position& at, Keys keys) const {
  return at.file < documents_.size() ? place_below(documents_[at.file].root, at, keys) : at;
}

std::string Report::path(const Position& at) const {
  return at.file < documents_.size() ? path_of(documents_[at.file].root, at) : std::string();
}

std::vector<Diagnostic> Report::take() {
  std::sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) { return order(a) < order(b); });
  for (const auto severity : {Severity::kError, Severity::kWarning}) {
    const auto count = count_[static_cast<std::size_t>(severity)];
    if (count <= kMaxDiagnostics) continue;
    const auto last =
        std::find_if(found_.rbegin(), found_.rend(), [&](const auto& d) { return d.severity == severity; });
    found_.push_back({severity,
                      found_.back().at,
                      {},
                      fmt::format("{} more {} are not shown", count - kMaxDiagnostics,
                                  severity == Severity::kError ? "errors" : "warnings"),
                      fmt::format("the last one shown stands in line {}", last->at.line),
                      {},
                      false});
  }
  return std::move(found_);
}

std::string quoted(std::string_view text) {
  if (text.size() <= kLongestShown) return fmt::format("\"{}\"", text);
  std::size_t end = 0;
  while (end < kLongestShown) {
    const auto length = utf8_length(text.substr(end, 4));
    if (length == 0) break;
    end += length;
  }
  return fmt::format("\"{}...\"", text.substr(0, end));
}

std::string did_you_mean(std::string_view text, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t least = text.size() / 3 + 1;  // one slip in a short word, more in a long one
  text = text.substr(0, 64);
  for (const auto candidate : known) {
    const auto longer = std::max(text.size(), candidate.size());
    const auto shorter = std::min(text.size(), candidate.size());
    if (candidate.size() > 64 || longer - shorter > least) continue;
    const auto n = distance(text, candidate);
    if (n < least || (n == least && best.empty())) {
      least = n;
      best = candidate;
    }
  }
  return best.empty() || best == text ? std::string() : fmt::format("did you mean \"{}\"?", best);
}

}  // namespace config
