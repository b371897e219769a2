// Argument structs of kernels on the host: element types, and the struct's bytes from a call's
// fields.
#include "lower/arguments.h"

#include <cstring>

namespace nibble {

std::string_view ctype_of(DType dtype) {
  switch (dtype) {
    case DType::kBool:
    case DType::kU8:
      return "uint8_t";
    case DType::kS1:
    case DType::kS2:
    case DType::kS4:
    case DType::kS8:
      return "int8_t";
    case DType::kS16:
      return "int16_t";
    case DType::kS32:
      return "int32_t";
    case DType::kS64:
      return "int64_t";
    case DType::kF32:
      return "float";
  }
  NIBBLE_UNREACHABLE("dtype {}", static_cast<int>(dtype));
}

std::string_view pointee(std::string_view pointer_ctype) {
  if (pointer_ctype.starts_with("const ")) pointer_ctype.remove_prefix(6);
  return pointer_ctype.substr(0, pointer_ctype.find(' '));
}

int ctype_bytes(std::string_view ctype) {
  if (ctype == "int8_t" || ctype == "uint8_t") return 1;
  if (ctype == "int16_t") return 2;
  if (ctype == "int32_t" || ctype == "uint32_t" || ctype == "float") return 4;
  if (ctype == "int64_t") return 8;
  NIBBLE_UNREACHABLE("C type {}", ctype);
}

std::vector<uint64_t> build_args(const KernelInfo& kernel, const KernelCall& call,
                                 const std::vector<ConstantData>& constants) {
  NIBBLE_CHECK(call.fields.size() == kernel.fields.size(), "{}: {} fields", kernel.function,
               call.fields.size());
  std::vector<uint64_t> words((kernel.args_bytes + 7) / 8);
  auto* bytes = reinterpret_cast<uint8_t*>(words.data());
  for (size_t i = 0; i < call.fields.size(); ++i) {
    const KernelField& field = kernel.fields[i];
    if (const auto* ref = std::get_if<ConstantRef>(&call.fields[i].second)) {
      NIBBLE_CHECK(field.is_pointer, "{}.{}", kernel.args_struct, field.name);
      const uint8_t* data = constants[static_cast<size_t>(ref->index)].bytes.data();
      std::memcpy(bytes + field.offset, &data, sizeof data);
    } else if (!field.is_pointer) {
      auto word = static_cast<uint32_t>(std::get<int64_t>(call.fields[i].second));
      std::memcpy(bytes + field.offset, &word, sizeof word);
    }  // else a null pointer: the words are zero already
  }
  return words;
}

}  // namespace nibble
