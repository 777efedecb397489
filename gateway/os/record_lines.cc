#include "gateway/os/record_lines.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "gateway/audit/record_line.h"
#include "gateway/os/record_names.h"

namespace gateway::os {
namespace {

constexpr std::size_t kChunk = 1 << 20;

}  // namespace

OsResult<RecordLines> RecordLines::open(const std::string& state_directory, const std::string& date) {
  RecordLines lines(state_directory + "/records");
  auto names = TRY(list_record_files(lines.directory_));
  const auto all = names.size();
  std::erase_if(names, [&](const std::string& name) { return name.substr(0, kRecordDateSize) < date; });
  lines.earlier_there_ = names.size() < all;
  std::ranges::sort(names);
  lines.names_ = std::move(names);
  return lines;
}

RecordLines::Line RecordLines::problem(std::string sentence) {
  return {{}, &names_[next_file_ - 1], number_, std::move(sentence)};
}

bool RecordLines::open_next() {
  if (next_file_ == names_.size()) return false;
  buffer_.clear();
  begin_ = searched_ = 0, number_ = 0, skipping_ = false;
  const auto path = directory_ + "/" + names_[next_file_++];
  file_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file_.valid()) failed_ = std::string("cannot be opened: ") + std::strerror(errno);
  return file_.valid();
}

// What was handed out goes, and the next chunk comes behind what is left.
bool RecordLines::fill() {
  buffer_.erase(0, begin_);
  searched_ = buffer_.size(), begin_ = 0;
  buffer_.resize(searched_ + kChunk);
  const auto got = read(file_.number(), buffer_.data() + searched_, kChunk);
  buffer_.resize(searched_ + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  octets_ += static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
  if (got < 0) failed_ = std::string("cannot be read on: ") + std::strerror(errno);
  return got > 0;
}

// The file is over, or cannot be read on. What follows its last newline is torn, but in the newest file.
std::optional<RecordLines::Line> RecordLines::rest_of_file() {
  file_.reset();
  const bool torn = begin_ < buffer_.size() && next_file_ < names_.size() && !skipping_;
  if (failed_.empty() && !torn) return std::nullopt;
  ++number_;
  return problem(failed_.empty() ? "is cut off" : std::exchange(failed_, {}));
}

std::optional<RecordLines::Line> RecordLines::next() {
  for (;;) {
    if (!file_.valid() && !open_next()) {
      if (failed_.empty()) return std::nullopt;
      return problem(std::exchange(failed_, {}));
    }
    const auto end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      const std::string_view text(buffer_.data() + begin_, end - begin_);
      begin_ = searched_ = end + 1;
      if (std::exchange(skipping_, false)) continue;
      ++number_;
      return Line{text, &names_[next_file_ - 1], number_, {}};
    }
    if (skipping_) begin_ = buffer_.size();
    if (fill()) {
      if (skipping_ || buffer_.size() <= audit::kMostRecordOctets) continue;
      if (buffer_.find('\n', searched_) != std::string::npos) continue;
      ++number_;
      skipping_ = true, begin_ = searched_ = buffer_.size();
      return problem("is longer than any record");
    }
    if (auto left = rest_of_file()) return left;
  }
}

}  // namespace gateway::os
