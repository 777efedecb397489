// A change and its files, killed at each write, fsync and rename, then started again under each clock: what runs is the
// old plan or the confirmed new one (or, in its time and under its boot, the one that is tried), never a mixture and
// never a third.
#include "gateway/daemon/changes.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "gateway/daemon/last_good.h"

using namespace gateway;
using namespace gateway::daemon;
namespace fs = std::filesystem;
using config::value::Generation;
using config::value::Instant;
using config::value::WallTime;
using std::chrono::seconds;

namespace {

// Of a forked child: it ends at the `left`th call. 0: never. The parent's are never touched.
struct Fault {
  int left = 0;
  int calls = 0;
  bool half = false;         // a write that is cut
  std::set<int> not_synced;  // descriptors
};
Fault fault;
constexpr int kKilled = 77, kNotSynced = 99;

bool ends_here() {
  ++fault.calls;
  return fault.left > 0 && --fault.left == 0;
}

}  // namespace

// In the place of the C library's, for what is linked into this program.
extern "C" ssize_t write(int file, const void* data, size_t size) {
  if (fault.left > 0 && file > 2) {
    fault.not_synced.insert(file);
    if (ends_here()) {
      if (fault.half) (void)syscall(SYS_write, file, data, size / 2);
      _exit(kKilled);
    }
  }
  return syscall(SYS_write, file, data, size);
}
extern "C" int fsync(int file) {
  if (fault.left > 0) {
    if (ends_here()) _exit(kKilled);
    fault.not_synced.erase(file);
  }
  return static_cast<int>(syscall(SYS_fsync, file));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  if (fault.left > 0) {
    if (!fault.not_synced.empty()) _exit(kNotSynced);  // a power cut would leave a name without its content
    if (ends_here()) _exit(kKilled);
  }
  return static_cast<int>(syscall(SYS_rename, from, to));
}
extern "C" int unlink(const char* path) noexcept {
  if (fault.left > 0 && ends_here()) _exit(kKilled);
  return static_cast<int>(syscall(SYS_unlink, path));
}

