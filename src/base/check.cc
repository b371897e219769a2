// The end of the road for a broken invariant: say where, then abort.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace nibble {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "%s:%d: internal error: (%s) does not hold. %s\n", file, line, condition,
               message.c_str());
  std::fprintf(stderr,
               "This is a bug in nibble, not in your model. Please report it with the command.\n");
  std::abort();
}

}  // namespace nibble
