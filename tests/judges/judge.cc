// Running ONNX Runtime and counting differences; judge.h says what.
#include "judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>

#include "base/file.h"
#include "base/parallel.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "support/compare_graphs.h"
#include "support/onnx_builder.h"
#include "support/shared_data.h"
#include "support/shell.h"
#include "support/tools.h"

namespace nibble::judges {
namespace {

Tensor sample_at(const Tensor& samples, int64_t index, const TensorType& type) {
  Tensor sample(TensorType{type.shape, samples.dtype(), std::nullopt});
  const size_t width = sample.bytes().size();
  const auto from = samples.bytes().subspan(static_cast<size_t>(index) * width, width);
  std::ranges::copy(from, sample.mutable_bytes().begin());
  return sample;
}

// The tensor that a graph's input takes of a real sample.
Tensor placed(const Tensor& sample, const TensorType& type) {
  return type.dtype == DType::kF32 ? sample : quantize_tensor(sample, type);
}

size_t argmax(const Tensor& steps) {
  size_t best = 0;
  for (int64_t i = 1; i < steps.size(); ++i)
    if (steps.integer_at(i) > steps.integer_at(static_cast<int64_t>(best)))
      best = static_cast<size_t>(i);
  return best;
}

bool moves_only(const Node& node) {
  const Op& op = node.op;
  return std::holds_alternative<Reshape>(op) || std::holds_alternative<Transpose>(op) ||
         std::holds_alternative<Slice>(op) || std::holds_alternative<Pad>(op) ||
         std::holds_alternative<MaxPool2d>(op) || std::holds_alternative<ResizeNearest>(op);
}

// A concat copies, unless it rescales an operand; so does a clamp.
bool is_exact(const Graph& graph, const Node& node) {
  const TensorType& out = graph.type(node.outputs[0]);
  if (moves_only(node)) return true;
  if (!std::holds_alternative<Concat>(node.op) && !std::holds_alternative<Clamp>(node.op))
    return false;
  return std::ranges::all_of(node.inputs,
                             [&](ValueId id) { return graph.type(id).quant == out.quant; });
}

}  // namespace

std::filesystem::path judges_folder() {
  if (const char* folder = std::getenv("NIBBLE_JUDGES")) return folder;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root = cache && *cache
                                         ? std::filesystem::path(cache)
                                         : std::filesystem::path(home ? home : "") / ".cache";
  return root / "nibble/judges";
}

std::string missing_onnx_runtime() {
  if (std::string missing = missing_tools({"node"}); !missing.empty())
    return "node is not installed (Debian: nodejs)";
  if (std::filesystem::exists(judges_folder() / "node_modules/onnxruntime-node")) return "";
  return "ONNX Runtime is not in " + judges_folder().string() +
         " (`tools/setup test` installs it from npm)";
}

bool has_exact_products() {
  std::ifstream file("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const bool is_x86 = text.find("avx2") != std::string::npos;
  return !is_x86 || text.find("vnni") != std::string::npos;
}

const char* level_name(Level level) { return level == Level::kDefined ? "disabled" : "all"; }

Result<Arrays> run_onnx_runtime(std::span<const uint8_t> model, const Arrays& inputs, Level level) {
  NIBBLE_ASSIGN(TempDir folder, TempDir::create());
  NIBBLE_TRY(write_file(folder.path() / "model.onnx", model));
  NIBBLE_TRY(write_npz(folder.path() / "in.npz", inputs));
  const ShellResult result =
      run_shell(fmt::format("NIBBLE_JUDGES='{}' node '{}' model.onnx in.npz out.npz {}",
                            judges_folder().string(),
                            source_path("tests/judges/onnxruntime.js").string(), level_name(level)),
                folder.path(), folder.path());
  if (result.exit_code != 0) return input_error(result.err);
  return read_npz(folder.path() / "out.npz");
}

const Tensor* find_array(const Arrays& arrays, const std::string& name) {
  for (const NamedTensor& array : arrays)
    if (array.name == name) return &array.tensor;
  return nullptr;
}

void Counts::add(int64_t difference) {
  difference = std::abs(difference);
  ++(difference == 0 ? equal : difference == 1 ? one_step : more);
  largest = std::max(largest, difference);
}

void Counts::add(const Counts& other) {
  equal += other.equal;
  one_step += other.one_step;
  more += other.more;
  largest = std::max(largest, other.largest);
}

Counts count_steps(const Tensor& own, const Tensor& other) {
  Counts counts;
  NIBBLE_CHECK(own.size() == other.size(), "{} and {} elements", own.size(), other.size());
  for (int64_t i = 0; i < own.size(); ++i) counts.add(own.integer_at(i) - other.integer_at(i));
  return counts;
}

Tensor steps_of(std::span<const float> real, const TensorType& type) {
  Tensor result(type);
  NIBBLE_CHECK(result.size() == static_cast<int64_t>(real.size()));
  const auto scale = static_cast<double>(type.quant->scale[0]);
  for (int64_t i = 0; i < result.size(); ++i) {
    const double steps = static_cast<double>(real[static_cast<size_t>(i)]) / scale;
    NIBBLE_CHECK(std::abs(steps - std::round(steps)) < 0.01, "{} is no whole step", steps);
    result.set_integer_at(i, std::llround(steps) + type.quant->zero_point[0]);
  }
  return result;
}

Tensor in_file_order(const Tensor& samples, const Port& port) {
  if (port.source_perm.empty()) return samples;
  // The leading axis of N stands where the batch of one is; axes of files keep it there.
  return from_port(samples, port);
}

Result<OutputCounts> judge_outputs(std::span<const uint8_t> file, const Tensor& real, Level level) {
  NIBBLE_ASSIGN(Graph graph, parse_onnx(file, "model.onnx"));
  const std::string input = graph.value(graph.inputs[0].value).name;
  const std::string output = graph.value(graph.outputs[0].value).name;
  NIBBLE_TRY(simplify(graph));
  const Port in = graph.inputs[0], out = graph.outputs[0];
  NIBBLE_ASSIGN(Arrays arrays, run_onnx_runtime(file, {{input, in_file_order(real, in)}}, level));
  const Tensor* judged = find_array(arrays, output);
  if (!judged) return input_error("ONNX Runtime gave no output '" + output + "'");
  const TensorType type = graph.type(out.value);
  if (!type.quant) return input_error("output '" + output + "' is not quantized");
  const int64_t count = real.shape()[0], width = elem_count(type.shape);
  std::vector<OutputCounts> counts(static_cast<size_t>(count));
  parallel_for(count, [&](int64_t begin, int64_t end, int) {
    Interpreter interpreter(graph);
    for (int64_t i = begin; i < end; ++i) {
      const Tensor sample = placed(sample_at(real, i, graph.type(in.value)), graph.type(in.value));
      const Tensor own = from_port(interpreter.run(std::span(&sample, 1))[0], out);
      const Tensor other = steps_of(
          judged->data<float>().subspan(static_cast<size_t>(i * width), static_cast<size_t>(width)),
          own.type());
      counts[static_cast<size_t>(i)] = {1, count_steps(own, other), argmax(own) != argmax(other)};
    }
  });
  OutputCounts all;
  for (const OutputCounts& one : counts) {
    all.samples += one.samples;
    all.other_argmax += one.other_argmax;
    all.steps.add(one.steps);
  }
  return all;
}

namespace {

// ONNX Runtime's integers of one value of the graph, for all samples.
std::optional<Tensor> judged_value(const Graph& graph, const Arrays& arrays, ValueId id) {
  const std::string& name = graph.value(id).name;
  const Tensor* real = find_array(arrays, name);
  if (!real) real = find_array(arrays, name + "_output");
  const TensorType& type = graph.type(id);
  if (!real || !type.quant) return std::nullopt;
  TensorType all = type;
  all.shape.insert(all.shape.begin(), real->size() / elem_count(type.shape));
  return steps_of(real->data<float>(), all);
}

// A difference of one step where the real number lies just between the two: ONNX rounds to the even
// one, nibble away from zero.
bool is_tie(float real, float scale) {
  const float steps = std::abs(real / scale);
  return steps - std::floor(steps) == 0.5f;
}

LayerCounts judge_input(const Graph& graph, const Tensor& real, const Tensor& judged) {
  const TensorType& type = graph.type(graph.inputs[0].value);
  TensorType all = judged.type();
  Tensor samples = real;
  samples.reshape(all.shape);
  const Tensor own = quantize_tensor(samples, all);
  LayerCounts counts{graph.value(graph.inputs[0].value).name, "input", true,
                     count_steps(own, judged), 0};
  for (int64_t i = 0; i < own.size(); ++i)
    counts.ties += own.integer_at(i) != judged.integer_at(i) &&
                   is_tie(samples.data<float>()[static_cast<size_t>(i)], type.quant->scale[0]);
  return counts;
}

// The node on ONNX Runtime's operands of one sample.
using JudgedValues = std::vector<std::optional<Tensor>>;
Result<Tensor> run_on_judged(const Graph& graph, const Node& node, const JudgedValues& judged,
                             int64_t sample) {
  std::vector<Tensor> operands(node.inputs.size());
  std::vector<const Tensor*> pointers(node.inputs.size(), nullptr);
  for (size_t k = 0; k < operands.size(); ++k) {
    const ValueId id = node.inputs[k];
    if (id == kNoValue) continue;
    pointers[k] = &operands[k];
    if (graph.is_constant(id)) {
      operands[k] = *graph.value(id).constant;
      continue;
    }
    const auto& values = judged[static_cast<size_t>(id)];
    if (!values)
      return input_error("ONNX Runtime gave no integers of '" + graph.value(id).name + "'");
    operands[k] = sample_at(*values, sample, graph.type(id));
    operands[k].set_quant(graph.type(id).quant);
  }
  return run_node(graph, node, pointers)[0];
}

}  // namespace

Result<std::vector<LayerCounts>> judge_layers(Graph graph, const Tensor& real, Level level) {
  graph.rounding = Rounding::kSingle;  // as readers of ONNX files take it
  NIBBLE_ASSIGN(auto file, onnx_bytes(graph, {true}));
  const Port in = graph.inputs[0];
  NIBBLE_ASSIGN(
      Arrays arrays,
      run_onnx_runtime(file, {{graph.value(in.value).name, in_file_order(real, in)}}, level));
  JudgedValues judged(graph.values.size());
  for (size_t id = 0; id < judged.size(); ++id)
    if (!graph.values[id].constant)
      judged[id] = judged_value(graph, arrays, static_cast<ValueId>(id));
  std::vector<LayerCounts> layers;
  if (judged[static_cast<size_t>(in.value)])
    layers.push_back(judge_input(graph, real, *judged[static_cast<size_t>(in.value)]));
  const int64_t count = real.shape()[0];
  for (const Node& node : graph.nodes) {
    const auto& result = judged[static_cast<size_t>(node.outputs[0])];
    LayerCounts layer{node.name, std::string(op_name(node.op)), is_exact(graph, node), {}, 0};
    if (!result) return input_error("ONNX Runtime gave no integers of node '" + node.name + "'");
    for (int64_t i = 0; i < count; ++i) {
      NIBBLE_ASSIGN(Tensor own, run_on_judged(graph, node, judged, i));
      layer.steps.add(count_steps(own, sample_at(*result, i, graph.type(node.outputs[0]))));
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

Result<Graph> own_quantized(const std::filesystem::path& shared, const ModelPair& pair,
                            const QuantizeOptions& options) {
  NIBBLE_ASSIGN(Graph real, import_model(shared / "data/models" / pair.real));
  NIBBLE_ASSIGN(Dataset data, read_task(shared, pair, real, DataPart::kCalibration, 100));
  NIBBLE_ASSIGN(Graph integer, quantize(real, calibration_data(data, real), options));
  clean_up(integer);
  return integer;
}

bool cut_softmax(Graph& graph) {
  const std::vector<int> writer = producers(graph);
  ValueId value = graph.outputs[0].value;
  for (int node = writer[static_cast<size_t>(value)]; node >= 0;
       node = writer[static_cast<size_t>(value)]) {
    const Node& last = graph.nodes[static_cast<size_t>(node)];
    value = last.inputs[0];
    if (std::holds_alternative<Softmax>(last.op)) {
      graph.outputs = {{value, {}}};
      clean_up(graph);
      return true;
    }
    if (!std::holds_alternative<Reshape>(last.op)) return false;
  }
  return false;
}

Result<Tensor> real_samples(const std::filesystem::path& shared, const ModelPair& pair,
                            int64_t limit) {
  NIBBLE_ASSIGN(Graph graph, read_model(shared / "data/models" / pair.real));
  SimplifyOptions options;
  options.integer_ports = IntegerPorts::kOff;
  NIBBLE_TRY(simplify(graph, options));
  NIBBLE_ASSIGN(Dataset data, read_task(shared, pair, graph, DataPart::kEvaluation, limit));
  const CalibrationData samples = calibration_data(data, graph);
  Shape shape = graph.type(graph.inputs[0].value).shape;
  std::vector<float> elems;
  for (int64_t i = 0; i < samples.count; ++i) {
    const Tensor sample = samples.sample(i);
    elems.insert(elems.end(), sample.data<float>().begin(), sample.data<float>().end());
  }
  shape[0] = samples.count;
  return Tensor::of_floats(shape, elems);
}

std::vector<ModelPair> quantized_by_others() {
  std::vector<ModelPair> models;
  for (ModelPair pair : benchmark_pairs()) {
    if (pair.task == "ad" && models.back().task != "ad")
      pair.published = "mlperf_tiny_onnx/ad01_qdq_int8.onnx";
    if (!pair.published.ends_with(".onnx")) continue;
    pair.real = pair.published;
    models.push_back(pair);
  }
  return models;
}

Result<std::vector<uint8_t>> file_without_softmax(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return input_error(path.string() + " is no ONNX model");
  onnx::ValueInfoProto& output = *model.mutable_graph()->mutable_output(0);
  for (const onnx::NodeProto& node : model.graph().node())
    if (node.op_type() == "Softmax" && node.output(0) == output.name())
      output.set_name(node.input(0));
  std::string text = model.SerializeAsString();
  return std::vector<uint8_t>(text.begin(), text.end());
}

}  // namespace nibble::judges
