// NumPy's array format (NEP 1, versions 1 to 3): one array to and from a Tensor. Where most data
// sets and all recorded outputs come in and go out.
#include "formats/data/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "formats/data/half.h"
#include "formats/data/zip.h"
#include "formats/formats.h"

namespace nibble {
namespace {

struct NpyHeader {
  char order = '<';  // byte order
  char kind = 'f';   // b i u f
  int width = 4;     // bytes of an element in the file
  bool fortran = false;
  Shape shape;
  size_t data_offset = 0;
  size_t elems = 0;
};

Error broken(const std::string& name, const std::string& what) {
  return input_error(fmt::format("{}: not a readable .npy array: {}", name, what));
}

// The text behind 'key': in the Python dictionary of the header.
std::string_view dictionary_value(std::string_view text, std::string_view key) {
  for (char quote : {'\'', '"'}) {
    size_t at = text.find(fmt::format("{}{}{}", quote, key, quote));
    if (at == std::string_view::npos) continue;
    at = text.find(':', at);
    if (at == std::string_view::npos) continue;
    return trim(text.substr(at + 1));
  }
  return {};
}

Status read_descr(std::string_view text, const std::string& name, NpyHeader& header) {
  if (text.size() < 4 || (text[0] != '\'' && text[0] != '"'))
    return broken(name, "its element type is missing or structured; save a plain numeric array");
  size_t end = text.find(text[0], 1);
  std::string_view descr = end == std::string_view::npos ? "" : text.substr(1, end - 1);
  bool known =
      descr.size() == 3 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  std::string_view code = known ? descr.substr(1) : "";
  constexpr std::string_view kCodes[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                         "i8", "u1", "u2", "u4", "u8", "b1"};
  if (std::find(std::begin(kCodes), std::end(kCodes), code) == std::end(kCodes))
    return broken(name, fmt::format("element type '{}' is not read; float16/32/64, int8 to int64, "
                                    "uint8 to uint64 and bool are",
                                    descr));
  header.order = descr[0] == '>' ? '>' : '<';
  header.kind = code[0];
  header.width = code[1] - '0';
  return {};
}

Status read_shape(std::string_view text, const std::string& name, NpyHeader& header) {
  size_t end = text.find(')');
  if (text.empty() || text[0] != '(' || end == std::string_view::npos)
    return broken(name, "its shape is missing");
  for (const std::string& part : split(text.substr(1, end - 1), ',')) {
    std::string_view digits = trim(part);
    if (digits.empty()) continue;
    if (digits.back() == 'L') digits.remove_suffix(1);
    auto extent = parse_int(digits);
    if (!extent.ok() || *extent < 0 || header.shape.size() >= 32)
      return broken(name, "its shape is not a list of extents");
    header.shape.push_back(*extent);
  }
  return {};
}

// Checks that the elements the shape promises are really there.
Status count_elements(size_t data_bytes, const std::string& name, NpyHeader& header) {
  uint64_t available = data_bytes / static_cast<size_t>(header.width);
  bool empty = std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end();
  // A scalar is one element too, so this is asked again at the end.
  uint64_t count = empty ? 0 : 1;
  for (size_t i = 0; i <= header.shape.size() && !empty; ++i) {
    auto extent = i < header.shape.size() ? static_cast<uint64_t>(header.shape[i]) : 1;
    if (extent > available / count)
      return broken(name,
                    fmt::format("its shape {} needs more elements than the {} in the file (it "
                                "may be cut off)",
                                format_shape(header.shape), available));
    count *= extent;
  }
  // Extents beside a zero may be anything; keep their product representable.
  if (empty)
    for (int64_t& extent : header.shape) extent = std::min<int64_t>(extent, 1);
  header.elems = count;
  return {};
}

Result<NpyHeader> read_header(std::span<const uint8_t> bytes, const std::string& name) {
  constexpr uint8_t kMagic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  if (bytes.size() < 10 || !std::equal(std::begin(kMagic), std::end(kMagic), bytes.begin()))
    return broken(name, "it does not start like one");
  int version = bytes[6];
  if (version < 1 || version > 3)
    return broken(name, fmt::format("its format version is {}; 1 to 3 are read", version));
  size_t length_bytes = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + length_bytes) return broken(name, "its header is cut off");
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= size_t{bytes[8 + i]} << (8 * i);
  size_t start = 8 + length_bytes;
  if (length > bytes.size() - start) return broken(name, "its header is cut off");
  std::string_view text(reinterpret_cast<const char*>(bytes.data()) + start, length);

