// The frame of the TFLite importer: what is unsupported, the operators in order, operands and
// results. Entry points of the reader stand at the end.
#include "formats/tflite/importer.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/file.h"
#include "base/text.h"
#include "formats/formats.h"

namespace nibble {

namespace file = tflite_file;

namespace {

constexpr int64_t kMaxStatic = 4096;         // elements of a bookkeeping tensor
constexpr int64_t kMaxStaticInput = 65'536;  // elements that one bookkeeping operator reads
constexpr int64_t kMaxActivation = int64_t{1} << 28;  // elements
constexpr const char* kNotKnown = "not known";
constexpr size_t kMaxListed = 40;  // unsupported operators in one message

bool is_recurrent(file::Builtin code) {
  switch (code) {
    case file::Builtin_LSTM:
    case file::Builtin_SVDF:
    case file::Builtin_RNN:
    case file::Builtin_UNIDIRECTIONAL_SEQUENCE_LSTM:
    case file::Builtin_UNIDIRECTIONAL_SEQUENCE_RNN:
    case file::Builtin_BIDIRECTIONAL_SEQUENCE_LSTM:
    case file::Builtin_BIDIRECTIONAL_SEQUENCE_RNN:
      return true;
    default:
      return false;
  }
}

bool is_known_shape(file::Builtin code) {
  return code == file::Builtin_SHAPE || code == file::Builtin_RANK;
}

// How TFLite's converters write a bookkeeping constant.
StaticArray read_static(const TfliteTensor& tensor) {
  StaticArray array{tensor.shape, {}};
  int64_t count = elem_count(tensor.shape);
  size_t bytes = static_cast<size_t>(tflite_type_bits(tensor.type) / 8);
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* address = tensor.data.data() + static_cast<size_t>(i) * bytes;
    if (tensor.type == file::ElementType_INT64) {
      int64_t value;
      std::memcpy(&value, address, sizeof value);
      array.elems.push_back(value);
    } else if (tensor.type == file::ElementType_INT32) {
      int32_t value;
      std::memcpy(&value, address, sizeof value);
      array.elems.push_back(value);
    } else {
      array.elems.push_back(*address);
    }
  }
  return array;
}

bool is_static_constant(const TfliteTensor& tensor) {
  return tensor.is_constant && !tensor.sparse && is_bookkeeping(tensor) &&
         elem_count(tensor.shape) <= kMaxStatic;
}

Status check_size(const Shape& shape, const std::string& name) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent <= 0)
      return input_error(
          fmt::format("'{}' would be {}, which holds nothing", name, format_shape(shape)));
    if (__builtin_mul_overflow(count, extent, &count) || count > kMaxActivation)
      return input_error(
          fmt::format("'{}' would be {}: more than {} elements, too many for a "
                      "microcontroller",
                      name, format_shape(shape), kMaxActivation));
  }
  return {};
}

}  // namespace

// --- The frame
// --------------------------------------------------------------------------------------

