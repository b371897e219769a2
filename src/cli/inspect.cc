// nibble inspect MODEL: what is in the file, before anything is done with it, and how much of it is
// dead.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "report/report.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

struct Extremes {
  double min = INFINITY, max = -INFINITY;
};

// Smallest and largest real value of a constant.
Extremes real_extremes(const Tensor& tensor) {
  Tensor real = tensor.dtype() == DType::kF32 ? tensor
                : tensor.type().quant         ? dequantize_tensor(tensor)
                                              : Tensor();
  Extremes extremes;
  if (real.bytes().empty()) return extremes;
  for (float value : real.data<float>()) {
    extremes.min = std::min<double>(extremes.min, value);
    extremes.max = std::max<double>(extremes.max, value);
  }
  return extremes;
}

// Output channels whose filter is all zeros: they compute a constant.
int64_t zero_channels(const Graph& graph, const Node& node) {
  QuantRule rule = quant_rule(node.op);
  if (rule.weight < 0 || !graph.is_constant(node.inputs[static_cast<size_t>(rule.weight)]))
    return 0;
  const Tensor& weight = *graph.value(node.inputs[static_cast<size_t>(rule.weight)]).constant;
  auto axis = static_cast<size_t>(rule.weight_channel_axis);
  int64_t channels = weight.shape()[axis], inner = 1;
  for (size_t i = axis + 1; i < weight.shape().size(); ++i) inner *= weight.shape()[i];
  std::vector<bool> used(static_cast<size_t>(channels), false);
  bool real = weight.dtype() == DType::kF32;
  for (int64_t i = 0; i < weight.size(); ++i) {
    bool zero =
        real ? weight.data<float>()[static_cast<size_t>(i)] == 0 : weight.integer_at(i) == 0;
    if (!zero) used[static_cast<size_t>(i / inner % channels)] = true;
  }
  return std::count(used.begin(), used.end(), false);
}

int64_t parameter_count(const Graph& graph, const Node& node) {
  int64_t count = 0;
  for (ValueId id : node.inputs)
    if (graph.is_constant(id)) count += graph.value(id).constant->size();
  return count;
}

// What the compiler makes of the graph without what is dead, by the names of nodes.
struct LiveGraph {
  explicit LiveGraph(const Graph& before) {
    for (const ConstantChannels& node : constant_channels(before))
      constant[node.node] = node.constant;
    Graph graph = before;
    clean_up(graph);
    for (const Node& node : graph.nodes) {
      const Shape& shape = graph.type(node.outputs[0]).shape;
      channels[node.name] = shape.empty() ? 1 : shape.back();
      parameters += parameter_count(graph, node);
      macs += node_macs(graph, node);
    }
  }

  // Output channels of a layer with weights that the compiler removes.
  int64_t dead_channels(const Graph& before, const Node& node) const {
    if (quant_rule(node.op).weight < 0) return 0;
    auto found = channels.find(node.name);
    return before.type(node.outputs[0]).shape.back() -
           (found == channels.end() ? 0 : found->second);
  }

  std::map<std::string, int64_t> constant, channels;
  int64_t parameters = 0, macs = 0;
};

Json port_json(const Graph& graph, const Port& port) {
  const Value& value = graph.value(port.value);
  Json json = {
      {"name", value.name}, {"shape", value.type.shape}, {"dtype", dtype_name(value.type.dtype)}};
  if (value.type.quant && value.type.quant->per_tensor())
    json.update(
        {{"scale", value.type.quant->scale[0]}, {"zero_point", value.type.quant->zero_point[0]}});
  if (!port.source_perm.empty()) json["source_perm"] = port.source_perm;
  return json;
}

Json node_json(const Graph& graph, const Node& node, const LiveGraph& live) {
  const Value& out = graph.value(node.outputs[0]);
  Extremes weights;
  for (ValueId id : node.inputs)
    if (graph.is_constant(id) && !std::isfinite(weights.min))
      weights = real_extremes(*graph.value(id).constant);
  Json json = {{"name", node.name},
               {"op", op_name(node.op)},
               {"shape", out.type.shape},
               {"dtype", dtype_name(out.type.dtype)},
               {"parameters", parameter_count(graph, node)},
               {"macs", node_macs(graph, node)}};
  if (std::isfinite(weights.min)) json["weights"] = {{"min", weights.min}, {"max", weights.max}};
  if (out.type.quant && out.type.quant->per_tensor()) {
    const QuantParams& quant = *out.type.quant;
    double scale = quant.scale[0];
    json["range"] = {{"min", scale * (quant.q_min - quant.zero_point[0])},
                     {"max", scale * (quant.q_max - quant.zero_point[0])}};
  }
  if (int64_t zero = zero_channels(graph, node)) json["zero_channels"] = zero;
  if (auto found = live.constant.find(node.name); found != live.constant.end() && found->second)
    json["constant_channels"] = found->second;
  if (int64_t dead = live.dead_channels(graph, node)) json["dead_channels"] = dead;
  return json;
}

