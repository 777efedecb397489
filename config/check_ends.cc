// What ends soon: said 30 and 7 days ahead, so that nobody learns of an end date from what stops. What has ended is an
// error, found where the thing itself is checked.
#include <fmt/format.h>

#include "config/check.h"
#include "config/moment.h"

namespace config {
namespace {

using std::chrono::days;

class Ends {
 public:
  Ends(WallTime now, Report& report) : now_(now), report_(report) {}

  // `at` is the place of the date; `hint` says what stops with it and what to do.
  void add(const Position& at, const std::string& what, WallTime until, const std::string& hint) {
    const auto left = until - now_;
    if (left <= value::Duration(0) || left > days(kSoonDays)) return;
    const auto whole = std::chrono::duration_cast<days>(left).count();
    const std::string when =
        whole == 0 ? "in less than a day" : fmt::format("in {} day{}", whole, whole == 1 ? "" : "s");
    report_.warning(at,
                    fmt::format("{} ends {}{}; its last day is {}", what,
                                left <= days(kVerySoonDays) ? "very soon, " : "", when, last_day_text(until)),
                    hint);
  }

 private:
  WallTime now_;
  Report& report_;
};

}  // namespace

void check_ends(const GatewayConfig& config, WallTime now, Report& report) {
  Ends ends(now, report);
  for (const auto& exchange : config.exchanges)
    ends.add(report.below(exchange.at, {"until"}),
             fmt::format("the exchange from {} to {}", quoted(exchange.from.text), quoted(exchange.to.text)),
             exchange.until, "have it approved again with a new date, or let it end; its flows stop then");
  for (const auto& facility : config.facilities) {
    const auto& tunnel = facility.tunnel;
    if (const auto& exception = tunnel.wireguard.exception)
      ends.add(report.below(exception->at, {"until"}),
               fmt::format("the exception for the WireGuard tunnel of {}", quoted(facility.name.text)),
               exception->until,
               "have it approved again with a new date, or change the line; after it no reload is accepted");
    for (const auto& exception : tunnel.ikev2.algorithm_exceptions)
      ends.add(report.below(exception.at, {"until"}),
               fmt::format("the exception of {} for {}", quoted(facility.name.text), quoted(exception.algorithm)),
               exception.why.until,
               "have it approved again with a new date, or change the router; after it no reload is accepted");
  }
}

}  // namespace config
