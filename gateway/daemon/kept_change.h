// What one change was made of, as it stands in a file of the state folder: <state>/history/N.plan, and under a second
// name <state>/last-good/plan.bin. Behind a digest (state_value.h) and a version.
#pragma once

#include <vector>

#include "config/load.h"
#include "gateway/core/messages.h"

namespace gateway::daemon {

struct KeptChange {
  config::value::Generation generation;
  policy::Plan plan;
  std::vector<core::KeySource> keys;      // names and paths: the keys themselves are not kept
  std::vector<config::SourceFile> files;  // the main file first; empty when none were read
};

inline constexpr std::size_t kMostKeptOctets = 256 << 20;  // a plan of 10,000 facilities and its files are a fifth

}  // namespace gateway::daemon

namespace config {
template <class Ar>
void fields(Ar& ar, SourceFile& file) {
  gateway::core::transfer_all(ar, file.path, file.text);
}
}  // namespace config

namespace gateway::daemon {
template <class Ar>
void fields(Ar& ar, KeptChange& kept) {
  std::uint16_t version = core::kMessageVersion;
  core::transfer_all(ar, version);
  if (version != core::kMessageVersion) return ar.fail();
  core::transfer_all(ar, kept.generation, kept.plan, kept.keys, kept.files);
}
}  // namespace gateway::daemon