Json inspect_json(const std::string& model, const Graph& imported, const Graph& graph) {
  Json nodes = Json::array(), inputs = Json::array(), outputs = Json::array(),
       float_only = Json::array();
  const LiveGraph live(graph);
  int64_t parameters = 0, macs = 0, zero_channels = 0, dead_channels = 0;
  std::map<std::string, int64_t> operators;
  for (const Node& node : graph.nodes) {
    Json json = node_json(graph, node, live);
    parameters += json["parameters"].get<int64_t>();
    macs += json["macs"].get<int64_t>();
    zero_channels += json.value("zero_channels", int64_t{0});
    dead_channels += json.value("dead_channels", int64_t{0});
    ++operators[std::string(op_name(node.op))];
    if (quant_rule(node.op).output == QuantRule::Output::kFloat &&
        !std::holds_alternative<Dequantize>(node.op))
      float_only.push_back({{"op", op_name(node.op)}, {"node", node.name}});
    nodes.push_back(std::move(json));
  }
  for (const Port& port : graph.inputs) inputs.push_back(port_json(graph, port));
  for (const Port& port : graph.outputs) outputs.push_back(port_json(graph, port));
  return {{"model", model},
          {"name", graph.name},
          {"supported", true},
          {"unsupported", Json::array()},
          {"arithmetic", arithmetic_of(graph)},
          {"inputs", inputs},
          {"outputs", outputs},
          {"parameters", parameters},
          {"macs", macs},
          {"operators", operators},
          {"imported_nodes", imported.nodes.size()},
          {"zero_channels", zero_channels},
          {"dead_channels", dead_channels},
          {"live_parameters", live.parameters},
          {"live_macs", live.macs},
          {"float_only", float_only},
          {"nodes", nodes}};
}

// What is left to say of a model that cannot be read: which nodes are in the way.
Json problems_json(const std::string& model, const ImportProblems& problems, const Error& error) {
  Json nodes = Json::array();
  std::map<std::string, int64_t> operators;
  for (const UnsupportedNode& node : problems.unsupported) {
    ++operators[node.op];
    nodes.push_back(
        {{"op", node.op}, {"node", node.node}, {"index", node.index}, {"why", node.why}});
  }
  return {{"model", model},
          {"supported", false},
          {"unsupported", nodes},
          {"unsupported_operators", operators},
          {"imported_nodes", problems.node_count},
          {"error", error.message}};
}

struct Arguments {
  std::string model, target;
  bool certificate = false;
  CompileArguments compile;
};

Result<Json> memory_of(const Arguments& arguments) {
  NIBBLE_ASSIGN(Target target, find_target(arguments.target));
  NIBBLE_ASSIGN(CompileOptions options, arguments.compile.options());
  NIBBLE_ASSIGN(Graph graph, import_model(arguments.model));
  NIBBLE_ASSIGN(Compiled compiled, compile(graph, target, default_name(arguments.model), options));
  Json json = {{"target", target.name}};
  json.update(memory_json(compiled.program, compiled.plan));
  return json;
}

Status check_certified(const std::string& model, const Json& certificate) {
  if (certificate["certified"].get<bool>()) return {};
  const size_t count = certificate["reasons"].size();
  const bool real = std::ranges::none_of(
      certificate["nodes"], [](const Json& node) { return node["integer"].get<bool>(); });
  return input_error(fmt::format(
      "'{}' is not certified: {}{}; {}", model, certificate["reasons"][0].get<std::string>(),
      count > 1 ? fmt::format(" (and {} more nodes)", count - 1) : "",
      real ? "it is a float model, `nibble quantize` makes integers of it"
           : "quantize the float model with `nibble quantize`, without --keep-float, for one that "
             "is integer throughout"));
}

std::string shape_text(const Json& shape) {
  return format_shape(shape.get<std::vector<int64_t>>());
}

void print_port(const char* label, const Json& port) {
  std::string quant;
  if (port.contains("scale"))
    quant = fmt::format("  scale {} zero point {}", port["scale"].get<float>(),
                        port["zero_point"].get<int>());
  if (port.contains("source_perm")) quant += "  (the file has another layout; both are taken)";
  fmt::print("  {:<12}{}  {} {}{}\n", label, port["name"].get<std::string>(),
             port["dtype"].get<std::string>(), shape_text(port["shape"]), quant);
}

