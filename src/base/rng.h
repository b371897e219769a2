// A small, seeded, portable random generator (PCG32, O'Neill 2014): the same numbers on every host,
// which std:: distributions do not promise. For tests, fuzzing and sampling; not for cryptography.
#pragma once

#include <cstdint>

namespace nibble {

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(0) {
    next();
    state_ += seed;
    next();
  }
  // Uniform over all 32-bit values.
  uint32_t next() {
    uint64_t old = state_;
    state_ = old * 6364136223846793005ULL + 1442695040888963407ULL;
    auto shifted = static_cast<uint32_t>(((old >> 18) ^ old) >> 27);
    auto rotation = static_cast<uint32_t>(old >> 59);
    return (shifted >> rotation) | (shifted << ((32 - rotation) & 31));
  }
  // Uniform over [low, high], both ends included; high - low < 2^32.
  int64_t integer(int64_t low, int64_t high) {
    auto extent = static_cast<uint64_t>(high - low) + 1;
    return low + static_cast<int64_t>((uint64_t{next()} * extent) >> 32);
  }
  // Uniform over [0, 1).
  double uniform() { return next() * 0x1p-32; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Approximately normal (sum of twelve uniforms), mean 0, deviation 1.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  uint64_t state_;
};

}  // namespace nibble
