#include "gateway/daemon/uses_file.h"

#include "gateway/daemon/state_value.h"

namespace gateway::daemon {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kMostOctets = 64 << 20;

std::string uses_path(const std::string& state_directory) {
  return state_directory + "/rule-uses";
}

}  // namespace

struct KeptUse {
  std::uint32_t rule = 0;
  config::value::WallTime since;
  std::optional<config::value::WallTime> last;
};

struct KeptUses {
  std::vector<KeptUse> uses;  // by rule
};

template <class Ar>
void fields(Ar& ar, KeptUse& use) {
  core::transfer_all(ar, use.rule, use.since, use.last);
}

template <class Ar>
void fields(Ar& ar, KeptUses& kept) {
  std::uint16_t version = kVersion;
  core::transfer_all(ar, version, kept.uses);
  if (version != kVersion) ar.fail();
}

os::OsResult<void> keep_uses(const std::string& state_directory, const policy::RuleUses& uses) {
  KeptUses kept;
  kept.uses.reserve(uses.size());
  for (const auto& [rule, use] : uses) kept.uses.push_back({rule, use.since, use.last});
  std::ranges::sort(kept.uses, {}, &KeptUse::rule);
  return write_state_value(uses_path(state_directory), kept);
}

config::value::Result<std::optional<policy::RuleUses>, std::string> read_uses(const std::string& state_directory) {
  const auto kept = TRY(read_state_value<KeptUses>(uses_path(state_directory), kMostOctets));
  if (!kept) return std::optional<policy::RuleUses>();
  policy::RuleUses uses;
  for (const auto& each : kept->uses) uses[each.rule] = {each.since, each.last};
  return uses;
}

}  // namespace gateway::daemon
