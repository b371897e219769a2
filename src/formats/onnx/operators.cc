// The table of the ONNX operators that are imported. To add one: a row here, a line in
// operator_list.h, its import.
#include <algorithm>
#include <set>
#include <string_view>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

constexpr size_t kAny = 65536;
constexpr const char* kMicrosoft = "com.microsoft";

// name, domain, import, least and most inputs
constexpr OnnxOperator kOperators[] = {
    {"Abs", "", import_constant_arithmetic, 1, 1},
    {"Add", "", import_add, 2, 2},
    {"And", "", import_constant_arithmetic, 2, 2},
    {"AveragePool", "", import_average_pool, 1, 1},
    {"BatchNormalization", "", import_batch_norm, 5, 5},
    {"Cast", "", import_cast, 1, 1},
    {"Ceil", "", import_constant_arithmetic, 1, 1},
    {"Clip", "", import_clip, 1, 3},
    {"Concat", "", import_concat, 1, kAny},
    {"Constant", "", import_constant, 0, 0},
    {"ConstantOfShape", "", import_constant_of_shape, 1, 1},
    {"Conv", "", import_conv, 2, 3},
    {"DepthToSpace", "", import_depth_to_space, 1, 1},
    {"DequantizeLinear", "", import_dequantize, 2, 3},
    {"DequantizeLinear", kMicrosoft, import_dequantize, 2, 3},
    {"Div", "", import_div, 2, 2},
    {"Dropout", "", import_identity, 1, 3},
    {"Equal", "", import_constant_arithmetic, 2, 2},
    {"Expand", "", import_expand, 2, 2},
    {"Flatten", "", import_flatten, 1, 1},
    {"Floor", "", import_constant_arithmetic, 1, 1},
    {"Gather", "", import_gather, 2, 2},
    {"Gemm", "", import_gemm, 2, 3},
    {"GlobalAveragePool", "", import_global_average_pool, 1, 1},
    {"GlobalMaxPool", "", import_global_max_pool, 1, 1},
    {"Greater", "", import_constant_arithmetic, 2, 2},
    {"GreaterOrEqual", "", import_constant_arithmetic, 2, 2},
    {"HardSigmoid", "", import_hard_sigmoid, 1, 1},
    {"HardSwish", "", import_hard_swish, 1, 1},
    {"Identity", "", import_identity, 1, 1},
    {"LeakyRelu", "", import_leaky_relu, 1, 1},
    {"Less", "", import_constant_arithmetic, 2, 2},
    {"LessOrEqual", "", import_constant_arithmetic, 2, 2},
    {"MatMul", "", import_matmul, 2, 2},
    {"Max", "", import_min_max, 1, kAny},
    {"MaxPool", "", import_max_pool, 1, 1},
    {"Mean", "", import_sum, 1, kAny},
    {"Min", "", import_min_max, 1, kAny},
    {"Mod", "", import_constant_arithmetic, 2, 2},
    {"Mul", "", import_mul, 2, 2},
    {"Neg", "", import_neg, 1, 1},
    {"Not", "", import_constant_arithmetic, 1, 1},
    {"Or", "", import_constant_arithmetic, 2, 2},
    {"PRelu", "", import_prelu, 2, 2},
    {"Pad", "", import_pad, 1, 4},
    {"Pow", "", import_constant_arithmetic, 2, 2},
    {"QLinearAdd", kMicrosoft, import_qlinear_add, 7, 8},
    {"QLinearConv", "", import_qlinear_conv, 8, 9},
    {"QLinearGlobalAveragePool", kMicrosoft, import_qlinear_global_average_pool, 5, 5},
    {"QLinearMatMul", "", import_qlinear_matmul, 8, 8},
    {"QLinearMul", kMicrosoft, import_qlinear_mul, 7, 8},
    {"QuantizeLinear", "", import_quantize, 2, 3},
    {"QuantizeLinear", kMicrosoft, import_quantize, 2, 3},
    {"Range", "", import_range, 3, 3},
    {"Reciprocal", "", import_constant_arithmetic, 1, 1},
    {"ReduceMean", "", import_reduce_mean, 1, 2},
    {"ReduceSum", "", import_reduce_mean, 1, 2},
    {"Relu", "", import_relu, 1, 1},
    {"Reshape", "", import_reshape, 2, 2},
    {"Resize", "", import_resize, 1, 4},
    {"Shape", "", import_shape, 1, 1},
    {"Sigmoid", "", import_sigmoid, 1, 1},
    {"Size", "", import_size, 1, 1},
    {"Slice", "", import_slice, 1, 5},
    {"Softmax", "", import_softmax, 1, 1},
    {"SpaceToDepth", "", import_space_to_depth, 1, 1},
    {"Split", "", import_split, 1, 2},
    {"Sqrt", "", import_constant_arithmetic, 1, 1},
    {"Squeeze", "", import_squeeze, 1, 2},
    {"Sub", "", import_sub, 2, 2},
    {"Sum", "", import_sum, 1, kAny},
    {"Swish", "", import_swish, 1, 1},
    {"Tanh", "", import_tanh, 1, 1},
    {"Tile", "", import_tile, 2, 2},
    {"Transpose", "", import_transpose, 1, 1},
    {"Unsqueeze", "", import_unsqueeze, 1, 2},
    {"Upsample", "", import_resize, 2, 2},
    {"Where", "", import_where, 3, 3},
};

// Operators that exist for values known at import only; the list for users leaves them out.
bool is_bookkeeping(const OnnxOperator& row) {
  constexpr std::string_view kOthers[] = {"Cast",  "Expand", "Gather", "Range",
                                          "Shape", "Size",   "Tile",   "Where"};
  return row.import == import_constant_arithmetic ||
         std::find(std::begin(kOthers), std::end(kOthers), row.name) != std::end(kOthers);
}

}  // namespace

const OnnxOperator* find_onnx_operator(const std::string& name, const std::string& domain) {
  for (const OnnxOperator& row : kOperators)
    if (row.name == name && row.domain == domain) return &row;
  return nullptr;
}

std::string supported_onnx_operators() {
  std::string computed, folded;
  std::set<std::string> seen;
  for (const OnnxOperator& row : kOperators) {
    if (!seen.insert(row.name).second) continue;
    std::string& list = is_bookkeeping(row) ? folded : computed;
    list += (list.empty() ? "" : ", ") + std::string(row.name);
  }
  return computed + "; on constants and shapes also " + folded;
}

std::string why_unsupported(const std::string& name) {
  constexpr std::string_view kControl[] = {"If", "Loop", "Scan"};
  constexpr std::string_view kRecurrent[] = {"LSTM", "GRU", "RNN"};
  constexpr std::string_view kDynamic[] = {"DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"};
  auto is_in = [&](const auto& list) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
  };
  if (is_in(kControl)) return "control flow; export the model as one straight graph";
  if (is_in(kRecurrent)) return "recurrent: not supported yet";
  if (is_in(kDynamic))
    return "dynamic quantization; quantize statically, or give nibble the float model";
  return "";
}

}  // namespace nibble
