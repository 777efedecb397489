// The one writer: numbering over restarts, a torn last line, a full disk; what accessd keeps beside the records.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gateway/daemon/accessd_recorder.h"
#include "gateway/daemon/last_good.h"
#include "gateway/os/clock.h"
#include "gateway/os/record_files.h"
#include "tests/gateway/refused_call.h"

using namespace gateway;
using os::RecordFiles;
namespace fs = std::filesystem;

namespace {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/acd-records-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  [[nodiscard]] std::string newest() const {
    std::string found;
    for (const auto& each : fs::directory_iterator(path + "/records"))
      if (each.path().extension() == ".jsonl") found = std::max(found, each.path().string());  // not the reserve
    return found;
  }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(newest()).rdbuf();
    return out.str();
  }
};

// No file of this process may grow beyond `octets`: what a full disk looks like to a writer.
struct FullDisk {
  rlimit before{};
  explicit FullDisk(rlim_t octets) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{octets, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before); }
};

}  // namespace

TEST_CASE("records: numbered on over a restart, readable by the owner alone") {
  Folder folder;
  for (int run = 0; run < 2; ++run) {
    auto files = RecordFiles::open(folder.path);
    REQUIRE(files);
    REQUIRE(files->append({"start", {}}, RecordFiles::Weight::kDurable));
    REQUIRE(files->append({"stop", {}}, RecordFiles::Weight::kBatched));
    CHECK(files->last_sequence() == static_cast<std::uint64_t>(2 * run + 2));
  }
  struct stat facts{};
  REQUIRE(stat(folder.newest().c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(audit::read_tail(folder.text()).last_sequence == 4);
}

TEST_CASE("records: a torn last line is cut off at start, its number is used again") {
  Folder folder;
  {
    auto files = RecordFiles::open(folder.path);
    REQUIRE(files->append({"start", {}}, RecordFiles::Weight::kDurable));
  }
  std::ofstream(folder.newest(), std::ios::app) << "{\"version\":1,\"sequence\":2,\"ti";
  auto files = RecordFiles::open(folder.path);
  REQUIRE(files);
  CHECK(files->repaired_octets() == 29);
  CHECK(files->last_sequence() == 1);
  REQUIRE(files->append({"stop", {}}, RecordFiles::Weight::kDurable));
  CHECK_FALSE(audit::read_tail(folder.text()).torn);
  CHECK(audit::read_tail(folder.text()).last_sequence == 2);
}

TEST_CASE("records: a number never comes twice, whichever file holds the last") {
  Folder folder;
  fs::create_directories(folder.path + "/records");
  const auto put = [&](const std::string& date, const std::string& text) {
    std::ofstream(folder.path + "/records/" + date + ".jsonl") << text;
  };
  put("2001-01-01", "{\"sequence\": 7}\n{\"seq");  // the clock was set back, then the power failed
  put("2002-01-01", "{\"sequence\": 3}\n" + std::string(100'000, 'x'));  // torn, longer than the first look back
  put("2003-01-01", "");                                                 // a crash just after midnight
  auto files = RecordFiles::open(folder.path);
  REQUIRE(files.has_value());
  CHECK(files->last_sequence() == 7);
  CHECK(files->repaired_octets() == 5 + 100'000);
}

TEST_CASE("records: a full disk is an error and leaves no half line; afterwards it goes on") {
  Folder folder;
  daemon::Recorder recorder(folder.path);
  const auto now = os::boot_now();
  using Weight = daemon::Recorder::Weight;
  REQUIRE(recorder.write({"start", {}}, Weight::kDurable, now));
  const auto size = fs::file_size(folder.newest());
  {
    FullDisk full(size + 20);
    CHECK_FALSE(recorder.write({"config.applying", {}}, Weight::kDurable, now));
    CHECK(recorder.failing());
  }
  CHECK(fs::file_size(folder.newest()) == size);
  REQUIRE(recorder.write({"config.applying", {}}, Weight::kDurable, now));
  CHECK_FALSE(recorder.failing());
  CHECK(folder.text().find("records.lost") != std::string::npos);
  CHECK(audit::read_tail(folder.text()).last_sequence == 3);
}

// P7: what is not known to be on disk counts as not written, and nothing may follow from it.
TEST_CASE("records: a disk that does not confirm is an error, also the next time, until it does") {
  Folder folder;
  auto files = RecordFiles::open(folder.path, 0);
  REQUIRE(files);
  bool durable = true, batched = false, synced = true, again = true;
  tests::with_refused({SCMP_SYS(fdatasync), EIO}, [&] {
    durable = files->append({"config.applying", {}}, RecordFiles::Weight::kDurable).has_value();
    batched = files->append({"flow.begin", {}}, RecordFiles::Weight::kBatched).has_value();
    synced = files->sync().has_value();
    again = files->append({"config.applying", {}}, RecordFiles::Weight::kDurable).has_value();
  });
  CHECK_FALSE(durable);
  CHECK(batched);  // promises nothing yet
  CHECK_FALSE(synced);
  CHECK_FALSE(again);
  CHECK(files->append({"config.applying", {}}, RecordFiles::Weight::kDurable));
  CHECK_FALSE(files->unsynced());
}

TEST_CASE("records: flows are synced within the batch time") {
  Folder folder;
  daemon::Recorder recorder(folder.path);
  const auto now = os::boot_now();
  REQUIRE(recorder.write({"flow.begin", {}}, daemon::Recorder::Weight::kBatched, now));
  REQUIRE(recorder.next_deadline());
  CHECK(*recorder.next_deadline() <= now + std::chrono::milliseconds(100));
  recorder.on_deadline(now + std::chrono::milliseconds(100));
  CHECK_FALSE(recorder.next_deadline());
}

TEST_CASE("last good: kept and read back; damage and absence give nothing") {
  Folder folder;
  CHECK_FALSE(daemon::read_last_good(folder.path));
  daemon::LastGood kept;
  kept.generation = {7};
  kept.plan.gateway_name = "dc1";
  kept.keys = {{"keys/gateway.key", core::KeySource::Kind::kWireguardPrivate, "/etc/sekisho/keys/gateway.key"}};
  REQUIRE(daemon::keep_last_good(folder.path, kept));
  const auto read = daemon::read_last_good(folder.path);
  REQUIRE(read);
  CHECK(read->plan == kept.plan);
  CHECK(read->generation == kept.generation);
  CHECK(read->keys[0].path == kept.keys[0].path);
  const auto path = folder.path + "/last-good/plan.bin";
  for (std::uintmax_t at = 0; at < fs::file_size(path); ++at) {
    REQUIRE(daemon::keep_last_good(folder.path, kept));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char octet = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(octet);
    file.close();
    CHECK_FALSE(daemon::read_last_good(folder.path));
  }
}

TEST_CASE("timestamp floor: survives, and is 0 when nothing was kept (S18)") {
  Folder folder;
  CHECK(daemon::read_timestamp_floor(folder.path).value() == 0);
  REQUIRE(daemon::keep_timestamp_floor(folder.path, 4'611'686'020'217'387'914));
  CHECK(daemon::read_timestamp_floor(folder.path).value() == 4'611'686'020'217'387'914);
}

TEST_CASE("timestamp floor: a damaged file is an error that says what peers will do, never a silent 0 (S18)") {
  Folder folder;
  const std::string good = "4611686020217387914\n";
  const auto read = [&](const std::string& text) {
    std::ofstream(folder.path + "/timestamp-floor", std::ios::binary) << text;
    return daemon::read_timestamp_floor(folder.path);
  };
  REQUIRE(read(good));
  for (const auto& text : {std::string(), std::string("\n"), good.substr(0, good.size() - 1), good + "\n", " " + good,
                           "x" + good, std::string("0\n"), std::string("2\n"), std::string("99999999999999999999\n"),
                           std::string("4611686018427387914\n"), std::string("9223372036854775807\n"),
                           good.substr(0, 10) + "\n", std::string(64, '\0'), std::string(1000, '4')}) {
    INFO(text);
    const auto damaged = read(text);
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().to_string().find("does not answer our calls") != std::string::npos);
  }
}
