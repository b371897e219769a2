// Decoding of TensorProto: where the elements are (raw bytes, typed fields, a side file) and how
// wide.
#include "formats/onnx/onnx_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/file.h"
#include "base/text.h"
#include "formats/data/half.h"

namespace nibble {
namespace {

using onnx::TensorProto;

// Bits of an element in raw data.
int raw_bits(int onnx_type) {
  switch (onnx_type) {
    case kOnnxUint4:
    case kOnnxInt4:
      return 4;
    case TensorProto::INT8:
    case TensorProto::UINT8:
    case TensorProto::BOOL:
      return 8;
    case TensorProto::INT16:
    case TensorProto::UINT16:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
      return 16;
    case TensorProto::FLOAT:
    case TensorProto::INT32:
    case TensorProto::UINT32:
      return 32;
    default:
      return 64;
  }
}

bool is_signed(int onnx_type) {
  return onnx_type == TensorProto::INT8 || onnx_type == TensorProto::INT16 ||
         onnx_type == TensorProto::INT32 || onnx_type == TensorProto::INT64 ||
         onnx_type == kOnnxInt4;
}

// One element given by its bits, low bits first.
void store(Tensor& tensor, int64_t index, uint64_t bits, int onnx_type) {
  auto at = static_cast<size_t>(index);
  switch (onnx_type) {
    case TensorProto::FLOAT:
      tensor.mutable_data<float>()[at] = std::bit_cast<float>(static_cast<uint32_t>(bits));
      return;
    case TensorProto::DOUBLE:
      tensor.mutable_data<float>()[at] = static_cast<float>(std::bit_cast<double>(bits));
      return;
    case TensorProto::FLOAT16:
      tensor.mutable_data<float>()[at] = half_to_float(static_cast<uint16_t>(bits));
      return;
    case TensorProto::BFLOAT16:
      tensor.mutable_data<float>()[at] = bfloat_to_float(static_cast<uint16_t>(bits));
      return;
    case TensorProto::BOOL:
      tensor.set_integer_at(index, bits != 0);
      return;
    default:
      break;
  }
  int unused = 64 - raw_bits(onnx_type);
  auto shifted = bits << unused;
  int64_t value = is_signed(onnx_type) ? static_cast<int64_t>(shifted) >> unused
                                       : static_cast<int64_t>(shifted >> unused);
  tensor.set_integer_at(index, value);
}

Status read_raw(std::span<const uint8_t> raw, int onnx_type, Tensor& tensor) {
  auto count = static_cast<uint64_t>(tensor.size());
  auto bits = static_cast<uint64_t>(raw_bits(onnx_type));
  uint64_t needed = (count * bits + 7) / 8;
  if (raw.size() != needed)
    return input_error(fmt::format("has {} bytes of data, its shape {} of {} needs {}", raw.size(),
                                   format_shape(tensor.shape()), onnx_type_name(onnx_type),
                                   needed));
  bool same_bytes = bits == 8U * static_cast<unsigned>(dtype_bytes(tensor.dtype())) &&
                    onnx_type != TensorProto::DOUBLE && onnx_type != TensorProto::BOOL;
  if (same_bytes) {
    if (count != 0) std::memcpy(tensor.mutable_bytes().data(), raw.data(), raw.size());
    return {};
  }
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t value = 0;
    if (bits == 4) {
      value = (raw[i / 2] >> (4 * (i % 2))) & 15U;
    } else {
      for (uint64_t b = 0; b < bits / 8; ++b) value |= uint64_t{raw[i * bits / 8 + b]} << (8 * b);
    }
    store(tensor, static_cast<int64_t>(i), value, onnx_type);
  }
  return {};
}

// The typed field that carries elements of this type, as bits.
Status read_fields(const TensorProto& proto, Tensor& tensor) {
  int type = proto.data_type();
  int64_t count = tensor.size();
  bool nibbles = raw_bits(type) == 4;
  auto read = [&](const auto& field, auto&& bits_of) -> Status {
    int64_t held = field.size();
    if (held != (nibbles ? (count + 1) / 2 : count))
      return input_error(fmt::format("has {} elements, its shape {} needs {}", held,
                                     format_shape(tensor.shape()), count));
    for (int64_t i = 0; i < count; ++i) {
      uint64_t bits = bits_of(field[static_cast<int>(nibbles ? i / 2 : i)]);
      if (nibbles) bits = (bits >> (4 * (i % 2))) & 15U;
      store(tensor, i, bits, type);
    }
    return {};
  };
  switch (type) {
    case TensorProto::FLOAT:
      return read(proto.float_data(), [](float value) { return std::bit_cast<uint32_t>(value); });
    case TensorProto::DOUBLE:
      return read(proto.double_data(), [](double value) { return std::bit_cast<uint64_t>(value); });
    case TensorProto::INT64:
      return read(proto.int64_data(), [](int64_t value) { return static_cast<uint64_t>(value); });
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return read(proto.uint64_data(), [](uint64_t value) { return value; });
    default:
      return read(proto.int32_data(), [](int32_t value) {
        return static_cast<uint64_t>(static_cast<uint32_t>(value));
      });
  }
}

}  // namespace

std::string onnx_type_name(int onnx_type) {
  if (onnx_type == kOnnxInt4) return "INT4";
  if (onnx_type == kOnnxUint4) return "UINT4";
  if (onnx_type >= 0 && TensorProto::DataType_IsValid(onnx_type))
    return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(onnx_type));
  return fmt::format("type {}", onnx_type);
}