namespace {

core::Candidate candidate(const std::string& name) {
  core::Candidate made;
  made.plan.gateway_name = name;
  made.keys = {{"keys/gateway.key", core::KeySource::Kind::kWireguardPrivate, "/etc/sekisho/keys/gateway.key"}};
  made.sources = std::make_shared<const std::vector<config::SourceFile>>(
      std::vector<config::SourceFile>{{"/etc/sekisho/sekisho.json", "{ \"of\": \"" + name + "\" }"}});
  return made;
}

const WallTime kWall{seconds(1'700'000'000)};

// A gateway whose processes always do what they are told: the steps of accessd, in its order.
struct Gateway {
  std::string folder, disk;
  Instant now;
  Changes changes;
  std::uint64_t generation;
  std::string runs;  // name of the plan; empty: closed

  Gateway(std::string state, std::string on_disk, const std::string& boot, Instant at)
      : folder(std::move(state)), disk(std::move(on_disk)), now(at), changes(folder, boot) {
    changes.history().note(read_last_generation(folder));
    generation = changes.history().highest().number;
    if (changes.end_at_start(now, kWall)) (void)changes.save();
    auto choice = changes.choose_start(candidate(disk));
    if (choice.closed) return;
    const auto name = choice.kept ? choice.kept->plan.gateway_name : disk;
    apply(name, choice.kept ? core::ChangeReason::kKept : core::ChangeReason::kStart, 0);
  }
  bool apply(const std::string& name, core::ChangeReason reason, std::uint64_t id, const std::string& canary = "") {
    const auto made = candidate(name);
    core::ChangeRecord record;
    record.generation = {++generation};
    record.request = {id, reason, "uid 0 (root), pid 1", "why", false, canary};
    record.digest_after = core::digest(made.plan);
    std::optional<os::OsError> error;
    if (!changes.on_applying(record, {std::make_shared<const policy::Plan>(made.plan), made.keys, made.sources}, kWall,
                             error)) {
      record.step = core::ChangeRecord::Step::kFailed;
      if (changes.on_failed(record, kWall)) (void)changes.save();
      return false;
    }
    runs = name;
    record.step = core::ChangeRecord::Step::kApplied;
    if (changes.on_applied(record, now, kWall)) (void)changes.save();
    keep_good(name);
    return true;
  }
  void keep_good(const std::string& name) {
    if (changes.history().trial()) {
      changes.history().note({generation});
      (void)changes.save();
      return;
    }
    const auto made = candidate(name);
    (void)changes.keep_good(
        {{generation}, std::make_shared<const policy::Plan>(made.plan), made.keys, core::digest(made.plan)});
  }
  bool ask(std::uint64_t id) {
    Changes::Wish wish;
    wish.id = id;
    wish.time = seconds(600);
    changes.wish() = wish;
    changes.history().ask("uid 0");
    return changes.save().has_value();
  }
  bool try_out(const std::string& name, std::uint64_t id = 9, const std::string& canary = "") {
    if (!ask(id)) return false;
    disk = canary.empty() ? name : "new";
    return apply(name, core::ChangeReason::kRequest, id, canary);
  }
  bool confirm() {
    if (!changes.history().confirm("uid 0", now, kWall) || !changes.save()) return false;
    keep_good(runs);
    return true;
  }
  bool roll_back(Generation to, const std::string& by = "timer") {
    const auto kept = changes.plan_of(to);
    if (!kept) return false;
    changes.history().roll_back(to, by, "", kWall);
    (void)changes.save();
    return apply(kept->plan.gateway_name, core::ChangeReason::kRollback, 0);
  }
};

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/sekisho-changes-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }
};

const Instant kStart{seconds(1000)};

// What the killed child had told its person before it died.
struct Told {
  bool asked, begun, confirmed, rolled_back;
};

enum class Word { kNone, kConfirm, kRollBack };

void script(const std::string& folder, Word word, Told& told) {
  Gateway gateway(folder, "old", "boot-1", kStart);
  if (!gateway.ask(9)) return;
  told.asked = true;
  if (!gateway.try_out("new")) return;
  told.begun = true;
  gateway.now += seconds(60);
  if (word == Word::kConfirm) told.confirmed = gateway.confirm();
  if (word == Word::kRollBack) told.rolled_back = gateway.roll_back(gateway.changes.history().confirmed());
}

// True: it came to the end without being killed.
bool run_and_kill(const std::string& folder, Word word, int at, bool half, Told& told) {
  auto* shared =
      static_cast<Told*>(mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(shared != MAP_FAILED);
  const pid_t child = fork();
  if (child == 0) {
    fault = {at, 0, half, {}};
    script(folder, word, *shared);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  told = *shared;
  munmap(shared, sizeof(Told));
  REQUIRE(WIFEXITED(status));
  REQUIRE((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kKilled));
  return WEXITSTATUS(status) == 0;
}

struct Restart {
  const char* name;
  const char* boot;
  Instant now;
  bool in_time;  // a trial may go on
};
const Restart kRestarts[] = {{"at once", "boot-1", kStart + seconds(61), true},
                             {"late", "boot-1", kStart + seconds(700), false},
                             {"rebooted", "boot-2", Instant(seconds(5)), false},
                             {"rebooted, its clock far ahead", "boot-2", kStart + seconds(1'000'000), false},
                             {"boot unknown", "", kStart + seconds(61), false}};

void check_start(const std::string& folder, const Restart& restart, Word word, const Told& told) {
  // The files on disk are the new ones from the moment somebody asks, whatever becomes of the change.
  Gateway gateway(folder, told.asked ? "new" : "old", restart.boot, restart.now);
  const auto& history = gateway.changes.history();
  CAPTURE(gateway.runs, gateway.changes.damage());
  CHECK(gateway.changes.damage().empty());  // a kill damages nothing
  REQUIRE((gateway.runs == "old" || gateway.runs == "new"));
  if (word != Word::kConfirm && !history.trial()) CHECK(gateway.runs == "old");
  if (told.confirmed) CHECK(gateway.runs == "new");
  if (told.rolled_back) CHECK(gateway.runs == "old");
  if (gateway.runs == "old") CHECK_FALSE(history.trial());
  if (history.trial()) CHECK((restart.in_time && gateway.runs == "new" && history.waits()));
  // What runs is what the history says, and a second start says the same.
  const auto* confirmed = history.confirmed_entry();
  REQUIRE(confirmed != nullptr);
  if (!history.trial()) CHECK(confirmed->digest == core::digest(candidate(gateway.runs).plan));
  Gateway again(folder, gateway.disk, restart.boot, restart.now + seconds(1));
  CHECK(again.runs == gateway.runs);
  if (!again.changes.history().trial() || word != Word::kNone) return;
  // Nobody says a word: the timer takes it back, and that is what every later start runs.
  again.now = restart.now + seconds(3600);
  REQUIRE(again.changes.history().overdue(again.now));
  REQUIRE(again.roll_back(again.changes.history().trial()->base));
  CHECK(again.runs == "old");
  CHECK(Gateway(folder, "new", restart.boot, again.now).runs == "old");
}

}  // namespace

TEST_CASE("changes: killed at each write, fsync and rename, a start finds the old plan or the confirmed new one") {
  for (const auto word : {Word::kNone, Word::kConfirm, Word::kRollBack})
    for (const auto& restart : kRestarts)
      for (const bool half : {false, true}) {
        int kills = 0;
        for (bool ended = false; !ended; ++kills) {
          const Folder folder;
          // The first start is whole: a gateway that never ran has nothing to go back to.
          {
            Gateway first(folder.path, "old", "boot-1", kStart);
          }
          Told told{};
          ended = run_and_kill(folder.path, word, kills + 1, half, told);
          CAPTURE(static_cast<int>(word), restart.name, half, kills, told.asked, told.begun, told.confirmed,
                  told.rolled_back);
          check_start(folder.path, restart, word, told);
          REQUIRE(kills < 1000);
        }
        CHECK(kills > 10);  // there were boundaries to be killed at
      }
}

TEST_CASE("changes: an end without a kill: confirmed stays, not confirmed goes, under every clock") {
  for (const auto& restart : kRestarts) {
    CAPTURE(restart.name);
    const Folder confirmed, silent;
    Told told{};
    script(confirmed.path, Word::kConfirm, told);
    CHECK(told.confirmed);
    CHECK(Gateway(confirmed.path, "new", restart.boot, restart.now).runs == "new");
    script(silent.path, Word::kNone, told);
    CHECK(Gateway(silent.path, "new", restart.boot, restart.now).runs == (restart.in_time ? "new" : "old"));
  }
}

TEST_CASE("changes: what was rolled back is not started again, until somebody applies") {
  const Folder folder;
  Gateway gateway(folder.path, "old", "boot-1", kStart);
  REQUIRE(gateway.try_out("new"));
  REQUIRE(gateway.roll_back({1}));
  CHECK(Gateway(folder.path, "new", "boot-2", Instant()).runs == "old");
  CHECK(Gateway(folder.path, "new and more", "boot-2", Instant()).runs == "old");
  CHECK_FALSE(gateway.changes.brought_again(candidate("old").plan, candidate("new").plan).empty());
  // Also while the rollback is not done yet, and what runs is the change itself.
  CHECK_FALSE(gateway.changes.brought_again(candidate("new").plan, candidate("new").plan).empty());
  CHECK(gateway.changes.brought_again(candidate("old").plan, candidate("old").plan).empty());
  REQUIRE(gateway.apply("new", core::ChangeReason::kRequest, 10));
  CHECK(gateway.changes.brought_again(candidate("old").plan, candidate("new").plan).empty());
  CHECK(Gateway(folder.path, "new and more", "boot-2", Instant()).runs == "new and more");
}

TEST_CASE("changes: a canary is a trial under each clock, and confirmed it runs alone until somebody applies") {
  for (const auto& restart : kRestarts) {
    CAPTURE(restart.name);
    const Folder silent, confirmed;
    REQUIRE(Gateway(silent.path, "old", "boot-1", kStart).try_out("old with alpha", 9, "alpha"));
    CHECK(Gateway(silent.path, "new", restart.boot, restart.now).runs == (restart.in_time ? "old with alpha" : "old"));
    Gateway gateway(confirmed.path, "old", "boot-1", kStart);
    REQUIRE(gateway.try_out("old with alpha", 9, "alpha"));
    REQUIRE(gateway.confirm());
    const Gateway again(confirmed.path, "new", restart.boot, restart.now);
    CHECK(again.runs == "old with alpha");
    CHECK(again.changes.canary_alone() == "generation 2 is a canary of alpha");
    CHECK(again.changes.held_back().empty());
    // Nothing was taken back, so the whole may be applied without a further word.
    CHECK(again.changes.brought_again(candidate("old with alpha").plan, candidate("new").plan).empty());
  }
}

TEST_CASE("changes: after a canary the whole is applied, and starts run the files on disk again") {
  const Folder folder;
  Gateway gateway(folder.path, "old", "boot-1", kStart);
  REQUIRE(gateway.try_out("old with alpha", 9, "alpha"));
  REQUIRE(gateway.confirm());
  REQUIRE(gateway.apply("new", core::ChangeReason::kRequest, 10));
  CHECK(gateway.changes.canary_alone().empty());
  CHECK(Gateway(folder.path, "new and more", "boot-2", Instant()).runs == "new and more");
}

TEST_CASE("changes: a canary does not let in what was rolled back before it") {
  const Folder folder;
  Gateway gateway(folder.path, "old", "boot-1", kStart);
  const auto again = [&] { return gateway.changes.brought_again(candidate("old").plan, candidate("new").plan); };
  REQUIRE(gateway.try_out("new"));
  REQUIRE(gateway.roll_back({1}));
  REQUIRE_FALSE(again().empty());
  REQUIRE(gateway.try_out("old with alpha", 10, "alpha"));
  REQUIRE(gateway.roll_back({1}));
  CHECK_FALSE(again().empty());
  REQUIRE(gateway.try_out("old with alpha", 11, "alpha"));
  REQUIRE(gateway.confirm());
  CHECK_FALSE(again().empty());
  CHECK(Gateway(folder.path, "new", "boot-1", kStart).runs == "old with alpha");
}

TEST_CASE("changes: back to a generation and its files") {
  const Folder folder;
  Gateway gateway(folder.path, "one", "boot-1", kStart);
  REQUIRE(gateway.apply("two", core::ChangeReason::kRequest, 1));
  REQUIRE(gateway.apply("three", core::ChangeReason::kRequest, 2));
  const auto kept = gateway.changes.plan_of({2});
  REQUIRE(kept);
  CHECK(kept->plan.gateway_name == "two");
  CHECK(kept->files.at(0).text == "{ \"of\": \"two\" }");
  REQUIRE(gateway.roll_back(*gateway.changes.history().target(1)));
  CHECK(gateway.runs == "one");
  CHECK(Gateway(folder.path, "three", "boot-1", kStart).runs == "one");
}

TEST_CASE("changes: damage is named and never fatal; the last good plan runs") {
  const Folder folder;
  const auto ruin = [&](const std::string& name, std::size_t at) {
    std::fstream file(folder.path + "/history/" + name, std::ios::in | std::ios::out | std::ios::binary);
    REQUIRE(file);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('\x5a');
  };
  {
    Gateway gateway(folder.path, "old", "boot-1", kStart);
    REQUIRE(gateway.try_out("new"));
  }
  SECTION("the history, while a change waits: what nobody confirmed does not run") {
    ruin("changes", 40);
    Gateway gateway(folder.path, "new", "boot-1", kStart);
    CHECK(gateway.changes.damage().find("is damaged") != std::string::npos);
    CHECK(gateway.runs == "old");
    REQUIRE(gateway.apply("new", core::ChangeReason::kRequest, 1));
    CHECK(gateway.changes.damage().empty());
    CHECK(fs::exists(folder.path + "/history/changes.damaged"));
    CHECK(Gateway(folder.path, "new", "boot-1", kStart).changes.damage().empty());
  }
  SECTION("the plan that is tried: it is rolled back") {
    ruin("2.plan", 60);
    Gateway gateway(folder.path, "new", "boot-1", kStart);
    CHECK(gateway.runs == "old");
    CHECK(gateway.changes.history().entry({2})->why.find("is damaged") != std::string::npos);
  }
  SECTION("the plan that comes back is gone: the last good one is the same file") {
    CHECK(fs::hard_link_count(folder.path + "/last-good/plan.bin") == 2);
    fs::remove(folder.path + "/history/1.plan");
    CHECK(Gateway(folder.path, "new", "boot-2", kStart).runs == "old");
  }
  SECTION("the plan that comes back is damaged, and so the last good one: closed, not what was rolled back") {
    ruin("1.plan", 60);
    CHECK(Gateway(folder.path, "new", "boot-2", kStart).runs.empty());
  }
  SECTION("everything that could come back: closed, not what was rolled back") {
    fs::remove(folder.path + "/history/1.plan");
    fs::remove_all(folder.path + "/last-good");
    CHECK(Gateway(folder.path, "new", "boot-2", kStart).runs.empty());
  }
  SECTION("an empty file and one that is too short are damage") {
    for (const std::uintmax_t size : {0u, 31u, 33u}) {
      fs::resize_file(folder.path + "/history/changes", size);
      CHECK(Gateway(folder.path, "new", "boot-1", kStart).runs == "old");
    }
  }
}

TEST_CASE("changes: the last good plan is what nobody has to confirm, and is written once") {
  const Folder folder;
  Gateway gateway(folder.path, "one", "boot-1", kStart);
  const auto good = [&] { return gateway.changes.good_plan()->plan.gateway_name; };
  const auto written = [&](const std::string& name) { return fs::hard_link_count(folder.path + "/history/" + name); };
  CHECK((good() == "one" && written("1.plan") == 2));
  REQUIRE(gateway.apply("two", core::ChangeReason::kRequest, 1));
  CHECK((good() == "two" && written("1.plan") == 1 && written("2.plan") == 2));
  // Only the generation is new: an isolation, or the same files again.
  REQUIRE(gateway.apply("two", core::ChangeReason::kRequest, 2));
  CHECK((good() == "two" && written("2.plan") == 2));
  CHECK(Changes(folder.path, "boot-1").history().highest() == Generation{3});
  // Taken back: no more, also when the process ends before the next one is kept.
  gateway.changes.history().roll_back({1}, "uid 0", "", kWall);
  REQUIRE(gateway.changes.save());
  CHECK(Changes(folder.path, "boot-1").good_plan()->plan.gateway_name == "one");
  gateway.keep_good("one");
  CHECK((good() == "one" && written("1.plan") == 2));
  // A plan that the history has not (an end date has come) is written by itself.
  ++gateway.generation;
  gateway.keep_good("one, ended");
  CHECK((good() == "one, ended" && written("1.plan") == 1));
}

TEST_CASE("changes: a trial that cannot be kept is not begun") {
  const Folder folder;
  Gateway gateway(folder.path, "old", "boot-1", kStart);
  // A folder stands where its file would be written.
  fs::create_directories(folder.path + "/history/2.plan.new");
  CHECK_FALSE(gateway.try_out("new"));
  CHECK(gateway.runs == "old");
  CHECK_FALSE(gateway.changes.wish());
  CHECK_FALSE(gateway.changes.history().trial());
  CHECK(gateway.changes.history().asked_by().empty());
}

TEST_CASE("changes: plans beyond the bound are removed, the named ones stay") {
  const Folder folder;
  Gateway gateway(folder.path, "0", "boot-1", kStart);
  for (int i = 1; i < 40; ++i) REQUIRE(gateway.apply(std::to_string(i), core::ChangeReason::kRequest, 1));
  std::size_t plans = 0;
  for (const auto& each : fs::directory_iterator(folder.path + "/history")) plans += each.path().extension() == ".plan";
  CHECK(plans == core::ChangeHistory::kMostKept);
  CHECK(gateway.changes.plan_of({40}));
  CHECK_FALSE(gateway.changes.plan_of({1}));
}
