// A broken invariant of our own stops the process at once; remote input must never be able to reach this.
#pragma once

namespace tunnel::wire {

inline void require(bool fact) {
  if (!fact) __builtin_trap();
}

}  // namespace tunnel::wire
