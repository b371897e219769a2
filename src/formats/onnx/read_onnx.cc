// Reading an ONNX model: the file as a whole, its inputs, constants and outputs, and its nodes in
// order. What the single operators become stands beside this file.
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <span>
#include <unordered_map>

#include "base/file.h"
#include "base/text.h"
#include "formats/formats.h"
#include "formats/onnx/importer.h"
#include "ops/ops.h"

namespace nibble {
namespace {

constexpr int64_t kOldestOpset = 9;
constexpr size_t kMaxReportedNodes = 40;
constexpr int kMaxNodes = 100000;

bool is_onnx_domain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

std::string label_of(const onnx::NodeProto& proto) {
  if (!proto.name().empty()) return proto.name();
  return proto.output_size() > 0 ? proto.output(0) : std::string();
}

std::string full_op_type(const onnx::NodeProto& proto) {
  return is_onnx_domain(proto.domain()) ? proto.op_type() : proto.domain() + "." + proto.op_type();
}

}  // namespace

Status OnnxImporter::check_model(const onnx::ModelProto& model) {
  if (!model.has_graph() || model.graph().node_size() + model.graph().output_size() == 0)
    return input_error(fmt::format("{}: holds no ONNX graph; is it a .onnx model?", file_));
  for (const auto& import : model.opset_import())
    if (is_onnx_domain(import.domain())) opset_ = std::max(opset_, import.version());
  if (opset_ < kOldestOpset)
    return input_error(
        fmt::format("{}: opset {} is too old; opsets from {} on are read (convert with "
                    "onnx.version_converter)",
                    file_, opset_, kOldestOpset));
  if (model.graph().node_size() > kMaxNodes)
    return input_error(fmt::format("{}: has {} nodes; the limit is {}", file_,
                                   model.graph().node_size(), kMaxNodes));
  return {};
}

std::string OnnxImporter::take_name(const std::string& name) {
  if (!name.empty() && used_names_.insert(name).second) return name;
  return fresh_name(name);
}

std::string OnnxImporter::fresh_name(const std::string& base) {
  std::string stem = base.empty() ? "unnamed" : base;
  std::string name = stem;
  for (int64_t i = 2; reserved_names_.contains(name) || !used_names_.insert(name).second; ++i)
    name = fmt::format("{}_{}", stem, i);
  return name;
}

Status OnnxImporter::read_initializers(const onnx::GraphProto& graph) {
  if (graph.sparse_initializer_size() > 0)
    return input_error(fmt::format("{}: constant '{}' is sparse; only dense constants are read",
                                   file_, graph.sparse_initializer(0).values().name()));
  for (const auto& proto : graph.initializer()) {
    auto tensor = read_onnx_tensor(proto, side_files_);
    if (!tensor.ok())
      return input_error(
          fmt::format("{}: constant '{}' {}", file_, proto.name(), tensor.error().message));
    OnnxOperand operand;
    operand.constant = std::move(*tensor);
    operand.onnx_type = proto.data_type();
    operand.name = proto.name();
    if (!operands_.emplace(proto.name(), std::move(operand)).second)
      return input_error(
          fmt::format("{}: there are two constants named '{}'", file_, proto.name()));
  }
  return {};
}

// A batch (leading) extent that is not stated becomes one.
Result<Shape> OnnxImporter::input_shape(const onnx::ValueInfoProto& input) {
  const auto& type = input.type().tensor_type();
  if (!type.has_shape())
    return input_error(
        fmt::format("{}: input '{}' has no shape; export the model with fixed input extents", file_,
                    input.name()));
  Shape shape;
  for (int i = 0; i < type.shape().dim_size(); ++i) {
    const auto& dim = type.shape().dim(i);
    bool known = dim.has_dim_value() && dim.dim_value() > 0;
    if (!known && i > 0)
      return input_error(
          fmt::format("{}: extent {} of input '{}' is not fixed{}; only the first (the batch) may "
                      "be, and is taken as 1. "
                      "Export the model with fixed input extents, or fix them with "
                      "onnxruntime.tools.make_dynamic_shape_fixed",
                      file_, i, input.name(),
                      dim.dim_param().empty() ? "" : fmt::format(" ('{}')", dim.dim_param())));
    shape.push_back(known ? dim.dim_value() : 1);
  }
  auto count = checked_count(shape);
  if (!count.ok())
    return input_error(
        fmt::format("{}: input '{}' {}", file_, input.name(), count.error().message));
  return shape;
}

Status OnnxImporter::read_inputs(const onnx::GraphProto& graph) {
  for (const auto& input : graph.input()) {
    // Before IR version 4, constants were listed among the inputs.
    if (operands_.contains(input.name()) && operands_[input.name()].constant) continue;
    if (operands_.contains(input.name()))
      return input_error(fmt::format("{}: there are two inputs named '{}'", file_, input.name()));
    if (!input.type().has_tensor_type())
      return input_error(fmt::format("{}: input '{}' is not a tensor; only tensors are supported",
                                     file_, input.name()));
    NIBBLE_ASSIGN(Shape shape, input_shape(input));
    int onnx_type = input.type().tensor_type().elem_type();
    auto dtype = element_type(onnx_type);
    if (!dtype.ok())
      return input_error(
          fmt::format("{}: input '{}': {}", file_, input.name(), dtype.error().message));
    OnnxOperand operand;
    operand.onnx_type = onnx_type;
    operand.name = input.name();
    operand.value =
        append_input(graph_, take_name(input.name()), TensorType{shape, *dtype, std::nullopt});
    operands_[input.name()] = std::move(operand);
  }
  if (graph_.inputs.empty()) return input_error(fmt::format("{}: the model has no inputs", file_));
  return {};
}

// ONNX asks for topological order; files that do not keep it are sorted.
Result<std::vector<const onnx::NodeProto*>> OnnxImporter::sorted_nodes(
    const onnx::GraphProto& graph) {
  int count = graph.node_size();
  std::unordered_map<std::string, int> producer;
  for (int i = 0; i < count; ++i)
    for (const std::string& output : graph.node(i).output()) {
      if (output.empty()) continue;
      if (operands_.contains(output) || !producer.emplace(output, i).second)
        return input_error(fmt::format("{}: node '{}' writes '{}', which exists already", file_,
                                       label_of(graph.node(i)), output));
      reserved_names_.insert(output);
    }
  std::vector<int> waiting_for(static_cast<size_t>(count), 0);
  std::vector<std::vector<int>> readers(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i)
    for (const std::string& input : graph.node(i).input()) {
      if (input.empty() || operands_.contains(input)) continue;
      auto writer = producer.find(input);
      if (writer == producer.end())
        return input_error(fmt::format("{}: node '{}' ({}) reads '{}', which nothing writes", file_,
                                       label_of(graph.node(i)), graph.node(i).op_type(), input));
      readers[static_cast<size_t>(writer->second)].push_back(i);
      ++waiting_for[static_cast<size_t>(i)];
    }
  std::set<int> ready;
  for (int i = 0; i < count; ++i)
    if (waiting_for[static_cast<size_t>(i)] == 0) ready.insert(i);
  std::vector<const onnx::NodeProto*> order;
  while (!ready.empty()) {
    int next = *ready.begin();
    ready.erase(ready.begin());
    order.push_back(&graph.node(next));
    for (int reader : readers[static_cast<size_t>(next)])
      if (--waiting_for[static_cast<size_t>(reader)] == 0) ready.insert(reader);
  }
  if (order.size() == static_cast<size_t>(count)) return order;
  int stuck = 0;
  while (waiting_for[static_cast<size_t>(stuck)] == 0) ++stuck;
  return input_error(
      fmt::format("{}: node '{}' ({}) depends on its own output; the graph must have no cycle",
                  file_, label_of(graph.node(stuck)), graph.node(stuck).op_type()));
}

Status OnnxImporter::import_operator(const onnx::NodeProto& proto) {
  std::string domain = is_onnx_domain(proto.domain()) ? "" : proto.domain();
  const OnnxOperator* row = find_onnx_operator(proto.op_type(), domain);
  if (!row) {
    std::string why = domain.empty() ? why_unsupported(proto.op_type()) : "";
    return input_error(why.empty() ? "not known" : why);
  }
  OnnxNode node(*this, proto);
  if (node.input_count() < row->min_inputs || node.input_count() > row->max_inputs)
    return input_error(fmt::format("has {} inputs", node.input_count()));
  for (size_t i = 0; i < row->min_inputs; ++i)
    if (!node.has_input(i)) return input_error(fmt::format("input {} is missing", i));
  if (proto.output_size() == 0) return input_error("has no outputs");
  NIBBLE_TRY(row->import(node));
  NIBBLE_TRY(node.attribute_error());
  for (size_t i = 0; i < node.output_count(); ++i) {
    const std::string& output = proto.output(static_cast<int>(i));
    if (output.empty()) continue;
    if (!node.outputs_[i]) {
      missing_[output] =
          fmt::format("output {} of node '{}' ({})", i, node.name(), proto.op_type());
      continue;
    }
    operands_[output] = std::move(*node.outputs_[i]);
  }
  return {};
}

void OnnxImporter::add_problem(const onnx::NodeProto& proto, const std::string& why) {
  problems_.push_back({&proto, why, !is_known(proto)});
}

bool OnnxImporter::is_known(const onnx::NodeProto& proto) {
  std::string domain = is_onnx_domain(proto.domain()) ? "" : proto.domain();
  return find_onnx_operator(proto.op_type(), domain) != nullptr;
}

void OnnxImporter::list_unknown_operators(const onnx::GraphProto& graph) {
  for (const auto& proto : graph.node())
    if (!is_known(proto)) add_problem(proto, import_operator(proto).error().message);
}

// A node that cannot be imported is noted, and what depends on it is passed over, so that one
// report names all.
void OnnxImporter::import_node(const onnx::NodeProto& proto) {
  bool fed = true;
  std::string lacking;
  for (const std::string& input : proto.input()) {
    fed = fed && !failed_.contains(input);
    if (auto found = missing_.find(input); found != missing_.end()) lacking = found->second;
  }
  if (fed || !is_known(proto)) {
    Status status =
        fed && !lacking.empty()
            ? input_error(fmt::format("reads {}, which nibble does not compute", lacking))
            : import_operator(proto);
    if (status.ok()) return;
    add_problem(proto, status.error().message);
  }
  for (const std::string& output : proto.output())
    if (!output.empty()) failed_.insert(output);
}

std::string OnnxImporter::problem_report() const {
  std::string report =
      fmt::format("{}: {} of {} operators {} not supported:\n", file_, problems_.size(),
                  node_count_, problems_.size() == 1 ? "is" : "are");
  size_t shown = std::min(problems_.size(), kMaxReportedNodes);
  for (const Problem& problem : std::span(problems_).first(shown))
    report += fmt::format("  operator '{}': {}{}\n", label_of(*problem.proto),
                          full_op_type(*problem.proto),
                          problem.unknown ? " (" + problem.why + ")" : ": " + problem.why);
  if (shown < problems_.size()) report += fmt::format("  and {} more\n", problems_.size() - shown);
  return report + "Supported are: " + supported_onnx_operators();
}

void OnnxImporter::fill_problems(const onnx::GraphProto& graph, ImportProblems& problems) const {
  std::unordered_map<const onnx::NodeProto*, const Problem*> by_node;
  for (const Problem& problem : problems_) by_node[problem.proto] = &problem;
  problems.node_count = graph.node_size();
  for (int i = 0; i < graph.node_size(); ++i) {
    auto found = by_node.find(&graph.node(i));
    if (found == by_node.end()) continue;
    problems.unsupported.push_back(
        {i, full_op_type(graph.node(i)), label_of(graph.node(i)), found->second->why});
  }
}

Status OnnxImporter::bind_output(const onnx::ValueInfoProto& output, std::set<ValueId>& bound) {
  auto operand = operands_.find(output.name());
  if (operand == operands_.end()) {
    auto lacking = missing_.find(output.name());
    if (lacking == missing_.end())
      return input_error(fmt::format("{}: nothing writes the output '{}'", file_, output.name()));
    return input_error(fmt::format("{}: the output '{}' is {}, which nibble does not compute",
                                   file_, output.name(), lacking->second));
  }
  if (operand->second.constant)
    return input_error(
        fmt::format("{}: the output '{}' does not depend on the model's input; remove it", file_,
                    output.name()));
  ValueId value = operand->second.value;
  bool is_input = std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                              [&](const Port& port) { return port.value == value; });
  int declared = output.type().tensor_type().elem_type();
  const TensorType type = graph_.type(value);
  auto set_aside_name = [&] {
    if (graph_.value(value).name == output.name() && !is_input)
      graph_.value(value).name = fresh_name(output.name() + "/inner");
  };
  bool unsigned_again =
      declared == onnx::TensorProto::UINT8 && type.dtype == DType::kS8 && type.quant;
  if (unsigned_again) {
    QuantParams params = *type.quant;
    for (int32_t& zero_point : params.zero_point) zero_point += 128;
    params.q_min = 0;
    params.q_max = 255;
    set_aside_name();
    NIBBLE_ASSIGN(value,
                  append_node(graph_, Quantize{}, output.name(), {value}, params, DType::kU8));
  } else if (is_input || bound.contains(value)) {
    NIBBLE_ASSIGN(value, append_node(graph_, Reshape{type.shape}, output.name(), {value},
                                     type.quant, type.dtype));
  }
  bound.insert(value);
  // Behind an identity the value has its inner name; an output keeps the one in the file.
  if (used_names_.insert(output.name()).second) graph_.value(value).name = output.name();
  graph_.outputs.push_back({value, {}});
  return {};
}

