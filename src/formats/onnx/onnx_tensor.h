// Constants of an ONNX file: from a TensorProto, inline or in a side file, to a Tensor. Inside
// formats/ only.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/onnx/proto.h"
#include "graph/graph.h"

namespace nibble {

// The element types added after the messages of libonnx 1.12.
inline constexpr int kOnnxUint4 = 21, kOnnxInt4 = 22;

// "FLOAT", "INT8", ..., "type 99".
std::string onnx_type_name(int onnx_type);
// How nibble holds such elements: all floats as f32, unsigned ones of 16 and 32 bits in the next
// wider signed type, uint64 in s64. Error: strings, complex numbers, float8, unknown.
Result<DType> element_type(int onnx_type);

// Limit of elements in one tensor, and of the bytes of all constants together; both far above any
// microcontroller, low enough that a hostile file cannot exhaust the host.
inline constexpr int64_t kMaxConstantBytes = int64_t{1} << 30;

// Product of the extents; error: an extent is negative, the product is above kMaxElems.
Result<int64_t> checked_count(const Shape& shape);

// Side files with the data of large constants, each read once. They must lie in the model's folder
// or below.
class SideFiles {
 public:
  explicit SideFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<std::span<const uint8_t>> bytes(const onnx::TensorProto& proto);

 private:
  Result<const std::vector<uint8_t>*> file(const std::string& location);
  std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<std::vector<uint8_t>>> files_;
};

Result<Tensor> read_onnx_tensor(const onnx::TensorProto& proto, SideFiles& side_files);

}  // namespace nibble