  NpyHeader header;
  NIBBLE_TRY(read_descr(dictionary_value(text, "descr"), name, header));
  header.fortran = dictionary_value(text, "fortran_order").starts_with("True");
  NIBBLE_TRY(read_shape(dictionary_value(text, "shape"), name, header));
  header.data_offset = start + length;
  NIBBLE_TRY(count_elements(bytes.size() - header.data_offset, name, header));
  return header;
}

DType stored_type(const NpyHeader& header) {
  if (header.kind == 'f') return DType::kF32;
  if (header.kind == 'b') return DType::kBool;
  bool is_signed = header.kind == 'i';
  switch (header.width) {
    case 1:
      return is_signed ? DType::kS8 : DType::kU8;
    case 2:
      return is_signed ? DType::kS16 : DType::kS32;
    case 4:
      return is_signed ? DType::kS32 : DType::kS64;
    default:
      return DType::kS64;
  }
}

uint64_t load_element(const uint8_t* address, const NpyHeader& header) {
  uint64_t value = 0;
  for (int i = 0; i < header.width; ++i) {
    int position = header.order == '>' ? header.width - 1 - i : i;
    value |= uint64_t{address[position]} << (8 * i);
  }
  return value;
}

float load_float(const uint8_t* address, const NpyHeader& header) {
  uint64_t bits = load_element(address, header);
  if (header.width == 2) return half_to_float(static_cast<uint16_t>(bits));
  if (header.width == 4) return std::bit_cast<float>(static_cast<uint32_t>(bits));
  return static_cast<float>(std::bit_cast<double>(bits));
}

int64_t load_integer(const uint8_t* address, const NpyHeader& header) {
  uint64_t bits = load_element(address, header);
  if (header.kind == 'b') return bits != 0;
  if (header.kind == 'u') return static_cast<int64_t>(bits);
  int unused = 64 - 8 * header.width;
  return static_cast<int64_t>(bits << unused) >> unused;
}

// Position in the file of each element in C order.
std::vector<size_t> fortran_positions(const NpyHeader& header) {
  std::vector<size_t> positions(header.elems);
  size_t rank = header.shape.size();
  std::vector<size_t> stride(rank, 1), index(rank, 0);
  for (size_t i = 1; i < rank; ++i)
    stride[i] = stride[i - 1] * static_cast<size_t>(header.shape[i - 1]);
  for (size_t& position : positions) {
    position = 0;
    for (size_t i = 0; i < rank; ++i) position += index[i] * stride[i];
    for (size_t i = rank; i-- > 0;) {
      if (++index[i] < static_cast<size_t>(header.shape[i])) break;
      index[i] = 0;
    }
  }
  return positions;
}

std::string_view npy_descr(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "<f4";
    case DType::kBool:
      return "|b1";
    case DType::kU8:
      return "|u1";
    case DType::kS16:
      return "<i2";
    case DType::kS32:
      return "<i4";
    case DType::kS64:
      return "<i8";
    default:
      return "|i1";
  }
}

}  // namespace

