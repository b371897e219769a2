// The loop of element-wise functions with Helium, eight elements at once and what is left under a
// predicate. r3: the number of elements; before it, vctp.16 of eight or more. The body's loads and
// stores are predicated; local labels 1 to 3 are taken.
#pragma once

#include "lower/assembly.h"

namespace nibble {

inline void begin_octets(Assembly& code) {
  code.op("lsr lr, r3, #3");
  code.op("and r3, r3, #7");
  code.op("cmp lr, #0");
  code.op("beq.w 2f");
  code.label(1);
}

inline void end_octets(Assembly& code) {
  code.op("le lr, 1b");
  code.label(2);
  code.op("cbz r3, 3f");
  code.op("vctp.16 r3");
  code.op("movs r3, #0");
  code.op("mov lr, #1");
  code.op("b.w 1b");
  code.label(3);
}

}  // namespace nibble
