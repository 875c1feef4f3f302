// Waiting for a state of another process. Bounded, and never a substitute for an event that can be had.
#pragma once

#include <chrono>
#include <thread>

namespace pilotlight::test {

/// Asks `condition` until it holds or `limit` has passed; says whether it held.
template <class Condition>
bool waitUntil(Condition condition, std::chrono::milliseconds limit) {
  using namespace std::chrono_literals;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

}  // namespace pilotlight::test
