// What the report says of the network itself: its graph, and which classes it mixes up.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "ops/ops.h"
#include "report/report.h"

namespace nibble {

using Json = nlohmann::ordered_json;

namespace {

// The pairs of different classes, the most frequent first.
Json mixed_up_pairs(const Confusion& confusion) {
  struct Pair {
    int64_t truth, taken_for, samples;
  };
  std::vector<Pair> pairs;
  for (const auto& [classes, samples] : confusion.counts)
    if (classes.first != classes.second) pairs.push_back({classes.first, classes.second, samples});
  std::ranges::stable_sort(pairs, std::greater(), &Pair::samples);
  if (pairs.size() > kMostPairs) pairs.resize(kMostPairs);
  Json json = Json::array();
  for (const Pair& pair : pairs)
    json.push_back(Json::array({pair.truth, pair.taken_for, pair.samples}));
  return json;
}

Json count_rows(const Confusion& confusion) {
  const auto classes = static_cast<size_t>(confusion.classes);
  std::vector<std::vector<int64_t>> rows(classes, std::vector<int64_t>(classes));
  for (const auto& [at, samples] : confusion.counts)
    rows[static_cast<size_t>(at.first)][static_cast<size_t>(at.second)] = samples;
  return rows;
}

// What a node or an output reads, as the graph's edges are named; empty: a constant.
std::string source_name(const Graph& graph, const std::vector<int>& producer, ValueId value) {
  if (value == kNoValue || graph.is_constant(value)) return "";
  const int node = producer[static_cast<size_t>(value)];
  return node < 0 ? graph.value(value).name : graph.nodes[static_cast<size_t>(node)].name;
}

int64_t weight_bytes(const std::vector<FlashOwner>& flash, const std::string& layer) {
  int64_t bytes = 0;
  for (const FlashOwner& owner : flash)
    if (owner.kind == FlashOwner::Kind::kWeights && owner.owner == layer) bytes += owner.bytes;
  return bytes;
}

}  // namespace

Json confusion_json(const Confusion& confusion) {
  Json json = {{"arithmetic", confusion.arithmetic}};
  if (!confusion.class_names.empty()) json["classes"] = confusion.class_names;
  if (confusion.classes <= kMostClasses)
    json["counts"] = count_rows(confusion);
  else
    json["pairs"] = mixed_up_pairs(confusion);
  return json;
}

Json graph_json(const Graph& graph, const std::vector<FlashOwner>& flash) {
  const std::vector<int> producer = producers(graph);
  Json inputs = Json::array(), outputs = Json::array(), nodes = Json::array();
  for (const Port& port : graph.inputs) {
    const Value& value = graph.value(port.value);
    inputs.push_back({{"name", value.name},
                      {"shape", value.type.shape},
                      {"dtype", dtype_name(value.type.dtype)}});
  }
  for (const Port& port : graph.outputs)
    if (const std::string name = source_name(graph, producer, port.value); !name.empty())
      outputs.push_back(name);
  for (const Node& node : graph.nodes) {
    const TensorType& type = graph.type(node.outputs[0]);
    Json sources = Json::array();
    int64_t parameters = 0;
    for (ValueId input : node.inputs) {
      if (const std::string name = source_name(graph, producer, input); !name.empty())
        sources.push_back(name);
      if (graph.is_constant(input)) parameters += graph.value(input).constant->size();
    }
    nodes.push_back({{"name", node.name},
                     {"op", op_name(node.op)},
                     {"inputs", sources},
                     {"shape", type.shape},
                     {"dtype", dtype_name(type.dtype)},
                     {"macs", node_macs(graph, node)},
                     {"parameters", parameters},
                     {"weight_bytes", weight_bytes(flash, node.name)}});
  }
  return {{"inputs", inputs}, {"outputs", outputs}, {"nodes", nodes}};
}

}  // namespace nibble
