// The pieces that the text forms of graphs and programs are printed from. Inside graph/ only; what
// is written here, text_reader.h reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/operators.h"
#include "graph/tensor.h"
#include "graph/text.h"

namespace nibble {

// "any bytes", with quotes, backslashes and all but printable ASCII escaped.
std::string quoted(std::string_view text);
// %name, or %"any bytes" where the name is more than letters, digits and _ . / $ -
std::string value_name(std::string_view name);
std::string text_of(int64_t value);
std::string text_of(bool value);
std::string text_of(float value);
std::string text_of(std::span<const int64_t> values);
std::string text_of(const Bounds& bounds);
std::string text_of(const TensorType& type);
std::string data_text(std::span<const uint8_t> bytes, PrintOptions options,
                      std::vector<uint8_t>* blob);

}  // namespace nibble
