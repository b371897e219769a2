// NAME_weights.h: the constants, as the kernels read them.
#include <algorithm>
#include <cstring>

#include "emit/layout.h"

namespace nibble {
namespace {

constexpr size_t kColumns = 100;

template <class T>
std::string element_text(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return c_float(value);
  } else if constexpr (sizeof(T) == 4 && std::is_unsigned_v<T>) {
    return std::to_string(value) + "u";
  } else {
    return c_integer(static_cast<int64_t>(value));
  }
}

template <class T>
void append_elements(const std::vector<uint8_t>& bytes, std::string& text) {
  std::string line = "   ";
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    std::string element = element_text(value);
    if (at + sizeof(T) < bytes.size()) element += ",";
    if (line.size() + element.size() + 1 > kColumns) {
      text += line + "\n";
      line = "   ";
    }
    // Only the first of a line is set off: the arrays are long.
    line += (line.size() == 3 ? " " : "") + element;
  }
  text += line + "\n";
}

void append_elements_of(const ConstantData& constant, std::string& text) {
  if (constant.bytes.empty()) {
    text += "    0\n";
  } else if (constant.ctype == "int8_t") {
    append_elements<int8_t>(constant.bytes, text);
  } else if (constant.ctype == "uint8_t") {
    append_elements<uint8_t>(constant.bytes, text);
  } else if (constant.ctype == "int16_t") {
    append_elements<int16_t>(constant.bytes, text);
  } else if (constant.ctype == "int32_t") {
    append_elements<int32_t>(constant.bytes, text);
  } else if (constant.ctype == "uint32_t") {
    append_elements<uint32_t>(constant.bytes, text);
  } else if (constant.ctype == "int64_t") {
    append_elements<int64_t>(constant.bytes, text);
  } else {
    NIBBLE_CHECK(constant.ctype == "float", "{}", constant.ctype);
    append_elements<float>(constant.bytes, text);
  }
}

int64_t element_bytes(const std::string& ctype) {
  if (ctype.ends_with("int8_t")) return 1;
  if (ctype.ends_with("int16_t")) return 2;
  return ctype.ends_with("int64_t") ? 8 : 4;
}

}  // namespace

std::string weights_file(const Layout& layout) {
  std::string text = fmt::format(
      "/* {2}: weights and other constants, in the order in which the kernels read them.\n"
      "   Included by {0}.c only. */\n"
      "#ifndef {1}_WEIGHTS_H\n#define {1}_WEIGHTS_H\n\n#include <stdint.h>\n",
      layout.name, layout.macro, comment_text(layout.program.name));
  if (std::ranges::any_of(layout.program.constants, &ConstantData::in_ram))
    text += fmt::format(
        "\n/* What is read most lies in RAM, where it is read faster than in flash: start-up "
        "copies "
        "it as it\n   copies all initialised variables. {0}_COPIED_WEIGHTS= (nothing) leaves it in "
        "flash. */\n"
        "#ifndef {0}_COPIED_WEIGHTS\n#if defined(__ELF__)\n"
        "#define {0}_COPIED_WEIGHTS __attribute__((section(\".data.{1}_weights\")))\n"
        "#else\n#define {0}_COPIED_WEIGHTS\n#endif\n#endif\n",
        layout.macro, layout.name);
  for (size_t i = 0; i < layout.program.constants.size(); ++i) {
    if (!layout.constant_used[i]) continue;
    const ConstantData& constant = layout.program.constants[i];
    int64_t elems = static_cast<int64_t>(constant.bytes.size()) / element_bytes(constant.ctype);
    const std::string place = constant.in_ram ? " " + layout.macro + "_COPIED_WEIGHTS" : "";
    text += fmt::format("\nstatic const {} {}[{}]{} = {{\n", constant.ctype,
                        layout.constant_names[i], std::max<int64_t>(1, elems), place);
    append_elements_of(constant, text);
    text += "};\n";
  }
  return text + "\n#endif\n";
}

}  // namespace nibble
