// The lines of the record files, read back from disk.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/audit/record_line.h"
#include "gateway/os/record_files.h"
#include "gateway/os/record_lines.h"

using gateway::os::RecordLines;
namespace fs = std::filesystem;

namespace {

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/acd-lines-XXXXXX";
    path = mkdtemp(name);
    fs::create_directory(path + "/records");
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/records/" + name) << text;
  }
};

std::vector<std::string> read_all(const Folder& folder, const std::string& date) {
  auto lines = RecordLines::open(folder.path, date);
  REQUIRE(lines);
  std::vector<std::string> out;
  while (const auto line = lines->next())
    out.push_back(*line->file + ":" + std::to_string(line->number) + " " +
                  (line->problem.empty() ? std::string(line->text.substr(0, 20)) : "! " + line->problem));
  return out;
}

}  // namespace

TEST_CASE("record lines: files in the order of time, from a day on, other files left alone") {
  const Folder folder;
  folder.write("2026-11-25_0002.jsonl", "c\n");
  folder.write("2026-11-24.jsonl", "a\n");
  folder.write("2026-11-25.jsonl", "b\n\nb3\n");
  folder.write("2026-11-26.jsonl", "d\n");
  folder.write("reserve", "x\n");
  CHECK(read_all(folder, "2026-11-25") == std::vector<std::string>{"2026-11-25.jsonl:1 b", "2026-11-25.jsonl:2 ",
                                                                   "2026-11-25.jsonl:3 b3", "2026-11-25_0002.jsonl:1 c",
                                                                   "2026-11-26.jsonl:1 d"});
  CHECK(RecordLines::open(folder.path, "2026-11-25")->earlier_there());
  CHECK_FALSE(RecordLines::open(folder.path, "2026-11-24")->earlier_there());
}

TEST_CASE("record lines: what is being written is no line yet; a cut line of an older file is told") {
  const Folder folder;
  folder.write("2026-11-25.jsonl", "one\ncut");
  folder.write("2026-11-26.jsonl", "two\nbeing wri");
  CHECK(read_all(folder, "2026-01-01") == std::vector<std::string>{"2026-11-25.jsonl:1 one",
                                                                   "2026-11-25.jsonl:2 ! is cut off",
                                                                   "2026-11-26.jsonl:1 two"});
}

TEST_CASE("record lines: long lines cross the chunks; one that is longer than any record is passed over and told") {
  const Folder folder;
  const std::string long_line(3'000'000, 'x');
  folder.write("2026-11-25.jsonl",
               long_line + "\nshort\n" + std::string(gateway::audit::kMostRecordOctets + 3'000'000, 'y') + "\nlast\n");
  auto lines = RecordLines::open(folder.path, "2026-11-25");
  REQUIRE(lines);
  CHECK(lines->next()->text == long_line);
  CHECK(lines->next()->text == "short");
  CHECK(lines->next()->problem == "is longer than any record");
  const auto last = lines->next();
  REQUIRE(last);
  CHECK(last->text == "last");
  CHECK(last->number == 4);
  CHECK_FALSE(lines->next());
}

TEST_CASE("record lines: a file that is gone or is a link is told, the others are read; no folder is an error") {
  const Folder folder;
  folder.write("2026-11-25.jsonl", "one\n");
  folder.write("2026-11-26.jsonl", "two\n");
  fs::create_symlink("/etc/passwd", folder.path + "/records/2026-11-27.jsonl");
  auto lines = RecordLines::open(folder.path, "2026-11-25");
  REQUIRE(lines);
  fs::remove(folder.path + "/records/2026-11-25.jsonl");
  const auto gone = lines->next();
  REQUIRE(gone);
  CHECK(gone->problem == "cannot be opened: No such file or directory");
  CHECK(gone->number == 0);
  CHECK(lines->next()->text == "two");
  CHECK(lines->next()->problem.starts_with("cannot be opened"));
  CHECK_FALSE(lines->next());
  const auto none = RecordLines::open(folder.path + "/nowhere", "2026-11-25");
  REQUIRE_FALSE(none);
  CHECK(none.error().number == ENOENT);
}

TEST_CASE("record lines: what the writer wrote is read") {
  const Folder folder;
  auto files = gateway::os::RecordFiles::open(folder.path, 0);
  REQUIRE(files);
  for (int i = 0; i < 5; ++i)
    REQUIRE(files->append({"alarm", {{"what", "x"}}}, gateway::os::RecordFiles::Weight::kDurable));
  auto lines = RecordLines::open(folder.path, "2026-01-01");
  REQUIRE(lines);
  std::uint64_t next = 1;
  while (const auto line = lines->next()) {
    const auto record = gateway::audit::read_record_line(line->text);
    REQUIRE(record);
    CHECK(record->sequence == next++);
    CHECK(record->kind == "alarm");
  }
  CHECK(next == 6);
}
