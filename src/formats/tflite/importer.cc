// The frame of the TFLite importer: what is unsupported, the operators in order. Entry points of
// the reader stand at the end.
#include "formats/tflite/importer.h"

#include <algorithm>
#include <span>

#include "base/file.h"
#include "base/text.h"
#include "formats/formats.h"

namespace nibble {

namespace file = tflite_file;

namespace {

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

}  // namespace

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
  std::vector<UnsupportedNode> unknown = unknown_operators();
  // What is unknown is told before anything that is wrong around it.
  if (auto status = prepare(); !status.ok()) {
    if (unknown.empty()) return named(status.error());
    return report(std::move(unknown));
  }
  NIBBLE_TRY(convert_all(unknown));
  if (auto status = add_outputs(); !status.ok()) return named(status.error());
  drop_unused_values(graph_);
  if (auto status = verify_graph(graph_, VerifyLevel::kImported); !status.ok())
    return named(status.error());
  return std::move(graph_);
}

std::vector<UnsupportedNode> TfliteImporter::unknown_operators() const {
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

Status TfliteImporter::prepare() {
  NIBBLE_TRY(check_tflite_order(model_));
  if (model_.subgraphs > 1)
    return input_error(
        fmt::format("has {} subgraphs; a model with one is read: export a single signature, "
                    "without control flow",
                    model_.subgraphs));
  graph_.rounding = Rounding::kTflite;
  graph_.name = std::filesystem::path(model_.file).stem().string();
  return add_inputs();
}

// All that cannot be converted at once, each for its own reason: behind such an operator stand
// placeholders of the types that the file gives its outputs, and what cannot be judged without
// them is passed over.
Status TfliteImporter::convert_all(const std::vector<UnsupportedNode>& unknown) {
  std::vector<UnsupportedNode> problems;
  std::vector<bool> undetermined(model_.tensors.size());
  auto next = unknown.begin();
  for (const TfliteOperator& op : model_.operators) {
    bool judged = std::none_of(op.inputs.begin(), op.inputs.end(), [&](int i) {
      return i >= 0 && undetermined[static_cast<size_t>(i)];
    });
    if (next != unknown.end() && next->index == op.index) {
      problems.push_back(*next++);
    } else if (judged) {
      Status status = convert(op);
      if (status.ok()) continue;
      problems.push_back({op.index, op.kind, op.name, status.error().message});
    }
    for (int output : op.outputs)
      if (!judged || !add_placeholder(output)) undetermined[static_cast<size_t>(output)] = true;
  }
  return problems.empty() ? Status() : report(std::move(problems));
}

// False: the file does not say enough of the tensor to go on with it.
bool TfliteImporter::add_placeholder(int index) {
  const TfliteTensor& tensor = this->tensor(index);
  ValueId& value = values_[static_cast<size_t>(index)];
  if (value != kNoValue) return true;
  if (is_bookkeeping(tensor)) return false;
  Result<TensorType> type = activation_type(tensor);
  if (!type.ok()) return false;
  if (dynamic_batch_ && !type->shape.empty()) type->shape[0] = 1;
  if (!check_activation_size(type->shape, tensor.name).ok()) return false;
  value = append_input(graph_, unique_name(tensor.name), std::move(*type));
  return true;
}

Error TfliteImporter::report(std::vector<UnsupportedNode> nodes) const {
  auto is_known = [&](const UnsupportedNode& node) {
    return find_converter(model_.operators[static_cast<size_t>(node.index)].code) != nullptr;
  };
  std::string text;
  if (nodes.size() == 1 && is_known(nodes[0])) {
    text = fmt::format("{}: operator {} ({} '{}'): {}", model_.file, nodes[0].index, nodes[0].op,
                       nodes[0].node, nodes[0].why);
  } else {
    std::vector<std::string> lines;
    for (const UnsupportedNode& node : std::span(nodes).first(std::min(nodes.size(), kMaxListed)))
      lines.push_back(
          is_known(node)
              ? fmt::format("  operator {} ({} '{}'): {}", node.index, node.op, node.node, node.why)
              : fmt::format("  operator {}: {}{}, writes '{}'", node.index, node.op,
                            node.why == kNotKnown ? "" : " (" + node.why + ")", node.node));
    if (nodes.size() > kMaxListed)
      lines.push_back(fmt::format("  and {} more", nodes.size() - kMaxListed));
    text =
        fmt::format("{}: {} of {} operators {} not supported:\n{}", model_.file, nodes.size(),
                    model_.operators.size(), nodes.size() == 1 ? "is" : "are", join(lines, "\n"));
    if (!std::all_of(nodes.begin(), nodes.end(), is_known))
      text += fmt::format(
          "\nSupported are: {}. Replace the others in the model, or cut the model before them.",
          join(supported(), ", "));
  }
  if (problems_) *problems_ = {static_cast<int64_t>(model_.operators.size()), std::move(nodes)};
  return input_error(std::move(text));
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
    NIBBLE_TRY(check_activation_size(type.shape, tensor.name));
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

// --- Entry points (formats.h)

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
