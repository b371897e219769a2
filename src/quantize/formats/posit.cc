// Posits (Gustafson and Yonemoto 2017; Standard for Posit Arithmetic 2022).
#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "quantize/formats/number_format.h"
#include "quantize/formats/round.h"

namespace nibble {
namespace {

// The value of a positive encoding: behind the sign a run of k+1 ones and a zero (k >= 0), or of -k
// zeros and a one, then the exponent's bits and the fraction's; what lies behind the last bit is
// zero.
double posit_value(uint32_t code, int bits, int exponent_bits) {
  int position = bits - 2;
  auto bit = [&] { return position < 0 ? 0U : code >> position & 1U; };
  const uint32_t first = bit();
  int run = 0;
  while (position >= 0 && bit() == first) {
    ++run;
    --position;
  }
  --position;  // the bit that ends the run
  int exponent = (first ? run - 1 : -run) * (1 << exponent_bits);
  for (int i = exponent_bits - 1; i >= 0; --i, --position) exponent += static_cast<int>(bit()) << i;
  double fraction = 1;
  for (double weight = 0.5; position >= 0; --position, weight /= 2) fraction += weight * bit();
  return std::ldexp(fraction, exponent);
}

// Positive values in the order of their encodings 1, 2, ..., and between each two of them the value
// from which on one rounds up: that of the encoding with one more bit, because rounding is of the
// string of bits.
struct PositTable {
  std::vector<double> values, borders;
};

PositTable make_table(int bits, int exponent_bits) {
  PositTable table;
  const uint32_t count = (1U << (bits - 1)) - 1;
  for (uint32_t code = 1; code <= count; ++code) {
    table.values.push_back(posit_value(code, bits, exponent_bits));
    if (code < count) table.borders.push_back(posit_value(2 * code + 1, bits + 1, exponent_bits));
  }
  return table;
}

const PositTable& posit_table(int bits, int exponent_bits) {
  static std::mutex mutex;
  static std::map<std::pair<int, int>, PositTable> tables;
  std::lock_guard lock(mutex);
  auto [found, is_new] = tables.try_emplace({bits, exponent_bits});
  if (is_new) found->second = make_table(bits, exponent_bits);
  return found->second;
}

double round_by(const PositTable& table, double value) {
  if (std::isnan(value) || value == 0) return value;
  const double magnitude = std::abs(value);
  auto border = std::ranges::lower_bound(table.borders, magnitude);
  auto index = static_cast<size_t>(border - table.borders.begin());
  // Encodings count from one: a tie goes to the even one.
  if (border != table.borders.end() && *border == magnitude && (index + 1) % 2 == 1) ++index;
  return std::copysign(table.values[index], value);
}

void round_posits(std::span<float> values, int bits, int exponent_bits) {
  const PositTable& table = posit_table(bits, exponent_bits);
  for (float& value : values)
    value = static_cast<float>(round_by(table, static_cast<double>(value)));
}

}  // namespace

double round_posit(double value, int bits, int exponent_bits) {
  NIBBLE_CHECK(bits >= 3 && bits <= 16 && exponent_bits >= 0 && exponent_bits <= 3);
  return round_by(posit_table(bits, exponent_bits), value);
}

void round_posit8_0(std::span<float> values, double) { round_posits(values, 8, 0); }
void round_posit8_1(std::span<float> values, double) { round_posits(values, 8, 1); }
void round_posit8_2(std::span<float> values, double) { round_posits(values, 8, 2); }
void round_posit16_1(std::span<float> values, double) { round_posits(values, 16, 1); }

}  // namespace nibble