TfliteImporter::Convert TfliteImporter::find_converter(file::Builtin code) {
  using I = TfliteImporter;
  static constexpr std::pair<file::Builtin, Convert> kConverters[] = {
      {file::Builtin_CONV_2D, &I::convert_conv2d},
      {file::Builtin_DEPTHWISE_CONV_2D, &I::convert_depthwise},
      {file::Builtin_FULLY_CONNECTED, &I::convert_dense},
      {file::Builtin_AVERAGE_POOL_2D, &I::convert_pool},
      {file::Builtin_MAX_POOL_2D, &I::convert_pool},
      {file::Builtin_MEAN, &I::convert_mean},
      {file::Builtin_SOFTMAX, &I::convert_softmax},
      {file::Builtin_ADD, &I::convert_add},
      {file::Builtin_SUB, &I::convert_sub},
      {file::Builtin_MUL, &I::convert_mul},
      {file::Builtin_DIV, &I::convert_div},
      {file::Builtin_RELU, &I::convert_clamp},
      {file::Builtin_RELU6, &I::convert_clamp},
      {file::Builtin_RELU_N1_TO_1, &I::convert_clamp},
      {file::Builtin_RELU_0_TO_1, &I::convert_clamp},
      {file::Builtin_MAXIMUM, &I::convert_extremum},
      {file::Builtin_MINIMUM, &I::convert_extremum},
      {file::Builtin_LOGISTIC, &I::convert_unary},
      {file::Builtin_TANH, &I::convert_unary},
      {file::Builtin_HARD_SWISH, &I::convert_unary},
      {file::Builtin_LEAKY_RELU, &I::convert_leaky_relu},
      {file::Builtin_PRELU, &I::convert_prelu},
      {file::Builtin_QUANTIZE, &I::convert_quantize},
      {file::Builtin_DEQUANTIZE, &I::convert_dequantize},
      {file::Builtin_CAST, &I::convert_cast},
      {file::Builtin_PAD, &I::convert_pad},
      {file::Builtin_PADV2, &I::convert_pad},
      {file::Builtin_CONCATENATION, &I::convert_concat},
      {file::Builtin_RESHAPE, &I::convert_reshape},
      {file::Builtin_SQUEEZE, &I::convert_squeeze},
      {file::Builtin_EXPAND_DIMS, &I::convert_expand_dims},
      {file::Builtin_TRANSPOSE, &I::convert_transpose},
      {file::Builtin_SLICE, &I::convert_slice},
      {file::Builtin_STRIDED_SLICE, &I::convert_slice},
      {file::Builtin_SPLIT, &I::convert_split},
      {file::Builtin_SPLIT_V, &I::convert_split},
      {file::Builtin_PACK, &I::convert_pack},
      {file::Builtin_UNPACK, &I::convert_unpack},
      {file::Builtin_RESIZE_NEAREST_NEIGHBOR, &I::convert_resize},
  };
  for (const auto& [known, converter] : kConverters)
    if (known == code) return converter;
  return nullptr;
}

std::vector<std::string> TfliteImporter::supported() {
  std::vector<std::string> names;
  for (file::Builtin code : file::EnumValuesBuiltin())
    if (find_converter(code) || can_fold(code) || is_known_shape(code))
      names.push_back(file::EnumNameBuiltin(code));
  std::sort(names.begin(), names.end());
  return names;
}

Result<Graph> TfliteImporter::run() {
  values_.assign(model_.tensors.size(), kNoValue);
  static_.resize(model_.tensors.size());
  auto named = [&](Error error) {
    error.message = fmt::format("{}: {}", model_.file, error.message);
    return error;
  };
  NIBBLE_TRY(report_unsupported());
  NIBBLE_TRY(check_tflite_order(model_));
  if (model_.subgraphs > 1)
    return named(
        input_error(fmt::format("has {} subgraphs; a model with one is read: export a single "
                                "signature, without control flow",
                                model_.subgraphs)));
  graph_.rounding = Rounding::kTflite;
  graph_.name = std::filesystem::path(model_.file).stem().string();
  if (auto status = add_inputs(); !status.ok()) return named(status.error());
  for (const TfliteOperator& op : model_.operators) {
    if (auto status = convert(op); !status.ok()) {
      note_problems({{op.index, op.kind, op.name, status.error().message}});
      return named(input_error(fmt::format("operator {} ({} '{}'): {}", op.index, op.kind, op.name,
                                           status.error().message)));
    }
  }
  if (auto status = add_outputs(); !status.ok()) return named(status.error());
  drop_unused_values(graph_);
  if (auto status = verify_graph(graph_, VerifyLevel::kImported); !status.ok())
    return named(status.error());
  return std::move(graph_);
}

