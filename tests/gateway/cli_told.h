// A command of `sekisho` run in this process, and what it told whom.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "gateway/daemon/cli.h"

namespace gateway::tests {

struct Told {
  int status = -1;
  std::string out, err;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

inline std::string text_of_file(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

// `folder`: for what it prints.
inline Told told(const std::string& folder, const std::vector<std::string>& words) {
  const int out = open((folder + "/out").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  const int err = open((folder + "/err").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  std::fflush(nullptr);
  const int kept_out = dup(1), kept_err = dup(2);
  dup2(out, 1), dup2(err, 2);
  const int status = daemon::cli::run(words);
  std::fflush(nullptr);
  dup2(kept_out, 1), dup2(kept_err, 2);
  for (const int each : {out, err, kept_out, kept_err}) close(each);
  return {status, text_of_file(folder + "/out"), text_of_file(folder + "/err")};
}

inline bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

}  // namespace gateway::tests
