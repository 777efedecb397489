// Where binding and checks put what they find. The key path is looked up in the documents from the position alone,
// so a check needs to know only where the thing stands.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/document.h"

namespace config {

inline constexpr std::size_t kMaxDiagnostics = 500;  // of each severity; the rest is counted

class Report {
 public:
  using Keys = std::initializer_list<std::string_view>;

  // `documents` by file index; outlives the report.
  explicit Report(const std::vector<Document>& documents) : documents_(documents) {}

  void error(const Position& at, std::string message, std::string hint = {}, std::vector<Position> also = {}) {
    add(Severity::kError, at, std::move(message), std::move(hint), std::move(also));
  }
  void warning(const Position& at, std::string message, std::string hint = {}, std::vector<Position> also = {}) {
    add(Severity::kWarning, at, std::move(message), std::move(hint), std::move(also));
  }
  void overlap(const Position& at, std::string message, std::string hint, const Position& other) {
    add({Severity::kError, at, {}, std::move(message), std::move(hint), {{other, {}}}, true});
  }
  // Something found before there were paths; they are filled in.
  void add(Diagnostic diagnostic);

  // Errors are only counted from here on; no need to find words for them.
  [[nodiscard]] bool full() const { return count_[static_cast<std::size_t>(Severity::kError)] >= kMaxDiagnostics; }

  [[nodiscard]] Position below(const Position& at, Keys keys) const;

  // Sorted by file, line, column; at most kMaxDiagnostics of each severity and a line that counts the others.
  [[nodiscard]] std::vector<Diagnostic> take();

 private:
  void add(Severity severity, const Position& at, std::string message, std::string hint, std::vector<Position> also);
  [[nodiscard]] std::string path(const Position& at) const;

  const std::vector<Document>& documents_;
  std::vector<Diagnostic> found_;
  std::size_t count_[2] = {0, 0};
};

// `text` in quotation marks, shortened when long. Control characters never come this far (document.cc).
[[nodiscard]] std::string quoted(std::string_view text);

// "did you mean \"karte\"?" when one of `known` is near enough (restricted edit distance), else empty.
[[nodiscard]] std::string did_you_mean(std::string_view text, const std::vector<std::string_view>& known);

}  // namespace config