std::vector<UnsupportedNode> TfliteImporter::unsupported_nodes() const {
  std::vector<bool> known(model_.tensors.size());
  for (const TfliteTensor& tensor : model_.tensors)
    known[static_cast<size_t>(tensor.index)] = is_static_constant(tensor);
  std::vector<UnsupportedNode> nodes;
  for (const TfliteOperator& op : model_.operators) {
    bool folded = can_fold(op.code) && !op.inputs.empty() &&
                  std::all_of(op.inputs.begin(), op.inputs.end(),
                              [&](int i) { return i >= 0 && known[static_cast<size_t>(i)]; });
    if (folded || is_known_shape(op.code)) {
      for (int output : op.outputs) known[static_cast<size_t>(output)] = true;
    } else if (!find_converter(op.code)) {
      std::string why = is_recurrent(op.code) ? "recurrent: not supported yet"
                        : can_fold(op.code)   ? "supported only on shapes that are known in advance"
                                              : kNotKnown;
      nodes.push_back({op.index, op.kind, op.name, why});
    }
  }
  return nodes;
}

void TfliteImporter::note_problems(std::vector<UnsupportedNode> nodes) const {
  if (problems_) *problems_ = {static_cast<int64_t>(model_.operators.size()), std::move(nodes)};
}

// All of them at once, before anything is looked at that could fail for another reason.
Status TfliteImporter::report_unsupported() const {
  std::vector<UnsupportedNode> nodes = unsupported_nodes();
  if (nodes.empty()) return {};
  std::vector<std::string> lines;
  for (const UnsupportedNode& node : std::span(nodes).first(std::min(nodes.size(), kMaxListed)))
    lines.push_back(fmt::format("  operator {}: {}{}, writes '{}'", node.index, node.op,
                                node.why == kNotKnown ? "" : " (" + node.why + ")", node.node));
  if (nodes.size() > kMaxListed)
    lines.push_back(fmt::format("  and {} more", nodes.size() - kMaxListed));
  Error error = input_error(
      fmt::format("{}: {} of {} operators {} not supported:\n{}\nSupported are: {}. "
                  "Replace the others in the model, or cut the model before them.",
                  model_.file, nodes.size(), model_.operators.size(),
                  nodes.size() == 1 ? "is" : "are", join(lines, "\n"), join(supported(), ", ")));
  note_problems(std::move(nodes));
  return error;
}

Status TfliteImporter::add_inputs() {
  if (model_.inputs.empty() || model_.outputs.empty())
    return input_error("the graph has no input or no output");
  for (int index : model_.inputs) {
    const TfliteTensor& tensor = this->tensor(index);
    NIBBLE_ASSIGN(TensorType type, activation_type(tensor));
    for (size_t axis = 0; axis < tensor.dynamic.size(); ++axis) {
      if (!tensor.dynamic[axis]) continue;
      if (axis > 0)
        return input_error(
            fmt::format("input '{}' has a dynamic extent on axis {}; only the batch "
                        "(axis 0) may be dynamic: export with a fixed input shape",
                        tensor.name, axis));
      type.shape[0] = 1;
      dynamic_batch_ = true;
    }
    if (type.shape.size() >= 2 && type.shape[0] != 1)
      return input_error(
          fmt::format("input '{}' is {}: batches of {}; nibble runs one sample at a "
                      "time: export with batch extent 1",
                      tensor.name, format_shape(type.shape), type.shape[0]));
    NIBBLE_TRY(check_size(type.shape, tensor.name));
    values_[static_cast<size_t>(index)] =
        append_input(graph_, unique_name(tensor.name), std::move(type));
    graph_.inputs.back().source_u8 = tensor.type == file::ElementType_UINT8;
  }
  return {};
}

Status TfliteImporter::convert(const TfliteOperator& op) {
  bool all_static = !op.inputs.empty();
  for (size_t i = 0; i < op.inputs.size() && all_static; ++i)
    all_static = static_operand(op, i) != nullptr;
  if (is_known_shape(op.code) || (all_static && can_fold(op.code))) return fold(op);
  Convert converter = find_converter(op.code);
  if (!converter) return input_error("is supported only on shapes that are known in advance");
  return (this->*converter)(op);
}

