#include "gateway/daemon/canary.h"

#include "config/canary.h"
#include "gateway/os/config_files.h"

namespace gateway::daemon {

core::Unproved judge_canary(const CanaryAsked& asked, const config::Loaded& candidate, const std::string& main_path,
                            const policy::Plan& running, config::value::WallTime now) {
  const auto slash = main_path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : main_path.substr(0, slash);
  auto whole = core::judge(candidate, directory, now);
  if (!whole.needs_proof()) return whole;
  auto texts = config::canary(asked.files, candidate.sources, asked.facility, now);
  if (!texts) return core::refused({std::move(texts).error()});
  const auto mixed = os::load_texts(*std::move(texts), main_path, now, os::KeyFiles::kLeave);
  return core::judged_canary(core::judge(mixed, directory, now), whole, running, asked.facility, now);
}

}  // namespace gateway::daemon
