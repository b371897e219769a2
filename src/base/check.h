// NIBBLE_CHECK: a condition that only a bug of ours can break. Prints the place, the condition and
// a formatted message, then aborts. Never used for what a user, file or option can cause.
#pragma once

#include <fmt/format.h>

#include <string>

namespace nibble {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& message);

}  // namespace nibble

// NIBBLE_CHECK(index < size, "index {} of {}", index, size)
#define NIBBLE_CHECK(condition, ...)                                                       \
  do {                                                                                     \
    if (!(condition)) [[unlikely]]                                                         \
      ::nibble::check_failed(__FILE__, __LINE__, #condition, fmt::format("" __VA_ARGS__)); \
  } while (false)

// A place that no input can reach: NIBBLE_UNREACHABLE("role {}", role). Ends the control flow for
// the compiler too.
#define NIBBLE_UNREACHABLE(...) \
  ::nibble::check_failed(__FILE__, __LINE__, "unreachable", fmt::format(__VA_ARGS__))
