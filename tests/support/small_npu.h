// A small accelerator around a test's own rules, and graphs of a few quantized layers.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ops/ops.h"
#include "target/target.h"

namespace nibble::small_npu {

inline constexpr const char* kHead = R"(
name = "small"
title = "Small"
vendor = "v"
compiler = "c"
legality = "rules"
[sources]
s = { confidence = "medium", source = "t" }
[cost]
layer_cycles = 100
inference_cycles = 1000
handover_cycles = 10
source = "s"
)";

inline Npu npu_of(const std::string& rules) {
  auto npu = parse_npu(kHead + rules, "small.toml");
  EXPECT_TRUE(npu.ok()) << npu.error().message;
  return *npu;
}

inline QuantParams grid(float scale, int32_t zero_point, int bits = 8) {
  QuantParams quant;
  quant.scale = {scale};
  quant.zero_point = {zero_point};
  quant.bits = bits;
  quant.q_min = -(1 << (bits - 1));
  quant.q_max = (1 << (bits - 1)) - 1;
  return quant;
}

inline ValueId input(Graph& graph, Shape shape, QuantParams quant) {
  return append_input(graph, "x", {std::move(shape), DType::kS8, std::move(quant)});
}

inline ValueId weights(Graph& graph, Shape shape, QuantParams quant) {
  Tensor tensor(TensorType{std::move(shape), DType::kS8, std::move(quant)});
  return append_constant(graph, "w" + std::to_string(graph.values.size()), std::move(tensor));
}

inline ValueId bias(Graph& graph, int64_t elems) {
  Tensor tensor(TensorType{{elems}, DType::kS32, std::nullopt});
  QuantParams quant = grid(0.25f, 0);
  quant.bits = 32;
  quant.q_min = INT32_MIN;
  quant.q_max = INT32_MAX;
  tensor.set_quant(quant);
  return append_constant(graph, "b" + std::to_string(graph.values.size()), std::move(tensor));
}

inline ValueId append(Graph& graph, Op op, std::vector<ValueId> inputs, QuantParams quant) {
  auto value = append_node(graph, std::move(op), "n", std::move(inputs), std::move(quant));
  EXPECT_TRUE(value.ok()) << value.error().message;
  return *value;
}

}  // namespace nibble::small_npu
