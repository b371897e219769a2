// A single layer under test: its operator and operands as a graph of one node, random parameters
// for it, and comparison with independent formulas in double precision. For the tests of ops/ and
// kernels/.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ops/ops.h"

namespace nibble {

inline QuantParams s8_params(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

// One s8 tensor of a list of elements.
inline Tensor s8_tensor(Shape shape, const std::vector<int8_t>& elems, const QuantParams& quant) {
  Tensor tensor = Tensor::of<int8_t>(std::move(shape), DType::kS8, elems);
  tensor.set_quant(quant);
  return tensor;
}

inline Tensor random_s8(Rng& rng, Shape shape, const QuantParams& quant) {
  Tensor tensor(TensorType{std::move(shape), DType::kS8, quant});
  for (int8_t& elem : tensor.mutable_data<int8_t>())
    elem = static_cast<int8_t>(rng.integer(-128, 127));
  return tensor;
}

inline QuantParams s16_params(float scale) { return {{scale}, {0}, -1, 16, -32768, 32767}; }

inline Tensor s16_tensor(Shape shape, const std::vector<int16_t>& elems, float scale) {
  Tensor tensor = Tensor::of<int16_t>(std::move(shape), DType::kS16, elems);
  tensor.set_quant(s16_params(scale));
  return tensor;
}

// One tensor in four has the ends of the range only.
inline Tensor random_s16(Rng& rng, Shape shape, const QuantParams& quant) {
  bool ends = rng.next() % 4 == 0;
  Tensor tensor(TensorType{std::move(shape), DType::kS16, quant});
  for (int16_t& elem : tensor.mutable_data<int16_t>())
    elem =
        static_cast<int16_t>(ends ? (rng.next() % 2 ? -32768 : 32767) : rng.integer(-32768, 32767));
  return tensor;
}

inline Tensor random_f32(Rng& rng, Shape shape, double spread = 1) {
  Tensor tensor(TensorType{std::move(shape), DType::kF32, std::nullopt});
  for (float& elem : tensor.mutable_data<float>()) elem = static_cast<float>(spread * rng.normal());
  return tensor;
}

// Zero points at both ends and in the middle; scales over `decades` powers of ten around `centre`.
inline QuantParams random_params(Rng& rng, double centre = 0.05, double decades = 3) {
  const int32_t kEnds[] = {-128, 127, 0, static_cast<int32_t>(rng.integer(-128, 127))};
  double scale = centre * std::pow(10, decades * (rng.uniform() - 0.5));
  return s8_params(static_cast<float>(scale), kEnds[rng.next() % 4]);
}

inline QuantParams random_s16_params(Rng& rng, double centre = 0.0005, double decades = 3) {
  return s16_params(random_params(rng, centre, decades).scale[0]);
}

// Activations of either scheme, with parameters of their own.
inline Tensor random_activation(Rng& rng, DType dtype, Shape shape) {
  if (dtype == DType::kS16) return random_s16(rng, std::move(shape), random_s16_params(rng));
  QuantParams quant = random_params(rng);
  return random_s8(rng, std::move(shape), quant);
}

// A graph of one node. Operands are inputs unless `constant` says otherwise.
struct Layer {
  Graph graph;
  std::vector<Tensor> inputs;    // of the graph
  std::vector<Tensor> operands;  // of the node

  const Node& node() const { return graph.nodes.at(0); }
  const TensorType& out_type() const { return graph.type(node().outputs[0]); }
  Tensor run() const {
    std::vector<const Tensor*> in;
    for (const Tensor& operand : operands) in.push_back(&operand);
    return run_node(graph, node(), in)[0];
  }
};

// Errors: what infer or verify_integer refuses.
inline Result<Layer> make_layer(Op op, std::vector<Tensor> operands,
                                std::optional<QuantParams> out_quant = std::nullopt,
                                Rounding rounding = Rounding::kTflite,
                                std::vector<bool> constant = {}) {
  Layer layer;
  layer.graph.name = "layer";
  layer.graph.rounding = rounding;
  layer.operands = std::move(operands);
  constant.resize(layer.operands.size(), false);
  std::vector<ValueId> ids;
  for (size_t i = 0; i < layer.operands.size(); ++i) {
    const Tensor& operand = layer.operands[i];
    std::string name = "operand" + std::to_string(i);
    if (constant[i]) {
      ids.push_back(append_constant(layer.graph, name, operand));
    } else {
      ids.push_back(append_input(layer.graph, name, operand.type()));
      layer.inputs.push_back(operand);
    }
  }
  // s16 operands give s16 unless the parameters are those of another width.
  std::optional<DType> dtype;
  if (out_quant)
    dtype = out_quant->bits == 8 ? DType::kS8 : out_quant->bits == 16 ? DType::kS16 : DType::kS32;
  NIBBLE_ASSIGN(ValueId out,
                append_node(layer.graph, std::move(op), "node", ids, out_quant, dtype));
  layer.graph.outputs.push_back({out, {}});
  NIBBLE_TRY(verify_graph(layer.graph, VerifyLevel::kImported));
  return layer;
}

// The layer, which must be valid.
inline Layer valid_layer(Op op, std::vector<Tensor> operands,
                         std::optional<QuantParams> out_quant = std::nullopt,
                         Rounding rounding = Rounding::kTflite) {
  auto layer = make_layer(std::move(op), std::move(operands), std::move(out_quant), rounding);
  NIBBLE_CHECK(layer.ok(), "{}", layer.ok() ? "" : layer.error().message);
  return std::move(layer).value();
}

// What the layer's error says; empty if it is valid.
inline std::string layer_error(Op op, std::vector<Tensor> operands,
                               std::optional<QuantParams> out_quant = std::nullopt) {
  auto layer = make_layer(std::move(op), std::move(operands), std::move(out_quant));
  return layer.ok() ? "" : layer.error().message;
}

inline std::vector<int> elems_of(const Tensor& tensor) {
  std::vector<int> elems;
  for (int64_t i = 0; i < tensor.size(); ++i)
    elems.push_back(static_cast<int>(tensor.integer_at(i)));
  return elems;
}

inline std::vector<float> floats_of(const Tensor& tensor) {
  auto elems = tensor.data<float>();
  return {elems.begin(), elems.end()};
}

// 10 log10 of signal over error power; 200 if there is no error.
inline double sqnr_db(std::span<const float> real, std::span<const float> approximation) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < real.size(); ++i) {
    double error = static_cast<double>(real[i]) - static_cast<double>(approximation[i]);
    signal += static_cast<double>(real[i]) * static_cast<double>(real[i]);
    noise += error * error;
  }
  return noise == 0 ? 200 : 10 * std::log10(signal / noise);
}

