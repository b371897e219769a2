// Prints names, numbers, types and data such that text_reader.cc reads exactly the same back.
#include "graph/text_writer.h"

#include "base/text.h"

namespace nibble {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '/' || c == '$' || c == '-';
}

// [a,b,c]; any range whose elements print takes.
template <class Range, class Print>
std::string list_text(const Range& values, Print print) {
  std::string text = "[";
  for (const auto& value : values) {
    if (text.size() > 1) text += ',';
    text += print(value);
  }
  return text + "]";
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte > 0x7e) {
      result += "\\x";
      result += kHexDigits[byte >> 4];
      result += kHexDigits[byte & 15];
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string value_name(std::string_view name) {
  bool plain = !name.empty();
  for (char c : name) plain = plain && is_plain(c);
  return plain ? "%" + std::string(name) : "%" + quoted(name);
}

std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(float value) { return format_float(value); }
std::string text_of(std::span<const int64_t> values) {
  return list_text(values, [](int64_t value) { return std::to_string(value); });
}
std::string text_of(const Bounds& bounds) {
  return "[" + format_float(bounds.min) + "," + format_float(bounds.max) + "]";
}

std::string text_of(const TensorType& type) {
  std::string text(dtype_name(type.dtype));
  text += text_of(std::span<const int64_t>(type.shape));
  if (!type.quant) return text;
  const QuantParams& quant = *type.quant;
  text += " {scale=" + list_text(quant.scale, format_float);
  text += ", zero_point=" +
          list_text(quant.zero_point, [](int32_t value) { return std::to_string(value); });
  if (quant.axis != -1) text += ", axis=" + std::to_string(quant.axis);
  text += ", bits=" + std::to_string(quant.bits);
  text += ", range=[" + std::to_string(quant.q_min) + "," + std::to_string(quant.q_max) + "]";
  auto integer_text = [](int32_t value) { return std::to_string(value); };
  if (!quant.codebook.empty()) text += ", codebook=" + list_text(quant.codebook, integer_text);
  if (quant.group > 0) {
    text += ", group=" + std::to_string(quant.group);
    text += ", group_factor=" + list_text(quant.group_factor, integer_text);
  }
  return text + "}";
}

std::string data_text(std::span<const uint8_t> bytes, PrintOptions options,
                      std::vector<uint8_t>* blob) {
  using Constants = PrintOptions::Constants;
  if (options.constants == Constants::kElided) return "...";
  if (options.constants == Constants::kBlob) {
    NIBBLE_CHECK(blob != nullptr, "constants go to a blob, but none was given");
    std::string text = "blob:" + std::to_string(blob->size());
    blob->insert(blob->end(), bytes.begin(), bytes.end());
    return text;
  }
  std::string text = "hex:";
  text.reserve(text.size() + 2 * bytes.size());
  for (uint8_t byte : bytes) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

}  // namespace nibble
