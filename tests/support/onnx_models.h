// Small ONNX models made in code, as seeds for fuzzing: what the passes have most to do with.
#pragma once

#include <utility>
#include <vector>

#include "support/onnx_builder.h"

namespace nibble {

inline std::vector<float> ramp(size_t count, float step) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = step * static_cast<float>(i % 7) - 2 * step;
  return values;
}

// NCHW, float: pad, convolution, batch norm, clip, a residual addition, pool, flatten, gemm,
// softmax.
inline std::vector<uint8_t> onnx_float_net() {
  OnnxBuilder b;
  b.input("x", {1, 2, 5, 5});
  b.ints("pads", {0, 0, 1, 1, 0, 0, 1, 1});
  b.node("Pad", {"x", "pads"}, {"padded"});
  b.floats("w", {3, 2, 3, 3}, ramp(54, 0.1f));
  b.floats("c", {3}, {0.5f, -1, 0});
  b.node("Conv", {"padded", "w", "c"}, {"conv"});
  for (const char* name : {"scale", "shift", "mean", "variance"}) b.floats(name, {3}, {0.5f, 1, 2});
  b.node("BatchNormalization", {"conv", "scale", "shift", "mean", "variance"}, {"norm"});
  b.floats("low", {}, {0});
  b.floats("high", {}, {6});
  b.node("Clip", {"norm", "low", "high"}, {"relu6"});
  b.node("Add", {"relu6", "conv"}, {"sum"});
  auto& pool = b.node("MaxPool", {"sum"}, {"pool"});
  OnnxBuilder::set(pool, "kernel_shape", std::vector<int64_t>{2, 2});
  OnnxBuilder::set(pool, "strides", std::vector<int64_t>{2, 2});
  b.node("Flatten", {"pool"}, {"flat"});
  b.floats("g", {12, 2}, ramp(24, 0.2f));
  b.node("Gemm", {"flat", "g"}, {"logits"});
  b.node("Softmax", {"logits"}, {"y"});
  b.output("y", {1, 2});
  return b.bytes();
}

// Quantize-dequantize pairs around a convolution with int8 weights per channel, a relu and a mean.
inline std::vector<uint8_t> onnx_qdq_net() {
  OnnxBuilder b;
  b.input("x", {1, 2, 4, 4});
  auto qdq = [&](const std::string& value, float scale, int8_t zero) {
    b.floats(value + "_scale", {}, {scale});
    b.constant<int8_t>(value + "_zero", {}, onnx::TensorProto::INT8, {zero});
    const std::string s = value + "_scale", z = value + "_zero";
    b.node("QuantizeLinear", {value, s, z}, {value + "_q"});
    b.node("DequantizeLinear", {value + "_q", s, z}, {value + "_dq"});
    return value + "_dq";
  };
  std::vector<int8_t> taps(3 * 2 * 3 * 3);
  for (size_t i = 0; i < taps.size(); ++i) taps[i] = static_cast<int8_t>(i * 37 % 255);
  b.constant("w", {3, 2, 3, 3}, onnx::TensorProto::INT8, taps);
  b.floats("w_scale", {3}, {0.01f, 0.02f, 0.005f});
  b.constant<int8_t>("w_zero", {3}, onnx::TensorProto::INT8, {0, 0, 0});
  auto& weights = b.node("DequantizeLinear", {"w", "w_scale", "w_zero"}, {"w_dq"});
  OnnxBuilder::set(weights, "axis", int64_t{0});
  auto& conv = b.node("Conv", {qdq("x", 0.1f, -3), "w_dq"}, {"conv"});
  OnnxBuilder::set(conv, "pads", std::vector<int64_t>{1, 1, 1, 1});
  b.node("Relu", {"conv"}, {"relu"});
  auto& mean = b.node("ReduceMean", {qdq("relu", 0.05f, -128)}, {"mean"});
  OnnxBuilder::set(mean, "axes", std::vector<int64_t>{2, 3});
  OnnxBuilder::set(mean, "keepdims", int64_t{0});
  b.output(qdq("mean", 0.02f, -128), {1, 3});
  return b.bytes();
}

inline std::vector<std::pair<const char*, std::vector<uint8_t>>> onnx_seeds() {
  return {{"float_net.onnx", onnx_float_net()}, {"qdq_net.onnx", onnx_qdq_net()}};
}

}  // namespace nibble