Status TfliteImporter::fold(const TfliteOperator& op) {
  std::vector<StaticArray> results;
  if (is_known_shape(op.code)) {
    NIBBLE_TRY(need_operands(op, 1, 1));
    const StaticArray* known = static_operand(op, 0);
    ValueId src = values_[static_cast<size_t>(op.inputs[0])];
    const Shape& shape = known             ? known->shape
                         : src != kNoValue ? shape_of(src)
                                           : tensor(op.inputs[0]).shape;
    auto rank = static_cast<int64_t>(shape.size());
    if (op.code == file::Builtin_SHAPE)
      results.push_back({{rank}, shape});
    else
      results.push_back({{}, {rank}});
  } else {
    std::vector<StaticArray> in;
    int64_t elems = 0;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const StaticArray& array = *static_operand(op, i);
      elems += static_cast<int64_t>(array.elems.size());
      if (elems > kMaxStaticInput)
        return input_error(fmt::format("reads more than {} elements; shapes are shorter than that",
                                       kMaxStaticInput));
      in.push_back(array);
    }
    NIBBLE_ASSIGN(results, fold_operator(op, in));
  }
  if (results.size() != op.outputs.size())
    return input_error(
        fmt::format("gives {} results for {} outputs", results.size(), op.outputs.size()));
  for (size_t i = 0; i < results.size(); ++i)
    static_[static_cast<size_t>(op.outputs[i])] = std::move(results[i]);
  return {};
}

Status TfliteImporter::add_outputs() {
  for (int index : model_.outputs) {
    ValueId id = values_[static_cast<size_t>(index)];
    if (id == kNoValue)
      return input_error(fmt::format(
          "the output '{}' does not depend on the inputs: it is a constant", tensor(index).name));
    graph_.outputs.push_back({id, {}});
  }
  return {};
}

// --- Operands
// ---------------------------------------------------------------------------------------

Status TfliteImporter::need_operands(const TfliteOperator& op, size_t least, size_t most) const {
  if (op.inputs.size() < least || op.inputs.size() > most)
    return input_error(
        fmt::format("has {} operands; {} to {} are expected", op.inputs.size(), least, most));
  for (size_t i = 0; i < least; ++i)
    if (!has_operand(op, i)) return input_error(fmt::format("operand {} is missing", i));
  return {};
}

bool TfliteImporter::has_operand(const TfliteOperator& op, size_t operand) const {
  return operand < op.inputs.size() && op.inputs[operand] >= 0;
}

Result<ValueId> TfliteImporter::activation(const TfliteOperator& op, size_t operand) {
  if (!has_operand(op, operand)) return input_error(fmt::format("operand {} is missing", operand));
  auto index = static_cast<size_t>(op.inputs[operand]);
  if (values_[index] != kNoValue) return values_[index];
  if (static_[index] && !model_.tensors[index].is_constant)
    return input_error(fmt::format("computes on '{}', which is a shape; that is not supported",
                                   model_.tensors[index].name));
  NIBBLE_TRY(charge(elem_count(model_.tensors[index].shape) * 4));
  NIBBLE_ASSIGN(Tensor value, activation_constant(model_.tensors[index]));
  values_[index] = add_constant(model_.tensors[index].name, std::move(value));
  return values_[index];
}

