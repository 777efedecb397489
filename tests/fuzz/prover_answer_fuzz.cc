// What the child that proves a candidate may tell: never more than one form of it is a proof.
#include <algorithm>
#include <cstdlib>

#include "gateway/daemon/prover.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gateway::daemon::Prover;
  constexpr std::uint64_t kQuestion = 7;
  const auto breaches = Prover::breaches_in({data, size}, kQuestion);
  if (!breaches) return 0;
  const auto again = Prover::octets_of(kQuestion, *breaches);
  if (!std::equal(again.begin(), again.end(), data, data + size)) std::abort();
  return 0;
}