Result<Tensor> parse_npy(std::span<const uint8_t> bytes, const std::string& name) {
  NIBBLE_ASSIGN(NpyHeader header, read_header(bytes, name));
  Tensor tensor(TensorType{header.shape, stored_type(header), std::nullopt});
  auto data = bytes.subspan(header.data_offset);
  auto width = static_cast<size_t>(header.width);
  bool rank_matters = header.fortran && header.shape.size() > 1;
  bool same_bytes = header.order == '<' && !rank_matters && header.kind != 'b' &&
                    header.width == dtype_bytes(tensor.dtype()) &&
                    !(header.kind == 'u' && header.width == 8);
  if (header.elems == 0) return tensor;
  if (same_bytes) {
    std::memcpy(tensor.mutable_bytes().data(), data.data(), header.elems * width);
    return tensor;
  }
  auto positions = rank_matters ? fortran_positions(header) : std::vector<size_t>();
  std::span<float> floats;
  if (tensor.dtype() == DType::kF32) floats = tensor.mutable_data<float>();
  for (size_t i = 0; i < header.elems; ++i) {
    const uint8_t* address = data.data() + (rank_matters ? positions[i] : i) * width;
    if (!floats.empty()) {
      floats[i] = load_float(address, header);
      continue;
    }
    int64_t value = load_integer(address, header);
    if (header.kind == 'u' && header.width == 8 && value < 0)
      return broken(name, fmt::format("element {} is larger than a 64-bit signed integer", i));
    tensor.set_integer_at(static_cast<int64_t>(i), value);
  }
  return tensor;
}

std::vector<uint8_t> encode_npy(const Tensor& tensor) {
  std::string shape;
  for (int64_t extent : tensor.shape()) shape += fmt::format("{}, ", extent);
  if (tensor.shape().size() > 1) shape.resize(shape.size() - 2);
  if (tensor.shape().size() == 1) shape.pop_back();
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 npy_descr(tensor.dtype()), shape);
  // The data start at a multiple of 64, behind magic (8), length (2) and the text with its newline.
  size_t padding = (64 - (10 + text.size() + 1) % 64) % 64;
  text += std::string(padding, ' ') + '\n';
  std::vector<uint8_t> out = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  out.push_back(static_cast<uint8_t>(text.size() & 0xff));
  out.push_back(static_cast<uint8_t>(text.size() >> 8));
  out.insert(out.end(), text.begin(), text.end());
  auto bytes = tensor.bytes();
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}

Result<Tensor> read_npy(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  return parse_npy(bytes, path.string());
}

Status write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  return write_file(path, encode_npy(tensor));
}

Result<std::vector<NamedTensor>> parse_npz(std::span<const uint8_t> bytes,
                                           const std::string& name) {
  NIBBLE_ASSIGN(auto entries, unzip(bytes, name));
  std::vector<NamedTensor> arrays;
  for (ZipEntry& entry : entries) {
    std::string array = entry.name;
    if (array.ends_with(".npy")) array.resize(array.size() - 4);
    NIBBLE_ASSIGN(Tensor tensor,
                  parse_npy(entry.bytes, fmt::format("{}, array '{}'", name, array)));
    entry.bytes = {};
    arrays.push_back({std::move(array), std::move(tensor)});
  }
  if (arrays.empty()) return input_error(fmt::format("{}: holds no arrays", name));
  return arrays;
}

Result<std::vector<NamedTensor>> read_npz(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  // A .npy file, whatever it is called, is one array.
  if (!bytes.empty() && bytes[0] == 0x93) {
    NIBBLE_ASSIGN(Tensor tensor, parse_npy(bytes, path.string()));
    return std::vector<NamedTensor>{{"x", std::move(tensor)}};
  }
  return parse_npz(bytes, path.string());
}

Status write_npz(const std::filesystem::path& path, const std::vector<NamedTensor>& arrays) {
  std::vector<ZipEntry> entries;
  for (const NamedTensor& array : arrays)
    entries.push_back({array.name + ".npy", encode_npy(array.tensor)});
  NIBBLE_ASSIGN(auto bytes, zip(entries));
  return write_file(path, bytes);
}

}  // namespace nibble