Result<ValueId> TfliteImporter::weights(const TfliteOperator& op, size_t operand, ValueId src,
                                        int channel_axis) {
  if (!has_operand(op, operand)) return input_error("its weights are missing");
  auto index = static_cast<size_t>(op.inputs[operand]);
  // Weights that went through DEQUANTIZE (float16 models) are constants of the graph by now.
  if (graph_.is_constant(values_[index])) return values_[index];
  const TfliteTensor& tensor = model_.tensors[index];
  if (!tensor.is_constant)
    return input_error(fmt::format(
        "its weights '{}' are computed at run time; constants are expected", tensor.name));
  bool real = is_float(src);
  int64_t key = (op.inputs[operand] * int64_t{16} + channel_axis) * 2 + (real ? 1 : 0);
  if (auto found = constants_.find(key); found != constants_.end()) return found->second;
  NIBBLE_TRY(charge(elem_count(tensor.shape) * 4));
  NIBBLE_ASSIGN(Tensor value, weight_constant(tensor, channel_axis));
  if (real && value.dtype() != DType::kF32) value = dequantize_tensor(value);
  if (!real && value.dtype() == DType::kF32)
    return input_error(fmt::format("its weights '{}' are float, its input is {}", tensor.name,
                                   dtype_name(type_of(src).dtype)));
  return constants_[key] = add_constant(tensor.name, std::move(value));
}

Result<ValueId> TfliteImporter::bias(const TfliteOperator& op, size_t operand, ValueId src,
                                     ValueId weights) {
  if (!has_operand(op, operand)) return kNoValue;
  auto index = static_cast<size_t>(op.inputs[operand]);
  if (graph_.is_constant(values_[index])) return values_[index];
  const TfliteTensor& tensor = model_.tensors[index];
  if (!tensor.is_constant)
    return input_error(
        fmt::format("its bias '{}' is computed at run time; a constant is expected", tensor.name));
  NIBBLE_TRY(charge(elem_count(tensor.shape) * 8));
  // Not shared: the scale of a bias follows from the input and the weights of its own operator.
  if (is_float(src)) {
    NIBBLE_ASSIGN(Tensor value, float_bias(tensor));
    return add_constant(tensor.name, std::move(value));
  }
  const auto& quant = type_of(src).quant;
  if (!quant) return input_error("its input is an integer without scale");
  NIBBLE_ASSIGN(Tensor value, integer_bias(tensor, quant->scale[0], *type_of(weights).quant));
  return add_constant(tensor.name, std::move(value));
}

const StaticArray* TfliteImporter::static_operand(const TfliteOperator& op, size_t operand) {
  return has_operand(op, operand) ? static_tensor(op.inputs[operand]) : nullptr;
}

const StaticArray* TfliteImporter::static_tensor(int index) {
  auto& known = static_[static_cast<size_t>(index)];
  if (!known && is_static_constant(tensor(index))) known = read_static(tensor(index));
  return known ? &*known : nullptr;
}

Result<const StaticArray*> TfliteImporter::need_static(const TfliteOperator& op, size_t operand,
                                                       const char* what) {
  const StaticArray* array = static_operand(op, operand);
  if (!array)
    return input_error(
        fmt::format("its {} must be known in advance (a constant, or computed from "
                    "static shapes)",
                    what));
  return array;
}

std::optional<float> TfliteImporter::uniform_constant(const TfliteOperator& op,
                                                      size_t operand) const {
  if (!has_operand(op, operand)) return std::nullopt;
  int index = op.inputs[operand];
  ValueId id = values_[static_cast<size_t>(index)];
  std::optional<Tensor> value;
  if (graph_.is_constant(id)) {
    value = graph_.value(id).constant;
  } else if (tensor(index).is_constant && elem_count(tensor(index).shape) <= kMaxStaticInput) {
    auto read = activation_constant(tensor(index));
    if (read.ok()) value = std::move(*read);
  }
  if (!value || value->size() < 1) return std::nullopt;
  if (value->dtype() != DType::kF32) {
    if (!value->type().quant) return std::nullopt;
    value = dequantize_tensor(*value);
  }
  auto elems = value->data<float>();
  bool same = std::all_of(elems.begin(), elems.end(), [&](float e) { return e == elems[0]; });
  return same ? std::optional<float>(elems[0]) : std::nullopt;
}

