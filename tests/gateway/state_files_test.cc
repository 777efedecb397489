// Whoever can write in a state folder makes us neither read nor write elsewhere: no symbolic link is followed.
#include "gateway/os/state_files.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gateway/os/record_files.h"

using namespace gateway;
namespace fs = std::filesystem;

namespace {

// A folder of the state, and a file beside it that is none of our business.
struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/sekisho-state-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
    std::ofstream(elsewhere()) << kText;
  }
  ~Folder() {
    fs::remove_all(path);
    fs::remove(elsewhere());
  }
  [[nodiscard]] std::string elsewhere() const { return path + ".elsewhere"; }
  void lead_away(const std::string& name) const { fs::create_symlink(elsewhere(), path + "/" + name); }
  [[nodiscard]] bool untouched() const {
    std::ifstream in(elsewhere());
    return std::string{std::istreambuf_iterator<char>(in), {}} == kText;
  }
  static constexpr const char* kText = "{\"sequence\": 7}\n{\"half a line";
};

constexpr std::uint8_t kOctets[] = {1, 2, 3};

}  // namespace

TEST_CASE("state files: what was written is read; what is too large or no file is not") {
  const Folder folder;
  const auto path = folder.path + "/fresh/file";
  REQUIRE(os::read_state_file(path, 3).has_value());
  CHECK_FALSE(os::read_state_file(path, 3)->has_value());
  REQUIRE(os::replace_state_file(path, kOctets));
  CHECK(**os::read_state_file(path, 3) == std::vector<std::uint8_t>(std::begin(kOctets), std::end(kOctets)));
  CHECK_FALSE(os::read_state_file(path, 2));
  CHECK_FALSE(os::read_state_file(folder.path + "/fresh", 1 << 20));
  CHECK_FALSE(os::read_state_file("/dev/null", 1 << 20));
}

TEST_CASE("state files: a symbolic link is not read") {
  const Folder folder;
  folder.lead_away("file");
  CHECK_FALSE(os::read_state_file(folder.path + "/file", 1000));
}

TEST_CASE("state files: a symbolic link where the new file is to stand is not written through") {
  const Folder folder;
  folder.lead_away("file.new");
  CHECK_FALSE(os::replace_state_file(folder.path + "/file", kOctets));
  CHECK(folder.untouched());
  CHECK_FALSE(fs::exists(folder.path + "/file"));
}

TEST_CASE("state files: a new file takes nobody's place, nor that of a link that leads nowhere") {
  const Folder folder;
  fs::create_symlink(folder.path + "/nowhere", folder.path + "/dangling");
  std::ofstream(folder.path + "/there") << "before";
  CHECK_FALSE(os::create_file(folder.path + "/dangling", "text", 0600));
  CHECK_FALSE(fs::exists(folder.path + "/nowhere"));
  CHECK_FALSE(os::create_file(folder.path + "/there", "text", 0600));
  CHECK(fs::file_size(folder.path + "/there") == 6);
}

TEST_CASE("state files: one gateway holds a folder, by a lock that is no link") {
  const Folder folder;
  {
    const auto held = os::lock_folder(folder.path);
    REQUIRE(held);
    CHECK_FALSE(os::lock_folder(folder.path));
  }
  fs::remove(folder.path + "/lock");
  folder.lead_away("lock");
  CHECK_FALSE(os::lock_folder(folder.path));
}

TEST_CASE("records: a symbolic link in the place of a record file is neither repaired nor written") {
  const Folder folder;
  fs::create_directories(folder.path + "/records");
  SECTION("there at the start: its torn line is not cut") {
    folder.lead_away("records/2001-01-01.jsonl");
    CHECK_FALSE(os::RecordFiles::open(folder.path, 0));
  }
  SECTION("put there afterwards, with today's name") {
    auto files = os::RecordFiles::open(folder.path, 0);
    REQUIRE(files);
    const auto now = os::record_time();
    folder.lead_away("records/" + audit::to_date(now.wall, now.offset_minutes) + ".jsonl");
    CHECK_FALSE(files->append({"start", {}}, os::RecordFiles::Weight::kDurable));
  }
  SECTION("as the reserve") {
    folder.lead_away("records/reserve");
    auto files = os::RecordFiles::open(folder.path, 64 << 10);
    REQUIRE(files);
    CHECK(files->look_at_space().reserve == 0);
  }
  CHECK(folder.untouched());
}

TEST_CASE("files that are turned over: the path names one of the two, the old one is kept, a crash is completed") {
  const Folder folder;
  const auto path = folder.path + "/key", next = path + ".next", kept = path + ".previous";
  const auto put = [](const std::string& name, const std::string& text) { std::ofstream(name) << text; };
  const auto text = [](const std::string& name) {
    std::ifstream in(name);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  put(next, "one");
  REQUIRE(os::turn_over(next, path, kept));  // nothing was there
  CHECK(text(path) == "one");
  CHECK_FALSE(fs::exists(kept));
  put(next, "two");
  REQUIRE(os::turn_over(next, path, kept));
  put(next, "three");
  REQUIRE(os::turn_over(next, path, kept));
  CHECK(text(path) == "three");
  CHECK(text(kept) == "two");
  CHECK_FALSE(fs::exists(next));
  put(next, "four");
  fs::remove(kept);
  fs::create_hard_link(path, kept);  // as a crash after the first step leaves it
  put(kept + ".new", "rubbish");
  REQUIRE(os::turn_over(next, path, kept));
  CHECK(text(path) == "four");
  CHECK(text(kept) == "three");
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 2);
  CHECK_FALSE(os::turn_over(next, path, kept));  // there is none: what is kept stays
  CHECK(text(path) == "four");
  CHECK(text(kept) == "three");
  REQUIRE(os::exchange_files(kept, path));
  CHECK(text(path) == "three");
  CHECK(text(kept) == "four");
  CHECK_FALSE(os::exchange_files(next, path));
  CHECK(text(path) == "three");
}
