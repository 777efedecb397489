// Records when space is short: decisions stay durable out of the reserve, flows are summed exactly, nothing is silent,
// one facility does not take what belongs to the others. On a tmpfs of 2 MiB of its own.
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/audit/detail_limit.h"
#include "gateway/daemon/accessd_recorder.h"
#include "gateway/os/clock.h"

using namespace gateway;
using audit::DetailLimit;
using audit::Record;
using daemon::Recorder;
using nlohmann::ordered_json;
namespace fs = std::filesystem;
using Weight = Recorder::Weight;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kReserve = 256 << 10;

struct SmallDisk {
  std::string path;
  SmallDisk() {
    char name[] = "/tmp/rec-space-XXXXXX";
    path = mkdtemp(name);
    there = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=2m") == 0;
  }
  ~SmallDisk() {
    if (there) umount2(path.c_str(), MNT_DETACH);
    fs::remove_all(path);
  }
  bool there = false;

  // A stranger takes every octet that is left.
  void fill() const {
    std::ofstream out(path + "/stranger", std::ios::binary | std::ios::app);
    const std::string piece(4096, 'x');
    while (out.write(piece.data(), static_cast<std::streamsize>(piece.size())).flush()) {
    }
  }
  void make_free() const { fs::remove(path + "/stranger"); }
  [[nodiscard]] std::vector<ordered_json> records(const std::string& kind) const {
    std::vector<ordered_json> found;
    std::vector<fs::path> files;
    for (const auto& each : fs::directory_iterator(path + "/records"))
      if (each.path().extension() == ".jsonl") files.push_back(each.path());
    std::sort(files.begin(), files.end());
    std::uint64_t sequence = 0;
    for (const auto& file : files) {
      std::ifstream in(file);
      for (std::string line; std::getline(in, line);) {
        auto json = ordered_json::parse(line);
        CHECK(json["sequence"] == ++sequence);  // no gap, no half line, over all files
        if (json["kind"] == kind) found.push_back(std::move(json));
      }
    }
    return found;
  }
};

Record flow(const std::string& kind, const std::string& facility, std::uint64_t bytes = 0) {
  Record record{kind, {{"facility", facility}}};
  if (kind == "flow.end") record.fields["bytes_sent"] = bytes, record.fields["packets_sent"] = bytes / 100;
  return record;
}

// Limits that only the disk of 2 MiB can break, not the budget.
config::RecordLimits limits() {
  config::RecordLimits limits;
  limits.keep_free_mib = 1;
  return limits;
}