Result<DType> element_type(int onnx_type) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
    case TensorProto::FLOAT16:
    case TensorProto::BFLOAT16:
    case TensorProto::DOUBLE:
      return DType::kF32;
    case TensorProto::INT8:
      return DType::kS8;
    case TensorProto::UINT8:
    case kOnnxUint4:
      return DType::kU8;
    case TensorProto::INT16:
      return DType::kS16;
    case TensorProto::UINT16:
    case TensorProto::INT32:
      return DType::kS32;
    case TensorProto::UINT32:
    case TensorProto::INT64:
    case TensorProto::UINT64:
      return DType::kS64;
    case TensorProto::BOOL:
      return DType::kBool;
    case kOnnxInt4:
      return DType::kS4;
    default:
      return input_error(
          fmt::format("element type {} is not supported; FLOAT, FLOAT16, BFLOAT16, DOUBLE, INT4 to "
                      "INT64, UINT4 to "
                      "UINT64 and BOOL are",
                      onnx_type_name(onnx_type)));
  }
}

Result<int64_t> checked_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0) return input_error(fmt::format("has the extent {}", extent));
    if (extent > kMaxElems)
      return input_error(fmt::format("has the extent {}; the limit is {}", extent, kMaxElems));
    if (count != 0 && extent > kMaxElems / count)
      return input_error(fmt::format("has more than {} elements", kMaxElems));
    count *= extent;
  }
  return count;
}

Result<const std::vector<uint8_t>*> SideFiles::file(const std::string& location) {
  auto known = files_.find(location);
  if (known != files_.end()) return known->second.get();
  namespace fs = std::filesystem;
  fs::path relative(location);
  bool climbs = std::find(relative.begin(), relative.end(), "..") != relative.end();
  std::error_code error;
  fs::path folder = fs::weakly_canonical(folder_.empty() ? fs::path(".") : folder_, error);
  fs::path path = error ? fs::path() : fs::weakly_canonical(folder / relative, error);
  // Links may lead out of the folder too, so the resolved path counts.
  fs::path inside = error ? fs::path() : path.lexically_relative(folder);
  if (location.empty() || relative.is_absolute() || climbs || inside.empty() ||
      *inside.begin() == "..")
    return input_error(
        fmt::format("has its data in '{}', which is not in the model's folder; put the side file "
                    "beside the model",
                    location));
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  auto& slot = files_[location];
  slot = std::make_unique<std::vector<uint8_t>>(std::move(bytes));
  return slot.get();
}

Result<std::span<const uint8_t>> SideFiles::bytes(const TensorProto& proto) {
  std::string location;
  int64_t offset = 0, length = -1;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    auto number = parse_int(entry.value());
    if (!number.ok() || *number < 0)
      return input_error(
          fmt::format("states the {} '{}' in its side file", entry.key(), entry.value()));
    (entry.key() == "offset" ? offset : length) = *number;
  }
  NIBBLE_ASSIGN(const auto* data, file(location));
  auto size = static_cast<int64_t>(data->size());
  if (offset > size || (length >= 0 && length > size - offset))
    return input_error(fmt::format("claims the bytes from {} on, {} of them, of '{}', which has {}",
                                   offset, length, location, size));
  if (length < 0) length = size - offset;
  return std::span<const uint8_t>(*data).subspan(static_cast<size_t>(offset),
                                                 static_cast<size_t>(length));
}

Result<Tensor> read_onnx_tensor(const TensorProto& proto, SideFiles& side_files) {
  NIBBLE_ASSIGN(DType dtype, element_type(proto.data_type()));
  Shape shape(proto.dims().begin(), proto.dims().end());
  NIBBLE_ASSIGN(int64_t count, checked_count(shape));
  if (proto.has_segment()) return input_error("is stored in segments, which is not supported");
  bool external = proto.data_location() == TensorProto::EXTERNAL;
  std::span<const uint8_t> raw;
  if (external) {
    NIBBLE_ASSIGN(raw, side_files.bytes(proto));
  } else {
    raw = {reinterpret_cast<const uint8_t*>(proto.raw_data().data()), proto.raw_data().size()};
  }
  bool in_raw = external || proto.has_raw_data();
  // Whether the data are there is known before the memory is taken; a side file without length may
  // be longer.
  uint64_t bits = static_cast<uint64_t>(count) * static_cast<uint64_t>(raw_bits(proto.data_type()));
  if (external && raw.size() > (bits + 7) / 8) raw = raw.first((bits + 7) / 8);
  int64_t held =
      std::max({proto.float_data_size(), proto.double_data_size(), proto.int32_data_size(),
                proto.int64_data_size(), proto.uint64_data_size()});
  if (in_raw ? raw.size() < (bits + 7) / 8 : held < (count + 1) / 2)
    return input_error(fmt::format(
        "has less data than its shape {} of {} needs: {} of {}; the {} may be cut off, export the "
        "model again",
        format_shape(shape), onnx_type_name(proto.data_type()),
        in_raw ? fmt::format("{} bytes", raw.size()) : fmt::format("{} elements", held),
        in_raw ? static_cast<int64_t>((bits + 7) / 8) : count, external ? "side file" : "file"));
  Tensor tensor(TensorType{shape, dtype, std::nullopt});
  if (count == 0) return tensor;
  if (in_raw)
    NIBBLE_TRY(read_raw(raw, proto.data_type(), tensor));
  else
    NIBBLE_TRY(read_fields(proto, tensor));
  return tensor;
}

}  // namespace nibble
