#include "quantize/formats/number_format.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/text.h"
#include "quantize/formats/round.h"

namespace nibble {
namespace {

constexpr NumberFormatInfo kFormats[] = {
#define NIBBLE_NUMBER_FORMAT(enumerator, name, function, bits, block, what) \
  {NumberFormat::enumerator, name, bits, block, what},
#include "quantize/formats/number_formats.def"
#undef NIBBLE_NUMBER_FORMAT
};

using RoundFunction = void (*)(std::span<float> values, double max_abs);
constexpr RoundFunction kRound[] = {
#define NIBBLE_NUMBER_FORMAT(enumerator, name, function, bits, block, what) round_##function,
#include "quantize/formats/number_formats.def"
#undef NIBBLE_NUMBER_FORMAT
};

double largest(std::span<const float> values) {
  double max_abs = 0;
  for (float value : values) max_abs = std::fmax(max_abs, std::abs(static_cast<double>(value)));
  return max_abs;
}

}  // namespace

std::span<const NumberFormatInfo> number_formats() { return kFormats; }

const NumberFormatInfo& number_format_info(NumberFormat format) {
  return kFormats[static_cast<size_t>(format)];
}

Result<NumberFormat> find_number_format(std::string_view name) {
  std::vector<std::string> names;
  for (const NumberFormatInfo& info : kFormats) {
    if (info.name == name) return info.format;
    names.emplace_back(info.name);
  }
  return usage_error(fmt::format("unknown number format '{}'; known: {}", name, join(names, ", ")));
}

double largest_magnitude(const Tensor& tensor) { return largest(tensor.data<float>()); }

void round_to_format(NumberFormat format, Tensor& tensor, double max_abs) {
  std::span<float> values = tensor.mutable_data<float>();
  const RoundFunction round = kRound[static_cast<size_t>(format)];
  const auto block = static_cast<size_t>(number_format_info(format).block);
  if (block == 0) return round(values, max_abs);
  const size_t row = tensor.shape().empty() ? 1 : static_cast<size_t>(tensor.shape().back());
  for (size_t start = 0; start < values.size(); start += row)
    for (size_t i = 0; i < row; i += block) {
      std::span<float> part = values.subspan(start + i, std::min(block, row - i));
      round(part, largest(part));
    }
}

}  // namespace nibble