audit::RecordTime at(int second) {
  return {config::value::WallTime(seconds(1'700'000'000 + second)), config::value::Instant(seconds(second)), 540};
}

}  // namespace

TEST_CASE("detail limit: an hour's worth at once, then the mean; each facility its own; sums are exact") {
  DetailLimit limit(2);
  const config::value::Instant start(seconds(1000));
  std::uint64_t singly = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto record = flow("flow.end", "a", 100);
    if (limit.admit(record, start))
      ++singly;
    else
      limit.sum(record, DetailLimit::Cause::kRate, at(1));
  }
  CHECK(singly == 2 * 3600);
  CHECK(limit.admit(flow("flow.begin", "b"), start));  // untouched by what a does
  CHECK(limit.admit(Record{"tunnel.moved", {{"facility", "a"}}}, start));
  CHECK_FALSE(limit.admit(flow("flow.begin", "a"), start + std::chrono::milliseconds(499)));
  CHECK(limit.admit(flow("flow.begin", "a"), start + std::chrono::milliseconds(500)));
  REQUIRE(limit.pending().size() == 1);
  const auto summary = limit.summary(limit.pending()[0], at(60));
  CHECK(summary.kind == "flow.summary");
  CHECK(summary.fields["facility"] == "a");
  CHECK(summary.fields["not_written"]["flow.end"] == 10'000 - singly);
  CHECK(summary.fields["bytes_sent"] == 100 * (10'000 - singly));
  CHECK(summary.fields["because"] == ordered_json::array({"rate"}));
  limit.told(limit.pending()[0]);
  CHECK(limit.pending().empty());
}

TEST_CASE("detail limit: facilities without end share one allowance and stay bounded") {
  DetailLimit limit(1);
  const config::value::Instant now(seconds(5));
  std::size_t admitted = 0;
  for (std::size_t i = 0; i < DetailLimit::kMostKeys + 10'000; ++i)
    admitted += limit.admit(flow("flow.end", std::to_string(i)), now);
  CHECK(admitted == DetailLimit::kMostKeys + 3600);
}

TEST_CASE("records: a day goes on in a second file, in the order of names, also over a restart") {
  SmallDisk disk;
  REQUIRE(disk.there);
  for (int run = 0; run < 3; ++run) {
    auto files = os::RecordFiles::open(disk.path, kReserve);
    REQUIRE(files);
    files->set_most_in_file(600);
    for (int i = 0; i < 10; ++i) REQUIRE(files->append({"flow.begin", {{"facility", "a"}}}, Weight::kBatched));
  }
  CHECK(disk.records("flow.begin").size() == 30);
  std::size_t count = 0;
  for (const auto& each : fs::directory_iterator(disk.path + "/records"))
    if (each.path().extension() == ".jsonl") {
      ++count;
      CHECK(fs::file_size(each.path()) < 600 + 200);
    }
  CHECK(count >= 6);
}

TEST_CASE("records: on a full disk decisions stay durable, flows are summed, and it is told") {
  SmallDisk disk;
  REQUIRE(disk.there);
  auto now = os::boot_now();
  Recorder recorder(disk.path, kReserve);
  REQUIRE(recorder.write({"start", {}}, Weight::kDurable, now));
  recorder.set_limits(limits(), now);
  CHECK(recorder.room() != Recorder::Room::kNone);
  recorder.write_detail(flow("flow.begin", "a"), now);
  CHECK(disk.records("flow.begin").size() == 1);

  disk.fill();
  now += seconds(2);
  for (int i = 0; i < 1000; ++i) recorder.write_detail(flow("flow.end", i % 2 == 0 ? "a" : "b", 700), now);
  CHECK(recorder.room() == Recorder::Room::kNone);
  CHECK(disk.records("flow.end").empty());
  REQUIRE(disk.records("records.space").size() >= 1);  // that there is no room is itself on record, out of the reserve
  CHECK(disk.records("records.space").back()["room"] == "none");
  // What is no decision gets what is left of the step that was given back, then nothing more of the reserve.
  std::uint64_t refused = 0;
  for (int i = 0; i < 2000; ++i) refused += !recorder.write({"process.started", {}}, Weight::kBatched, now);
  CHECK(refused > 1000);
  CHECK(recorder.lost() == refused);
  int decisions = 0;
  for (; decisions < 100; ++decisions)
    REQUIRE(recorder.write({"config.applying", {{"difference", std::string(1000, 'd')}}}, Weight::kDurable, now));
  CHECK(disk.records("config.applying").size() == 100);
  CHECK(disk.records("records.lost").at(0)["count"] == refused);

  recorder.write_summaries(Weight::kBatched, now);  // the last step of the reserve may or may not hold them
  disk.make_free();
  now += seconds(2);
  recorder.look_at_space(now);
  CHECK(recorder.room() != Recorder::Room::kNone);
  CHECK(recorder.space().reserve == kReserve);  // filled up again
  recorder.write_summaries(Weight::kBatched, now);
  std::uint64_t ends = 0, bytes = 0;
  for (const auto& summary : disk.records("flow.summary")) {
    ends += summary["not_written"]["flow.end"].get<std::uint64_t>(),
        bytes += summary["bytes_sent"].get<std::uint64_t>();
    CHECK(summary["because"][0] == "space");
  }
  CHECK(ends == 1000);
  CHECK(bytes == 700'000);
  recorder.write_detail(flow("flow.end", "a", 1), now);
  CHECK(disk.records("flow.end").size() == 1);
}

TEST_CASE("records: a disk that fills up between two looks is seen with the first row it refuses") {
  SmallDisk disk;
  REQUIRE(disk.there);
  auto now = os::boot_now();
  Recorder recorder(disk.path, kReserve);
  recorder.set_limits(limits(), now);
  disk.fill();
  for (int i = 1; i <= 100; ++i) recorder.write_detail(flow("flow.end", "a", 1), now + std::chrono::milliseconds(i));
  CHECK(recorder.room() == Recorder::Room::kNone);
  CHECK(recorder.summed() + disk.records("flow.end").size() == 100);
  CHECK(disk.records("records.space").back()["room"] == "none");
}

TEST_CASE("records: without the reserve a decision on a full disk fails (the check can fail)") {
  SmallDisk disk;
  REQUIRE(disk.there);
  Recorder recorder(disk.path, 0);
  const auto now = os::boot_now();
  REQUIRE(recorder.write({"start", {}}, Weight::kDurable, now));
  disk.fill();
  bool all = true;
  for (int i = 0; i < 100; ++i)
    all = recorder.write({"config.applying", {{"difference", std::string(1000, 'd')}}}, Weight::kDurable, now) && all;
  CHECK_FALSE(all);
  CHECK(recorder.failing());
}

TEST_CASE("records: the budget of all files stops single flows before the disk does") {
  SmallDisk disk;
  REQUIRE(disk.there);
  auto now = os::boot_now();
  Recorder recorder(disk.path, kReserve);
  config::RecordLimits small = limits();
  small.budget_mib = 1, small.keep_free_mib = 0;
  recorder.set_limits(small, now);
  for (int i = 0; i < 8000; ++i) {
    now += std::chrono::milliseconds(20);
    recorder.write_detail(flow("flow.end", "a", 1), now);
  }
  CHECK(recorder.room() == Recorder::Room::kNone);
  recorder.write_summaries(Weight::kBatched, now);
  const auto written = disk.records("flow.end").size();
  CHECK(written < 8000);
  CHECK(disk.records("flow.summary").at(0)["not_written"]["flow.end"] == 8000 - written);
  recorder.look_at_space(now);
  CHECK(recorder.space().used < (std::uint64_t{11} << 20) / 10);
  CHECK(disk.records("records.space").size() >= 2);  // short, then none
}
