// Turns the operators of a checked .tflite file into nodes of a graph, one after another. The
// conversions stand in import_*.cc by kind of operator. Inside formats/tflite only.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/formats.h"
#include "formats/tflite/fold.h"
#include "formats/tflite/model_file.h"
#include "formats/tflite/tensors.h"
#include "ops/ops.h"

namespace nibble {

class TfliteImporter {
 public:
  // `problems`, if not null, gets what is not supported.
  TfliteImporter(const TfliteModel& model, ImportProblems* problems)
      : model_(model), problems_(problems) {}
  Result<Graph> run();

  // Names of all operators that are read, sorted.
  static std::vector<std::string> supported();

 private:
  using Convert = Status (TfliteImporter::*)(const TfliteOperator&);
  static Convert find_converter(tflite_file::Builtin code);

  // --- importer.cc: the frame.
  // Those that no graph could make known, whatever else is in it.
  std::vector<UnsupportedNode> unknown_operators() const;
  Status prepare();
  Status convert_all(const std::vector<UnsupportedNode>& unknown);
  bool add_placeholder(int index);
  Error report(std::vector<UnsupportedNode> nodes) const;
  Status add_inputs();
  Status convert(const TfliteOperator& op);
  Status fold(const TfliteOperator& op);
  Status add_outputs();

  // --- operands.cc: operands. Errors speak of the operator's own terms; convert() adds operator
  // and file.
  const TfliteTensor& tensor(int index) const { return model_.tensors[static_cast<size_t>(index)]; }
  // Between `least` and `most` operands, the first `least` of them not absent.
  Status need_operands(const TfliteOperator& op, size_t least, size_t most) const;
  bool has_operand(const TfliteOperator& op, size_t operand) const;
  // The value of an operand that carries data; constants are made on first use.
  Result<ValueId> activation(const TfliteOperator& op, size_t operand);
  // A constant filter; as f32 where `src` is f32 (dynamic-range models).
  Result<ValueId> weights(const TfliteOperator& op, size_t operand, ValueId src, int channel_axis);
  // kNoValue if the operand is absent.
  Result<ValueId> bias(const TfliteOperator& op, size_t operand, ValueId src, ValueId weights);
  // Integers that are known by now.
  const StaticArray* static_operand(const TfliteOperator& op, size_t operand);
  const StaticArray* static_tensor(int index);
  Result<const StaticArray*> need_static(const TfliteOperator& op, size_t operand,
                                         const char* what);
  // The one value of a constant whose elements are all the same, as a real number.
  std::optional<float> uniform_constant(const TfliteOperator& op, size_t operand) const;

  // --- Results.
  // Appends a node that writes output 0 of the operator with the type that the file gives it.
  Status emit(const TfliteOperator& op, Op node, std::vector<ValueId> inputs, size_t output = 0);
  // Appends a node for a value that the file does not have; named NAME/suffix, with the
  // quantization of `like`.
  Result<ValueId> emit_helper(const TfliteOperator& op, Op node, std::vector<ValueId> inputs,
                              const std::string& suffix, ValueId like);
  Result<ValueId> append(Op node, const std::string& name, std::vector<ValueId> inputs,
                         const TensorType& type);
  ValueId add_constant(const std::string& name, Tensor value);
  Status charge(int64_t bytes);
  std::string unique_name(const std::string& wanted);
  const TensorType& type_of(ValueId id) const { return graph_.type(id); }
  const Shape& shape_of(ValueId id) const { return graph_.type(id).shape; }
  bool is_float(ValueId id) const { return graph_.type(id).dtype == DType::kF32; }

  // --- import_layers.cc
  Status convert_conv2d(const TfliteOperator& op);
  Status convert_depthwise(const TfliteOperator& op);
  Status convert_dense(const TfliteOperator& op);
  Status convert_pool(const TfliteOperator& op);
  Status convert_mean(const TfliteOperator& op);
  Status convert_softmax(const TfliteOperator& op);
  Result<Window> make_window(const Shape& src, int64_t k_h, int64_t k_w,
                             tflite_file::Padding padding, int64_t stride_h, int64_t stride_w,
                             int64_t dilation_h, int64_t dilation_w) const;

  // --- import_elementwise.cc
  // Arithmetic of two operands; `options` (null where the file has none) hold its fused activation.
  template <class Arithmetic, class Options>
  Status emit_arithmetic(const TfliteOperator& op, const Options* options);
  Status convert_add(const TfliteOperator& op);
  Status convert_sub(const TfliteOperator& op);
  Status convert_mul(const TfliteOperator& op);
  Status convert_div(const TfliteOperator& op);
  Status convert_clamp(const TfliteOperator& op);
  Status convert_extremum(const TfliteOperator& op);
  Status convert_unary(const TfliteOperator& op);
  Status convert_leaky_relu(const TfliteOperator& op);
  Status convert_prelu(const TfliteOperator& op);
  Status convert_quantize(const TfliteOperator& op);
  Status convert_dequantize(const TfliteOperator& op);
  Status convert_cast(const TfliteOperator& op);

  // --- import_shapes.cc
  Status convert_pad(const TfliteOperator& op);
  Status convert_concat(const TfliteOperator& op);
  Status convert_reshape(const TfliteOperator& op);
  Status convert_squeeze(const TfliteOperator& op);
  Status convert_expand_dims(const TfliteOperator& op);
  Status convert_transpose(const TfliteOperator& op);
  Status convert_slice(const TfliteOperator& op);
  Status convert_split(const TfliteOperator& op);
  Status convert_pack(const TfliteOperator& op);
  Status convert_unpack(const TfliteOperator& op);
  Status convert_resize(const TfliteOperator& op);
  Status emit_slice(const TfliteOperator& op, ValueId src, const SliceSpec& spec, size_t output);
  Status emit_parts(const TfliteOperator& op, ValueId src, int64_t axis,
                    const std::vector<int64_t>& sizes, bool drop_axis);

  const TfliteModel& model_;
  ImportProblems* problems_;
  Graph graph_;
  bool dynamic_batch_ = false;                      // an input's batch extent was set to 1
  std::vector<ValueId> values_;                     // by tensor; kNoValue if not made yet
  std::vector<std::optional<StaticArray>> static_;  // by tensor, filled on demand
  std::unordered_map<int64_t, ValueId> constants_;  // weights and biases by tensor and role
  std::unordered_map<std::string, size_t> names_;   // how often each was wanted
  int64_t constant_bytes_ = 0;
};

// --- operands.cc
// Elements that one bookkeeping operator reads at the most.
inline constexpr int64_t kMaxStaticInput = 65'536;
// Whether the constant may be one of bookkeeping: short, of an integer type.
bool is_static_constant(const TfliteTensor& tensor);
// Error: an empty shape, or one too large for any microcontroller; `name` is the tensor's.
Status check_activation_size(const Shape& shape, const std::string& name);
// The bounds of a fused activation. Error: one that no layer of TFLite computes.
Result<Bounds> fused_bounds(tflite_file::Activation activation);
// That of an operator's options; none where the file has no options.
template <class Options>
Result<Bounds> fused_bounds(const Options* options) {
  return fused_bounds(options ? options->fused_activation() : tflite_file::Activation_NONE);
}

}  // namespace nibble
