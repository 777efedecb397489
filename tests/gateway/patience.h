// How long a test waits for what must come. The sanitizers' programs run beside the lab, with what it leaves of the
// processors: minutes may pass, so only a test that fails waits to the end, and no test passes because time was short.
#pragma once

#include <poll.h>

#include <chrono>

namespace gateway::tests {

constexpr auto kPatience = std::chrono::seconds(300);
constexpr int kPatienceMs = std::chrono::milliseconds(kPatience).count();  // as poll(2) takes it

// Asks `condition` until it holds, with a pause between two questions.
bool eventually(auto condition, std::chrono::milliseconds pause = std::chrono::milliseconds(10),
                std::chrono::milliseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    (void)poll(nullptr, 0, static_cast<int>(pause.count()));
  }
  return true;
}

// Is there something to read at `descriptor`?
inline bool readable(int descriptor) {
  pollfd there{descriptor, POLLIN, 0};
  return poll(&there, 1, kPatienceMs) == 1;
}

}  // namespace gateway::tests