Status OnnxImporter::bind_outputs(const onnx::GraphProto& graph) {
  if (graph.output_size() == 0)
    return input_error(fmt::format("{}: the model has no outputs", file_));
  std::set<ValueId> bound;
  for (const auto& output : graph.output()) NIBBLE_TRY(bind_output(output, bound));
  return {};
}

Result<std::vector<const onnx::NodeProto*>> OnnxImporter::prepare(const onnx::GraphProto& graph) {
  NIBBLE_TRY(read_initializers(graph));
  NIBBLE_TRY(read_inputs(graph));
  return sorted_nodes(graph);
}

Result<Graph> OnnxImporter::import_model(const onnx::ModelProto& model, ImportProblems* problems) {
  NIBBLE_TRY(check_model(model));
  const onnx::GraphProto& graph = model.graph();
  node_count_ = graph.node_size();
  graph_.name = graph.name().empty() ? "model" : graph.name();
  // ONNX Runtime rounds a requantization once. Measured on the QDQ models of MLPerf Tiny: per layer
  // 0.01 to 0.2 % of the integers differ from it by one step, with TFLite's double rounding 1 to 40
  // %.
  graph_.rounding = Rounding::kSingle;
  auto order = prepare(graph);
  if (order.ok())
    for (const onnx::NodeProto* proto : *order) import_node(*proto);
  else
    list_unknown_operators(graph);  // told before anything that is wrong around them
  if (!order.ok() && problems_.empty()) return std::move(order).error();
  if (!problems_.empty()) {
    if (problems) fill_problems(graph, *problems);
    return input_error(problem_report());
  }
  NIBBLE_TRY(bind_outputs(graph));
  drop_unused_values(graph_);
  auto verified = verify_graph(graph_, VerifyLevel::kImported);
  if (!verified.ok()) return input_error(fmt::format("{}: {}", file_, verified.error().message));
  return std::move(graph_);
}

Result<Graph> parse_onnx(std::span<const uint8_t> bytes, const std::string& name,
                         const std::filesystem::path& folder, ImportProblems* problems) {
  onnx::ModelProto model;
  constexpr size_t kMaxBytes = std::numeric_limits<int>::max();
  if (bytes.size() > kMaxBytes)
    return input_error(fmt::format("{}: is larger than 2 GB, the limit of the format", name));
  google::protobuf::io::CodedInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    return input_error(fmt::format(
        "{}: {}", name,
        name.ends_with(".onnx")
            ? "is not an ONNX model (the file may be cut off); export it again"
            : "is no model that nibble reads, or one that was cut off; .onnx, .tflite and .nibble "
              "files are read"));
  return OnnxImporter(name, folder).import_model(model, problems);
}

Result<Graph> read_onnx(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  return parse_onnx(bytes, path.string(), path.parent_path());
}

}  // namespace nibble
