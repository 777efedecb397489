#include "gateway/daemon/live_views.h"

#include <algorithm>
#include <set>

namespace gateway::daemon {
namespace {

constexpr std::size_t kMostWarnings = 10;

Json to_json(const core::Breach& breach) {
  Json json{{"what", breach.what}, {"line", breach.line}, {"rules", breach.rules}, {"packet", nullptr}};
  if (breach.packet) json["packet"] = packet_view(*breach.packet);
  return json;
}

// "table inet sekisho, chain ..." -> "sekisho".
std::string table_of(const std::string& what) {
  const auto at = what.find("table ");
  if (at == std::string::npos) return "";
  const auto family = what.find(' ', at + 6);
  if (family == std::string::npos) return "";
  const auto end = what.find_first_of(", ", family + 1);
  return what.substr(family + 1, end == std::string::npos ? end : end - family - 1);
}

}  // namespace

Json packet_view(const policy::PacketPoint& packet) {
  return {{"source", packet.source.to_string()},
          {"destination", packet.destination.to_string()},
          {"protocol", packet.protocol},
          {"port", packet.port}};
}

Json to_json(const core::Proof& proof) {
  Json json{{"ok", proof.holds()},  {"facilities", proof.facilities},
            {"pairs", proof.pairs}, {"open_pairs", proof.open_pairs},
            {"boxes", proof.boxes}, {"theorems", Json::array()}};
  for (const core::Theorem& theorem : proof.theorems) {
    Json one{{"promise", theorem.promise},
             {"statement", theorem.statement},
             {"holds", theorem.holds()},
             {"breaches", Json::array()}};
    for (const core::Breach& breach : theorem.breaches) one["breaches"].push_back(to_json(breach));
    json["theorems"].push_back(std::move(one));
  }
  return json;
}

const core::KernelWriter* writer_of(const core::LiveDifference& difference,
                                    const std::vector<core::TableWriter>& writers) {
  if (difference.layer != "nftables") return nullptr;
  const auto found = std::ranges::find(writers, table_of(difference.what), &core::TableWriter::table);
  return found == writers.end() || found->by.pid == 0 ? nullptr : &found->by;
}

Json to_json(const core::LiveDifference& difference, const std::vector<core::TableWriter>& writers) {
  Json json{{"layer", difference.layer},   {"what", difference.what}, {"opens", difference.opens},
            {"closes", difference.closes}, {"says", difference.says}, {"ours", difference.ours},
            {"packet", nullptr},           {"pid", nullptr},          {"program", nullptr}};
  if (difference.packet) json["packet"] = packet_view(*difference.packet);
  if (const auto* writer = writer_of(difference, writers)) json["pid"] = writer->pid, json["program"] = writer->program;
  return json;
}

std::vector<std::string> live_findings(const core::LiveVerdict& verdict) {
  std::vector<std::string> out;
  if (!verdict.proof) out.push_back("what is installed is not proved: " + verdict.not_proved);
  for (const auto& difference : verdict.differences) out.push_back(core::to_sentence(difference));
  if (verdict.proof)
    for (const std::string& breach : core::breaches_of(*verdict.proof)) out.push_back(breach);
  return out;
}

std::string without_handles(std::string sentence) {
  constexpr std::string_view kMark = " (handle ";
  for (auto at = sentence.find(kMark); at != std::string::npos; at = sentence.find(kMark, at))
    sentence.erase(at, std::min(sentence.find(')', at), sentence.size() - 1) - at + 1);
  return sentence;
}

LiveNews news_of(const core::LiveVerdict* before, const core::LiveVerdict& after) {
  LiveNews news;
  std::set<std::string> known, now, told;
  if (before != nullptr)
    for (const auto& each : live_findings(*before)) known.insert(without_handles(each));
  for (const auto& each : live_findings(after)) now.insert(without_handles(each));
  for (const auto& difference : after.differences) {
    const auto sentence = without_handles(core::to_sentence(difference));
    told.insert(sentence);
    if (!known.contains(sentence)) news.differences.push_back(&difference);
  }
  for (const auto& each : now)
    if (!told.contains(each) && !known.contains(each)) news.breaches.push_back(each);
  if (before == nullptr || after.nothing_read() || after.left_out > 0) return news;  // it may be among what is left out
  std::set<std::string> of_the_proof;  // and without one these are still open
  if (!after.proof && before->proof)
    for (const auto& each : core::breaches_of(*before->proof)) of_the_proof.insert(without_handles(each));
  for (const auto& each : known)
    if (!now.contains(each) && !of_the_proof.contains(each)) news.restored.push_back(each);
  return news;
}

Json live_view(const LiveReport& report, const audit::RecordTime& now) {
  Json json{{"checked", nullptr}, {"ok", nullptr}, {"differences", Json::array()}};
  if (!report.not_read.empty()) json["error"] = report.not_read;
  if (!report.done || !report.at) return json;
  const auto ago = now.boot - *report.at;
  json["checked"] = audit::to_rfc3339(now.wall - ago, now.offset_minutes);
  json["seconds_ago"] = std::chrono::duration_cast<std::chrono::seconds>(ago).count();
  json["took_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(report.done->took).count();
  json["generation"] = report.done->generation;
  json["ok"] = report.done->verdict.good() && report.not_read.empty();
  if (!report.done->verdict.proof) json["not_proved"] = report.done->verdict.not_proved;
  for (const auto& each : report.done->verdict.differences)
    json["differences"].push_back(to_json(each, report.done->writers));
  json["notes"] = report.done->verdict.notes;
  return json;
}

std::vector<std::string> live_warnings(const LiveReport& report) {
  std::vector<std::string> out;
  if (!report.not_read.empty()) out.push_back("what is installed could not be checked: " + report.not_read);
  if (!report.done) return out;
  auto findings = live_findings(report.done->verdict);
  const std::size_t all = findings.size();
  if (all > kMostWarnings) findings.resize(kMostWarnings);
  for (std::string& each : findings) out.push_back("installed differs: " + each);
  if (all > kMostWarnings) out.push_back("and " + std::to_string(all - kMostWarnings) + " more: sekisho verify --live");
  return out;
}

}  // namespace gateway::daemon
