// SAX events of nlohmann/json become the tree. The parser consumes exactly up to the end of a token, but one octet more
// after a number; so the start of each token is found from the end of the one before it.
#include "config/document.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/source_text.h"
#include "config/syntax_error.h"

namespace config {
namespace {

// Hands out octets and counts them; the parser copies it, so the count lives with the owner.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    auto before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(const SourceText& source, std::vector<Diagnostic>& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  [[nodiscard]] std::size_t* count() { return &consumed_; }
  [[nodiscard]] Node take() { return std::move(root_); }

  bool null() override { return place(Kind::kNull) != nullptr; }
  bool boolean(bool value) override {
    if (Node* node = place(Kind::kBoolean)) node->boolean = value;
    return true;
  }
  bool number_integer(number_integer_t value) override { return number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<number_unsigned_t>(INT64_MAX)) return number(static_cast<std::int64_t>(value));
    return number(0, Kind::kFraction);
  }
  bool number_float(number_float_t, const string_t&) override { return number(0, Kind::kFraction); }
  bool string(string_t& value) override {
    Node* node = place(Kind::kString);
    node->text = shown(std::move(value), node->at);
    return true;
  }
  bool binary(binary_t&) override { return false; }  // not in JSON text

  bool start_object(std::size_t) override { return open(Kind::kObject); }
  bool start_array(std::size_t) override { return open(Kind::kArray); }
  bool end_object() override {
    drop_repeated(*open_.back().node);
    return close();
  }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto at = source_.position(next_token(), line_);
    last_end_ = consumed_;
    open_.back().node->members.push_back({shown(std::move(name), at), at, {}});
    after_key_ = true;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    SyntaxFailure failure{last_end_, consumed_, error.what(), std::nullopt, after_key_};
    if (!open_.empty()) failure.open_bracket = open_.back().offset;
    diagnostics_.push_back(explain(source_, failure));
    for (auto frame = open_.rbegin(); frame != open_.rend(); ++frame)
      if (frame->node->kind == Kind::kObject) drop_repeated(*frame->node);
    return false;
  }

 private:
  struct Open {
    Node* node;
    std::size_t offset;
  };

  // Start of the token whose event this is.
  [[nodiscard]] std::size_t next_token() const {
    auto at = source_.skip_blank(last_end_);
    while (at < source_.text().size() && (source_.text()[at] == ',' || source_.text()[at] == ':'))
      at = source_.skip_blank(at + 1);
    return at;
  }

  // Pointers into the tree stay good: a parent's vector grows only while none of its children is open.
  Node* place(Kind kind) {
    const auto offset = next_token();
    Node* node = &root_;
    if (!open_.empty()) {
      Node& parent = *open_.back().node;
      node = parent.kind == Kind::kObject ? &parent.members.back().value : &parent.items.emplace_back();
    }
    node->kind = kind;
    node->at = source_.position(offset, line_);
    last_end_ = consumed_;
    after_key_ = false;
    return node;
  }

  bool number(std::int64_t value, Kind kind = Kind::kInteger) {
    place(kind)->integer = value;
    // The octet read ahead; at the end of the text there may be none.
    const bool at_end = consumed_ == source_.text().size();
    constexpr std::string_view kDigits = "0123456789";
    if (!at_end || kDigits.find(source_.text()[consumed_ - 1]) == std::string_view::npos) last_end_ = consumed_ - 1;
    return true;
  }

  bool open(Kind kind) {
    const auto offset = next_token();
    Node* node = place(kind);
    open_.push_back({node, offset});
    if (open_.size() <= kMaxDepth) return true;
    Diagnostic diagnostic;
    diagnostic.at = node->at;
    diagnostic.message = fmt::format("nested deeper than {} levels", kMaxDepth);
    diagnostics_.push_back(std::move(diagnostic));
    return false;
  }

  bool close() {
    open_.pop_back();
    last_end_ = consumed_;
    after_key_ = false;
    return true;
  }

  std::string shown(std::string text, const Position& at) {
    if (!has_hidden_characters(text)) return text;
    Diagnostic diagnostic;
    diagnostic.at = at;
    diagnostic.message = "this text holds a control or invisible character";
    diagnostic.hint = "titles, names and reasons are plain text on one line";
    diagnostics_.push_back(std::move(diagnostic));
    return "?";
  }

  static bool any_repeated(const std::vector<Member>& members) {
    constexpr std::size_t kFew = 12;
    if (members.size() <= kFew) {
      for (std::size_t i = 1; i < members.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (members[i].key == members[j].key) return true;
      return false;
    }
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const auto& member : members) keys.push_back(member.key);
    std::sort(keys.begin(), keys.end());
    return std::adjacent_find(keys.begin(), keys.end()) != keys.end();
  }

  void drop_repeated(Node& object) {
    if (!any_repeated(object.members)) return;
    std::map<std::string_view, Position> first;
    std::vector<bool> again;
    for (const auto& member : object.members) {
      const auto [known, is_new] = first.emplace(member.key, member.at);
      again.push_back(!is_new);
      if (is_new) continue;
      Diagnostic diagnostic;
      diagnostic.at = member.at;
      diagnostic.message = fmt::format("the key \"{}\" stands twice in this object", member.key.substr(0, 64));
      diagnostic.hint = "keep one of the two";
      diagnostic.also.push_back({known->second, {}});
      diagnostics_.push_back(std::move(diagnostic));
    }
    first.clear();  // its keys look into the members
    std::size_t index = 0;
    std::erase_if(object.members, [&](const Member&) { return again[index++]; });
  }

  const SourceText& source_;
  std::vector<Diagnostic>& diagnostics_;
  std::size_t consumed_ = 0;
  std::size_t last_end_ = 0;
  std::size_t line_ = 1;  // of the last token
  bool after_key_ = false;
  Node root_;
  std::vector<Open> open_;
};

}  // namespace

std::string_view with_article(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBoolean:
      return "true or false";
    case Kind::kInteger:
      return "a number";
    case Kind::kFraction:
      return "a number with a fraction or beyond all ranges";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return "something else";
}

Document parse_document(std::string_view text, std::uint32_t file, std::vector<Diagnostic>& diagnostics) {
  Diagnostic refusal;
  Document document;
  document.root.at = refusal.at = Position{file, 1, 1};
  if (text.size() > kMaxFileBytes) {
    refusal.message = fmt::format("the file is larger than {} MiB", kMaxFileBytes >> 20);
    refusal.hint = "divide it into included files";
    diagnostics.push_back(std::move(refusal));
    return document;
  }
  const SourceText source(text, file);
  if (const auto bad = first_bad_octet(text)) {
    refusal.at = source.position(*bad);
    refusal.message = "this is not UTF-8 text";
    refusal.hint = "save the file as UTF-8 (not Shift_JIS, EUC-JP or UTF-16)";
    diagnostics.push_back(std::move(refusal));
    return document;
  }
  TreeBuilder builder(source, diagnostics);
  const CountingIterator begin(text.data(), builder.count());
  const CountingIterator end(text.data() + text.size(), builder.count());
  document.whole = nlohmann::json::sax_parse(begin, end, &builder, nlohmann::json::input_format_t::json, true, true);
  document.root = builder.take();
  if (document.root.at.line == 0) document.root.at = refusal.at;
  return document;
}

}  // namespace config