// Runs the operator in float and, on quantized operands, in integers; both ranges are those of the
// data. Returns the SQNR of the integer result. A fixed `out_quant` replaces the calibrated one.
inline double float_to_integer_sqnr(const Op& op, const std::vector<Tensor>& real,
                                    std::optional<QuantParams> out_quant = std::nullopt) {
  auto params_of = [](const Tensor& tensor) {
    float low = 0, high = 0;
    for (float elem : tensor.data<float>()) {
      low = std::min(low, elem);
      high = std::max(high, elem);
    }
    float scale = (high - low) / 255;
    return s8_params(scale, static_cast<int32_t>(std::lround(-128 - low / scale)));
  };
  Tensor expected = valid_layer(op, real).run();
  std::vector<Tensor> quantized;
  for (const Tensor& operand : real)
    quantized.push_back(
        quantize_tensor(operand, {operand.shape(), DType::kS8, params_of(operand)}));
  switch (quant_rule(op).output) {
    case QuantRule::Output::kFixed:
      out_quant = s8_params(quant_rule(op).fixed_scale, quant_rule(op).fixed_zero_point);
      break;
    case QuantRule::Output::kSameAsInput:
      out_quant = quantized[0].type().quant;
      break;
    default:
      if (!out_quant) out_quant = params_of(expected);
  }
  Tensor integer = valid_layer(op, quantized, out_quant).run();
  Tensor back = dequantize_tensor(integer);
  return sqnr_db(expected.data<float>(), back.data<float>());
}

}  // namespace nibble
