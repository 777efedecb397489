#include "gateway/audit/record_line.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "config/moment.h"

namespace gateway::audit {
namespace {

using config::value::IpAddress;
using config::value::WallTime;
using nlohmann::json;

constexpr std::size_t kMostDepth = 64;  // of objects in objects; no record has more than three

// Keeps what is asked for as it comes by; what it does not know it passes over. No tree is built: there are millions.
class Fields : public nlohmann::json_sax<json> {
 public:
  explicit Fields(RecordLine& record) : record_(record) {}
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] bool has_time() const { return has_time_; }

  bool null() override { return value(); }
  bool boolean(bool yes) override {
    if (depth_ == 1 && key_ == "fragment") record_.fragment = yes;
    if (depth_ == 1 && key_ == "seen_late") record_.seen_late = yes;
    return value();
  }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t number) override {
    if (depth_ == 1) take(number);
    if (depth_ == 2 && outer_ == "not_written" && key_ == "flow.begin") record_.flows_not_written = number;
    return error_.empty() && value();
  }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t& text) override {
    if (depth_ == 1) take(text);
    return error_.empty() && value();
  }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return depth_ > 0 ? open() : fail("is no object"); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (depth_ == 1) outer_ = name;
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    return fail("is no JSON from octet " + std::to_string(at) + " on");
  }

 private:
  bool fail(std::string sentence) {
    if (error_.empty()) error_ = std::move(sentence);
    return false;
  }
  bool value() { return depth_ > 0 || fail("is no object"); }
  bool open() { return ++depth_ <= kMostDepth || fail("is nested too deeply"); }
  bool close() {
    --depth_;
    return true;
  }

  void take(std::uint64_t number) {
    if (key_ == "version") version_ = number;
    if (key_ == "sequence") record_.sequence = number;
    if (key_ == "count") record_.count = number;
    if (key_ == "flow") record_.flow = number;
    if (key_ != "destination_port") return;
    if (number > 65'535) fail("has a destination_port that is none");
    record_.destination_port = static_cast<std::uint16_t>(number);
  }

  void take(const std::string& text) {
    if (auto* plain = text_field()) *plain = text;
    if (auto* address = address_field()) {
      const auto parsed = IpAddress::parse(text);
      parsed ? void(*address = *parsed) : void(fail("has a " + key_ + " that is no address"));
    }
    if (key_ == "protocol" && !(record_.protocol = protocol_number(text))) fail("has a protocol that is none");
    if (key_ == "time") take_time(text, record_.time), has_time_ = true;
    if (key_ == "began") take_time(text, record_.began.emplace());
  }

  void take_time(const std::string& text, WallTime& time) {
    const auto moment = config::Moment::parse(text);
    moment ? void(time = moment->at) : void(fail("has a " + key_ + " that is no time"));
  }

  std::string* text_field() {
    if (key_ == "kind") return &record_.kind;
    if (key_ == "facility") return &record_.facility;
    if (key_ == "other_facility") return &record_.other_facility;
    if (key_ == "direction") return &record_.direction;
    if (key_ == "layer") return &record_.layer;
    if (key_ == "reason") return &record_.reason;
    if (key_ == "service" || key_ == "offer") return &record_.name;
    if (key_ == "rule_origin") return &record_.rule_origin;
    return nullptr;
  }

  std::optional<IpAddress>* address_field() {
    if (key_ == "source") return &record_.source;
    if (key_ == "source_real") return &record_.source_real;
    if (key_ == "destination") return &record_.destination;
    if (key_ == "destination_real") return &record_.destination_real;
    return nullptr;
  }

  RecordLine& record_;
  std::string key_, outer_, error_;
  std::uint64_t version_ = 0;
  std::size_t depth_ = 0;
  bool has_time_ = false;
};

// A flow that is on record has both ends; of a refused packet some is unknown at times.
std::string missing_in(const RecordLine& record) {
  if (record.kind != "flow.begin" && record.kind != "flow.end" && record.kind != "flow.cut") return {};
  if (!record.source || !record.destination) return "is a flow without its addresses";
  if (!record.protocol || !record.destination_port) return "is a flow without its protocol or port";
  return {};
}

}  // namespace

std::optional<std::uint8_t> protocol_number(std::string_view name) {
  if (name == "icmp") return std::uint8_t{1};
  if (name == "tcp") return std::uint8_t{6};
  if (name == "udp") return std::uint8_t{17};
  if (name == "icmpv6") return std::uint8_t{58};
  std::uint8_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.empty() || read.ec != std::errc{} || read.ptr != name.data() + name.size()) return std::nullopt;
  return number;
}

config::value::Result<RecordLine, std::string> read_record_line(std::string_view line) {
  const auto wrong = [](std::string sentence) { return std::unexpected(std::move(sentence)); };
  if (line.empty()) return wrong("is empty");
  if (line.size() > kMostRecordOctets) return wrong("is longer than any record");
  RecordLine record;
  Fields fields(record);
  const bool whole = json::sax_parse(line.begin(), line.end(), &fields);
  if (!fields.error().empty()) return wrong(fields.error());
  if (!whole) return wrong("is no JSON");
  if (fields.version() != 1) return wrong("is of version " + std::to_string(fields.version()) + ", not 1");
  if (record.sequence == 0) return wrong("has no sequence");
  if (!fields.has_time()) return wrong("has no time");
  if (record.kind.empty()) return wrong("has no kind");
  if (auto missing = missing_in(record); !missing.empty()) return wrong(std::move(missing));
  return record;
}

}  // namespace gateway::audit
