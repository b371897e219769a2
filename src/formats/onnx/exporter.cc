// Writing an ONNX model: the file as a whole, its names, its inputs and outputs. How values are
// held and quantized stands in export_values.cc, what the single operators become in
// export_layers.cc and export_moves.cc.
#include "formats/onnx/exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/file.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// The oldest that has what most models need (HardSwish, per-channel quantization), so that most
// tools read it; 16-bit quantization and dilated average pools came with 21.
constexpr int64_t kOpset = 17, kIrVersion = 8;
constexpr int64_t kWideOpset = 21, kWideIrVersion = 10;

bool is_wide(const Graph& graph) {
  const bool wide_value = std::ranges::any_of(graph.values, [](const Value& value) {
    return value.type.dtype == DType::kS16 || (value.type.quant && value.type.quant->group > 0);
  });
  return wide_value || std::ranges::any_of(graph.nodes, [](const Node& node) {
           const auto* pool = std::get_if<AvgPool2d>(&node.op);
           return pool && std::max(pool->window.dilation_h, pool->window.dilation_w) > 1;
         });
}

}  // namespace

Perm channels_first(size_t rank) {
  Perm axes = identity_perm(rank);
  if (rank > 2) std::rotate(axes.begin() + 1, axes.end() - 1, axes.end());
  return axes;
}

OnnxExporter::OnnxExporter(const Graph& graph, const OnnxOptions& options)
    : graph_(graph), options_(options), file_(*model_.mutable_graph()) {
  const bool wide = is_wide(graph);
  opset_ = wide ? kWideOpset : kOpset;
  model_.set_ir_version(wide ? kWideIrVersion : kIrVersion);
  model_.set_producer_name("nibble");
  auto* opset = model_.add_opset_import();
  opset->set_domain("");
  opset->set_version(opset_);
  file_.set_name(graph.name.empty() ? "model" : graph.name);
  held_.resize(graph.values.size());
  stands_for_.assign(graph.values.size(), kNoValue);
  for (const Value& value : graph.values) names_.insert(value.name);
}

std::string OnnxExporter::fresh_name(const std::string& base) {
  std::string name = base;
  for (int64_t i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", base, i);
  return name;
}

std::string OnnxExporter::take_name(const std::string& value, const std::string& suffix) {
  return taken_.insert(value).second ? value : fresh_name(value + suffix);
}

onnx::NodeProto& OnnxExporter::add_node(const std::string& type, const std::string& name,
                                        const std::vector<std::string>& inputs,
                                        const std::string& output) {
  onnx::NodeProto& node = *file_.add_node();
  node.set_op_type(type);
  node.set_name(name);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}

std::string OnnxExporter::add_floats(const std::string& name, const Shape& shape,
                                     std::span<const float> elems) {
  onnx::TensorProto& tensor = *file_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t extent : shape) tensor.add_dims(extent);
  tensor.set_raw_data(elems.data(), elems.size_bytes());
  return tensor.name();
}

std::string OnnxExporter::add_integers(const std::string& name, std::span<const int64_t> elems) {
  onnx::TensorProto& tensor = *file_.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(elems.size()));
  tensor.set_raw_data(elems.data(), elems.size_bytes());
  return tensor.name();
}

void OnnxExporter::rename(const std::string& from, const std::string& to) {
  auto change = [&](std::string& name) {
    if (name == from) name = to;
  };
  for (onnx::NodeProto& node : *file_.mutable_node()) {
    for (std::string& name : *node.mutable_input()) change(name);
    for (std::string& name : *node.mutable_output()) change(name);
  }
  for (Held& held : held_) {
    change(held.real);
    for (auto& [axes, name] : held.tensors) change(name);
  }
}

void OnnxExporter::declare(onnx::ValueInfoProto& info, const std::string& name,
                           const Shape& shape) {
  info.set_name(name);
  auto* type = info.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape();
  for (int64_t extent : shape) type->mutable_shape()->add_dim()->set_dim_value(extent);
}

// A port that came from a file in another order of axes has that order again: extent i of the
// value is extent source_perm[i] of the file's.
Status OnnxExporter::write_inputs() {
  for (const Port& port : graph_.inputs) {
    NIBBLE_TRY(check_value(port.value));
    const Shape& shape = graph_.type(port.value).shape;
    const Perm axes =
        port.source_perm.empty() ? identity_perm(shape.size()) : inverse(port.source_perm);
    const std::string name = take_name(graph_.value(port.value).name, "_input");
    declare(*file_.add_input(), name, permuted(shape, axes));
    Held& held = held_[static_cast<size_t>(port.value)];
    held = {name, axes, true, {}};
    const bool real = graph_.type(port.value).dtype == DType::kF32;
    if (real) held.tensors.emplace_back(axes, name);
  }
  return {};
}

Status OnnxExporter::write_output(const Port& port) {
  const Shape& shape = graph_.type(port.value).shape;
  const Perm axes =
      port.source_perm.empty() ? identity_perm(shape.size()) : inverse(port.source_perm);
  std::string name = operand(port.value, axes);
  const std::string& wanted = graph_.value(port.value).name;
  auto is_border = [&](const std::string& tensor) {
    return outputs_.contains(tensor) || std::ranges::any_of(file_.input(), [&](const auto& input) {
             return input.name() == tensor;
           });
  };
  const bool is_free = !is_border(wanted);
  if (is_free && name != wanted && !taken_.insert(wanted).second)
    rename(wanted, fresh_name(wanted + "_inner"));
  const std::string final = is_free ? wanted : fresh_name(wanted + "_output");
  if (is_border(name))
    add_node("Identity", final, {name}, final);
  else
    rename(name, final);
  outputs_.insert(final);
  declare(*file_.add_output(), final, permuted(shape, axes));
  return {};
}

Status OnnxExporter::write_outputs() {
  std::set<ValueId> written;
  for (const Port& port : graph_.outputs) {
    NIBBLE_TRY(write_output(port));
    written.insert(port.value);
  }
  if (!options_.activations) return {};
  for (const Port& port : graph_.inputs)
    if (graph_.type(port.value).quant && written.insert(port.value).second)
      NIBBLE_TRY(write_output({port.value, {}}));
  for (const Node& node : graph_.nodes)
    for (ValueId id : node.outputs)
      if (resolved(id) == id && written.insert(id).second) NIBBLE_TRY(write_output({id, {}}));
  return {};
}

Result<std::vector<uint8_t>> OnnxExporter::write() {
  NIBBLE_TRY(write_inputs());
  for (const Node& node : graph_.nodes) {
    ExportNode state(*this, node);
    for (ValueId id : node.outputs)
      if (auto status = check_value(id); !status.ok()) return state.error(status.error().message);
    if (auto status = export_node(state, node.op); !status.ok())
      return state.error(status.error().message);
  }
  NIBBLE_TRY(write_outputs());
  if (model_.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max()))
    return input_error(fmt::format(
        "'{}' is larger than 2 GB, the limit of an ONNX file; write it as .nibble", graph_.name));
  std::vector<uint8_t> bytes(model_.ByteSizeLong());
  NIBBLE_CHECK(model_.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())));
  return bytes;
}

Result<std::vector<uint8_t>> onnx_bytes(const Graph& graph, const OnnxOptions& options) {
  return OnnxExporter(graph, options).write();
}

Status write_onnx(const Graph& graph, const std::filesystem::path& path,
                  const OnnxOptions& options) {
  NIBBLE_ASSIGN(auto bytes, onnx_bytes(graph, options));
  return write_file(path, bytes);
}

}  // namespace nibble
