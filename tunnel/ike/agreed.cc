// What was agreed upon, for the record of an SA.
#include "tunnel/ike/mismatch.h"
#include "tunnel/ike/negotiation.h"

namespace tunnel::ike {
namespace {

void add(std::vector<const Algorithm*>& rows, const Transform& transform) {
  if (const Algorithm* row = find_algorithm(transform)) rows.push_back(row);
}

void add_suite(std::vector<const Algorithm*>& rows, const crypto::CipherSuite& suite) {
  add(rows, transform(suite.encryption, suite.key_bits));
  if (suite.integrity != crypto::Integrity::kNone) add(rows, transform(suite.integrity));
}

std::string date_text(wire::WallTime first_refused) {
  const auto last = std::chrono::floor<std::chrono::days>(first_refused.time_since_epoch()) - std::chrono::days(1);
  const std::chrono::year_month_day date{std::chrono::sys_days{last}};
  const auto two = [](unsigned value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  return std::to_string(static_cast<int>(date.year())) + "-" + two(static_cast<unsigned>(date.month())) + "-" +
         two(static_cast<unsigned>(date.day()));
}

std::string text_of(std::span<const Algorithm* const> rows) {
  std::string text;
  for (const Algorithm* row : rows) {
    text += (text.empty() ? "" : ", ") + std::string(row->name) + " (" + std::string(name(row->status));
    if (row->expires) text += " until " + date_text(*row->expires);
    text += ")";
  }
  return text;
}

}  // namespace

std::vector<const Algorithm*> algorithms_of(const IkeChoice& choice) {
  std::vector<const Algorithm*> rows;
  add_suite(rows, choice.cipher);
  add(rows, transform(choice.prf));
  add(rows, transform(choice.group));
  return rows;
}

std::vector<const Algorithm*> algorithms_of(const EspChoice& choice) {
  std::vector<const Algorithm*> rows;
  add_suite(rows, choice.cipher);
  if (choice.group != crypto::Group::kNone) add(rows, transform(choice.group));
  add(rows, choice.esn ? kEsnTransform : kNoEsnTransform);
  return rows;
}

std::string to_string(const IkeChoice& choice) {
  return text_of(algorithms_of(choice));
}
std::string to_string(const EspChoice& choice) {
  return text_of(algorithms_of(choice));
}

}  // namespace tunnel::ike