// --- Results
// ----------------------------------------------------------------------------------------

Status TfliteImporter::emit(const TfliteOperator& op, Op node, std::vector<ValueId> inputs,
                            size_t output) {
  const TfliteTensor& target = tensor(op.outputs[output]);
  NIBBLE_ASSIGN(TensorType type, activation_type(target));
  NIBBLE_ASSIGN(ValueId id, append(std::move(node), target.name, std::move(inputs), type));
  // Where the batch was dynamic the file's shapes are only one example.
  if (!dynamic_batch_ && target.dynamic.empty() && shape_of(id) != target.shape)
    return input_error(fmt::format("its output '{}' is {} in the file, but its operands give {}",
                                   target.name, format_shape(target.shape),
                                   format_shape(shape_of(id))));
  values_[static_cast<size_t>(op.outputs[output])] = id;
  return {};
}

Result<ValueId> TfliteImporter::emit_helper(const TfliteOperator& op, Op node,
                                            std::vector<ValueId> inputs, const std::string& suffix,
                                            ValueId like) {
  return append(std::move(node), op.name + "/" + suffix, std::move(inputs), type_of(like));
}

Result<ValueId> TfliteImporter::append(Op node, const std::string& name,
                                       std::vector<ValueId> inputs, const TensorType& type) {
  NIBBLE_ASSIGN(ValueId id, append_node(graph_, std::move(node), unique_name(name),
                                        std::move(inputs), type.quant, type.dtype));
  NIBBLE_TRY(check_size(shape_of(id), name));
  return id;
}

ValueId TfliteImporter::add_constant(const std::string& name, Tensor value) {
  return append_constant(graph_, unique_name(name), std::move(value));
}

// Many tensors may share one buffer; what they unfold to stays in proportion to the file.
Status TfliteImporter::charge(int64_t bytes) {
  constexpr int64_t kFree = int64_t{16} << 20;
  constexpr int64_t kFactor = 16;
  constant_bytes_ += bytes;
  if (constant_bytes_ > kFree + kFactor * static_cast<int64_t>(model_.file_bytes))
    return input_error(
        "its constants unfold to many times the size of the file; the file is damaged "
        "or hostile");
  return {};
}

// By a table, where append_node alone would search all names for each.
std::string TfliteImporter::unique_name(const std::string& wanted) {
  if (auto [place, fresh] = names_.try_emplace(wanted, 1); fresh) return wanted;
  for (;;) {
    std::string name = fmt::format("{}_{}", wanted, ++names_[wanted]);
    if (names_.try_emplace(name, 1).second) return name;
  }
}

Result<Bounds> fused_bounds(file::Activation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case file::Activation_NONE:
      return Bounds{};
    case file::Activation_RELU:
      return Bounds{0, kInfinity};
    case file::Activation_RELU_N1_TO_1:
      return Bounds{-1, 1};
    case file::Activation_RELU6:
      return Bounds{0, 6};
    default:
      break;
  }
  std::string name = file::EnumNameActivation(activation);
  return input_error(
      fmt::format("the fused activation {} is not supported; NONE, RELU, RELU6 and "
                  "RELU_N1_TO_1 are",
                  name.empty() ? std::to_string(static_cast<int>(activation)) : name));
}

// --- Entry points (formats.h)
// -----------------------------------------------------------------------

Result<Graph> parse_tflite(std::span<const uint8_t> bytes, const std::string& name,
                           ImportProblems* problems) {
  // FlatBuffers reads numbers in place; a view into something larger may lie askew.
  std::vector<uint8_t> aligned;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 16 != 0) {
    aligned.assign(bytes.begin(), bytes.end());
    bytes = aligned;
  }
  NIBBLE_ASSIGN(auto model, load_tflite_model(bytes, name));
  return TfliteImporter(model, problems).run();
}

Result<Graph> read_tflite(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  return parse_tflite(bytes, path.string());
}

}  // namespace nibble