void print_inspection(const Json& json) {
  fmt::print("{}\n", json["model"].get<std::string>());
  fmt::print("  {:<12}{}\n", "arithmetic", json["arithmetic"].get<std::string>());
  for (const Json& port : json["inputs"]) print_port("input", port);
  for (const Json& port : json["outputs"]) print_port("output", port);
  fmt::print("  {:<12}{}\n", "parameters", with_thousands(json["parameters"].get<int64_t>()));
  fmt::print("  {:<12}{}\n", "MACs", with_thousands(json["macs"].get<int64_t>()));
  fmt::print("  {:<12}{} as imported, {} after simplification\n", "nodes",
             json["imported_nodes"].get<int64_t>(), json["nodes"].size());
  auto number = [&](const char* key) { return with_thousands(json[key].get<int64_t>()); };
  if (json["dead_channels"].get<int64_t>() > 0)
    fmt::print(
        "  {:<12}{} output channels are constant, copies or unread ({} have all-zero filters)\n",
        "dead", number("dead_channels"), number("zero_channels"));
  if (json["live_macs"] != json["macs"] || json["live_parameters"] != json["parameters"])
    fmt::print("  {:<12}{} parameters and {} MACs, once what is dead is removed\n", "live",
               number("live_parameters"), number("live_macs"));
  for (const Json& node : json["float_only"])
    fmt::print(
        "  {:<12}'{}' ({}) has no integer form; `quantize --keep-float` leaves it in float\n",
        "float only", node["node"].get<std::string>(), node["op"].get<std::string>());
  std::vector<std::vector<std::string>> rows = {
      {"node", "op", "output", "dead", "parameters", "MACs", "weights", "range"}};
  auto range = [](const Json& node, const char* key) {
    return node.contains(key) ? fmt::format("{:.3g}..{:.3g}", node[key]["min"].get<double>(),
                                            node[key]["max"].get<double>())
                              : std::string("-");
  };
  for (const Json& node : json["nodes"])
    rows.push_back({node["name"], node["op"],
                    node["dtype"].get<std::string>() + " " + shape_text(node["shape"]),
                    node.contains("dead_channels")
                        ? with_thousands(node["dead_channels"].get<int64_t>())
                        : "-",
                    with_thousands(node["parameters"].get<int64_t>()),
                    with_thousands(node["macs"].get<int64_t>()), range(node, "weights"),
                    range(node, "range")});
  fmt::print("\n{}", format_table(rows));
  if (json.contains("memory"))
    fmt::print("\nmemory on {}\n{}", json["memory"]["target"].get<std::string>(),
               format_memory(json["memory"]));
}

}  // namespace

void add_inspect(CLI::App& app, CommandLine& line) {
  CLI::App* verb =
      add_verb(app, line, "inspect",
               "operators, shapes, parameters, MACs, value ranges, what is dead or unsupported");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model, ".tflite, .onnx or .nibble")->required();
  verb->add_option("--target", arguments->target,
                   "also the memory of an integer model on it: which buffers live when, and the "
                   "peak; see `nibble targets`")
      ->type_name("T");
  verb->add_flag("--certificate", arguments->certificate,
                 "prove that an integer model computes without float, that no accumulator can "
                 "overflow, and bound its rounding; exit code 1 where that fails");
  add_plan_options(*verb, arguments->compile);
  for (CLI::Option* option : {arguments->compile.optimize_option, arguments->compile.max_ram_option,
                              arguments->compile.copied_option})
    option->needs("--target");
  verb->callback([&line, arguments] {
    line.action = [&line, arguments]() -> Status {
      Graph imported;
      ImportProblems problems;
      // What would be removed is shown, so it has to be there.
      Result<Graph> graph = import_model(arguments->model, &imported, &problems, CleanUp::kOff);
      if (!graph.ok()) {
        if (line.json && !problems.unsupported.empty())
          print_json(problems_json(arguments->model, problems, graph.error()));
        return std::move(graph).error();
      }
      Json json = inspect_json(arguments->model, imported, *graph);
      if (!arguments->target.empty()) {
        NIBBLE_ASSIGN(Json memory, memory_of(*arguments));
        json["memory"] = std::move(memory);
      }
      if (arguments->certificate) json["certificate"] = certificate_json(certify(*graph));
      if (line.json)
        print_json(json);
      else if (arguments->certificate)
        fmt::print("{}\n{}", arguments->model, format_certificate(json["certificate"]));
      else
        print_inspection(json);
      return arguments->certificate ? check_certified(arguments->model, json["certificate"])
                                    : Status();
    };
  });
}

}  // namespace nibble
