// The effects of single layers against whole runs of the emulation, and what the report says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pipeline/pipeline.h"
#include "support/float_network.h"

namespace nibble {
namespace {

using testing::HasSubstr;

// Labels are what the float network says, so that every change of class counts.
Dataset labelled_data(const Graph& graph, int64_t count) {
  Dataset data;
  data.samples = Tensor(TensorType{{count, 8, 8, 3}, DType::kF32, std::nullopt});
  Rng rng(9);
  for (float& value : data.samples.mutable_data<float>())
    value = static_cast<float>(rng.uniform(-1, 1));
  Interpreter interpreter(graph);
  for (int64_t i = 0; i < count; ++i) {
    std::vector<Tensor> inputs = {dataset_sample(data, i, graph)};
    const Tensor output = interpreter.run(inputs)[0];
    auto values = output.data<float>();
    data.labels.push_back(std::max_element(values.begin(), values.end()) - values.begin());
  }
  return data;
}

struct Quantized {
  Graph real, integer;
};
Quantized quantized(const CalibrationData& samples, const QuantizeOptions& options) {
  QuantizeReport report;
  Result<Graph> integer = quantize(uneven_network(1), samples, options, &report);
  NIBBLE_CHECK(integer.ok(), "{}", integer.error().message);
  return {report.prepared, std::move(integer).value()};
}

QuantizeOptions four_bits() {
  QuantizeOptions options;
  options.all.weights.bits = 4;
  options.all.weights.granularity = Granularity::kTensor;
  options.methods = *parse_methods(std::vector<std::string>{"correct-bias"});
  return options;
}

double value_of(const Graph& real, const Graph& integer, const Dataset& data,
                const std::function<bool(ValueId)>& rounded) {
  const Emulation emulation = Emulation::of(real, integer, rounded);
  return evaluate(emulation.graph(), data, nullptr,
                  [&](ValueId id, Tensor& tensor) { emulation.round(id, tensor); })
      ->value;
}

TEST(Explain, EffectsAreThoseOfWholeRuns) {
  const CalibrationData samples = random_data(20, {1, 8, 8, 3}, 2);
  const Quantized nets = quantized(samples, four_bits());
  const Dataset data = labelled_data(nets.real, 60);
  Result<Explanation> explanation = explain(nets.real, nets.integer, samples, 20, &data);
  ASSERT_TRUE(explanation.ok()) << explanation.error().message;
  EXPECT_EQ(explanation->real->value, 1);
  EXPECT_EQ(explanation->emulated->score.value,
            value_of(nets.real, nets.integer, data, [](ValueId) { return true; }));
  EXPECT_NEAR(explanation->emulated->score.value, explanation->integer->value, 0.05);
  std::set<double> seen;
  int compared = 0;
  for (size_t i = 0; i < explanation->layers.size(); ++i) {
    const LayerEvidence& layer = explanation->layers[i];
    // It rounds nothing.
    EXPECT_EQ(explanation->effects[i].has_value(), layer.error.op != "reshape");
    if (!explanation->effects[i]) continue;
    const LayerEffect& effect = *explanation->effects[i];
    const ValueId chosen = layer.value;
    EXPECT_EQ(effect.alone.score.value,
              value_of(nets.real, nets.integer, data, [&](ValueId id) { return id == chosen; }))
        << layer.error.node;
    // The reshape behind the pool holds what the pool wrote.
    const bool pool = layer.error.node == "pool";
    EXPECT_EQ(effect.kept.score.value,
              value_of(nets.real, nets.integer, data,
                       [&](ValueId id) {
                         return id != chosen && !(pool && nets.real.value(id).name == "flat");
                       }))
        << layer.error.node;
    seen.insert(effect.alone.score.value);
    ++compared;
  }
  EXPECT_EQ(compared, 8);  // the input and all nodes but the reshape
  EXPECT_GT(seen.size(), 2);
}

// Fine integers everywhere: neither one layer nor all of them change what the network says.
TEST(Explain, SixteenBitsCostNothing) {
  const CalibrationData samples = random_data(20, {1, 8, 8, 3}, 2);
  QuantizeOptions options;
  options.all.weights.bits = options.all.activations.bits = 16;
  const Quantized nets = quantized(samples, options);
  const Dataset data = labelled_data(nets.real, 40);
  const Explanation explanation = *explain(nets.real, nets.integer, samples, 20, &data);
  for (const auto& effect : explanation.effects) {
    if (!effect) continue;
    EXPECT_GT(effect->alone.output_sqnr_db, 45);
  }
  EXPECT_GT(explanation.emulated->output_sqnr_db, 45);
  EXPECT_EQ(explanation.integer->value, 1);
}

TEST(Explain, WhatTheReportSays) {
  const CalibrationData samples = random_data(20, {1, 8, 8, 3}, 2);
  const Quantized nets = quantized(samples, four_bits());
  const Dataset data = labelled_data(nets.real, 60);
  const auto with = explanation_json(*explain(nets.real, nets.integer, samples, 20, &data));
  EXPECT_EQ(with["samples"], 20);
  EXPECT_EQ(with["layers"].size(), with["worst_first"].size());
  const size_t worst = with["worst_first"][0].get<size_t>();
  for (const auto& layer : with["layers"]) {
    if (layer["alone"].is_null()) continue;
    EXPECT_LE(with["layers"][worst]["alone"]["output_sqnr_db"], layer["alone"]["output_sqnr_db"]);
  }
  const auto& plot = with["layers"][0]["activations"];
  EXPECT_EQ(plot["edges"].size(), plot["counts"].size() + 1);
  EXPECT_TRUE(with["certificate"]["certified"].get<bool>());
  const std::string text = format_explanation(with);
  EXPECT_THAT(text, HasSubstr("alone loss"));
  EXPECT_THAT(text, HasSubstr("Accuracy 100.00 % in float"));
  EXPECT_THAT(text, HasSubstr("--granularity channel"));
  EXPECT_THAT(text, HasSubstr("certified: every node"));

  const auto without = explanation_json(*explain(nets.real, nets.integer, samples, 20, nullptr));
  EXPECT_TRUE(without["scores"].is_null());
  EXPECT_TRUE(without["layers"][1]["alone"].is_null());
  EXPECT_EQ(format_explanation(without).find("alone loss"), std::string::npos);
}

}  // namespace
}  // namespace nibble
