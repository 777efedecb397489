// What went through and what was refused, asked again of another plan: which recorded flows would stop, which refused
// packets would newly pass. Records come one by one and only what would change is kept, by ends, protocol and port
// without the source port, so that memory is bounded whatever the number of records. Pure; `sekisho diff --replay`.
//
// What is asked: a flow comes from a host of a facility, whose real address the record has, so a facility that is seen
// under another prefix from now on is asked under that one. It goes to the address its opener dialled, as everybody saw
// it then. Policy answers (policy/decide), for `at`, and for the time of the record when that answer is no: a line
// whose time is over meanwhile is not what the change takes away. What runs is asked too: of what it does not pass
// either the change takes nothing, and what it passes the change does not open.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gateway/audit/record_line.h"
#include "policy/decision_index.h"

namespace gateway::audit {

struct ReplaySpan {
  config::value::WallTime from;  // records from here on
  config::value::WallTime now;   // what runs is asked for this time
  config::value::WallTime at;    // and the candidate for this one
};

enum class ReplayEffect : std::uint8_t {
  kStops,  // passed, passes in what runs, would be refused
  kEnds,   // passed, and passes by its line until that ends, before `at`
  kOpens,  // is refused in what runs, would pass
};

struct ReplayFinding {
  ReplayEffect effect = ReplayEffect::kStops;
  bool passed = false;                     // it is of a flow that passed; else of a refused packet
  std::string from_facility, to_facility;  // empty: inside, or nobody's
  config::value::IpAddress source, source_real, destination, destination_real;  // as on record
  std::uint8_t protocol = 0;
  std::uint16_t destination_port = 0;
  std::string name;         // service or offer, as on record; empty of refusals
  std::string then;         // the newest record's line of the configuration of that day, or the reason of the refusal
  std::uint64_t count = 0;  // flows, or samples of refused packets
  config::value::WallTime first, last;
  policy::Decision decision;  // of the candidate, for `at`; points into it
  std::string why_unknown;    // not empty: the candidate has no such source, in words
};

// In facility's name of what would change, but not listed singly: more than kMostFindings are there.
struct ReplayRest {
  std::uint64_t stops = 0, ends = 0, opens = 0;  // flows or samples
};

struct ReplayResult {
  std::vector<ReplayFinding> findings;  // by facility, effect, most often first
  std::map<std::string, ReplayRest> rest;

  std::uint64_t records = 0;             // lines that could be read, of any kind, in the span
  std::uint64_t flows = 0, refused = 0;  // asked: flows that passed, samples of refused packets
  std::uint64_t stops = 0, ends = 0, opens = 0, unchanged = 0;
  std::uint64_t stopped_already = 0;  // passed, and what runs refuses it as the candidate does
  std::uint64_t open_already = 0;     // refused, and what runs lets it pass as the candidate does
  std::uint64_t no_question = 0;      // refused for a reason that no permission changes (a damaged packet)
  std::uint64_t says_too_little = 0;  // refused, and its record does not say enough to ask (a later fragment)

  // What is not in all this.
  std::uint64_t unreadable = 0;                  // lines
  std::vector<std::string> unreadable_examples;  // "2026-11-25.jsonl:7: is no JSON …", the first few
  std::uint64_t missing = 0;                     // sequence numbers between the first and the last that no line has
  std::uint64_t flows_summed = 0;                // begun, and only in a flow.summary
  std::uint64_t records_lost = 0;                // that could not be written
  std::uint64_t events_lost = 0;                 // records that say that the kernel told more than was read
  std::uint64_t refused_packets = 0;             // refused.summary: of so many the samples are samples
  std::optional<config::value::WallTime> first;  // the earliest record that was read, also before the span
};

// Can no permission let pass what was refused for this reason? core::is_beyond_permission(): this room does not know
// the layers that refuse.
using BeyondPermission = bool (*)(std::string_view reason);

class Replay {
 public:
  static constexpr std::size_t kMostFindings = 100'000;  // some 60 MiB
  static constexpr std::size_t kMostExamples = 5;

  // `running` may be null: what runs is not known, and each flow of the records is held to pass, each refused packet
  // not to. Both must outlive the result.
  Replay(const policy::Plan& candidate, const policy::Plan* running, const ReplaySpan& span, BeyondPermission beyond,
         std::size_t most = kMostFindings);

  // In the order of the files; those before the span count for what is known of them only.
  void add(const RecordLine& record);
  void add_unreadable(const std::string& place, const std::string& sentence);
  // A flow that is open now and began before the span: it has no record in it.
  void add_open(const RecordLine& flow);
  [[nodiscard]] ReplayResult take();

 private:
  struct Asked;
  struct Key {
    ReplayEffect effect;
    bool passed;
    std::string from, to;
    config::value::IpAddress source, destination;
    std::uint8_t protocol;
    std::uint16_t port;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  [[nodiscard]] bool is_flow_of_span(const RecordLine& record);
  void ask_flow(const RecordLine& record);
  void ask_refused(const RecordLine& record);
  [[nodiscard]] Asked of_flow(const RecordLine& record) const;
  [[nodiscard]] std::optional<Asked> of_refused(const RecordLine& record) const;
  [[nodiscard]] bool runs(const Asked& asked) const;
  void keep(ReplayEffect effect, const Asked& asked, const policy::Decision& decision, std::string why_unknown);

  policy::DecisionIndex candidate_;
  std::unique_ptr<policy::DecisionIndex> running_;
  ReplaySpan span_;
  BeyondPermission beyond_;
  std::size_t most_;
  ReplayResult result_;
  std::unordered_map<Key, ReplayFinding, KeyHash> findings_;
  std::unordered_set<std::uint64_t> late_;  // flows whose late begin is counted: their end is not
  std::uint64_t lowest_ = 0, highest_ = 0, numbered_ = 0;
};

}  // namespace gateway::audit
