// The history of changes on disk: <state>/history/changes (core::ChangeHistory) and <state>/history/N.plan for each
// generation that can be gone back to: its plan, and the text of the configuration files it was made of. Each is a
// whole file, written beside, fsynced, renamed, its folder fsynced; a digest and a version stand before it, looked at
// when it is read. Damage is told, and nothing of a damaged file is used.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/core/change_history.h"
#include "gateway/daemon/kept_change.h"
#include "gateway/os/error.h"

namespace gateway::daemon {

class ChangeStore {
 public:
  explicit ChangeStore(const std::string& state_directory) : folder_(state_directory + "/history") {}

  // Empty history when there is no file. An error, a sentence for a person, when the file is not what was written.
  [[nodiscard]] config::value::Result<core::ChangeHistory, std::string> read_history() const;
  [[nodiscard]] os::OsResult<void> write_history(const core::ChangeHistory& history) const;

  [[nodiscard]] config::value::Result<KeptChange, std::string> read(config::value::Generation generation) const;
  [[nodiscard]] os::OsResult<void> write(const KeptChange& kept) const;
  // A history that could not be read is kept beside the new one, as "changes.damaged".
  void set_aside() const;
  // Removes the plans that `history` does not name. What cannot be removed stays, and is tried again the next time.
  void tidy(const core::ChangeHistory& history) const;

  [[nodiscard]] std::string path(config::value::Generation generation) const;  // of its file

 private:
  std::string folder_;
};

}  // namespace gateway::daemon
