// Whether two graphs are the same function: both run on the references with the same random inputs.
// Needs ops/.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ops/ops.h"

namespace nibble {

// Extent i of the result is extent perm[i] of the tensor; an empty perm changes nothing.
inline Tensor permute_axes(const Tensor& tensor, const std::vector<int64_t>& perm) {
  if (perm.empty()) return tensor;
  Shape shape;
  for (int64_t axis : perm) shape.push_back(tensor.shape()[static_cast<size_t>(axis)]);
  Tensor result(TensorType{shape, tensor.dtype(), tensor.type().quant});
  const auto bytes = static_cast<size_t>(dtype_bytes(tensor.dtype()));
  std::vector<int64_t> at(perm.size(), 0);
  for (int64_t i = 0; i < result.size(); ++i) {
    std::vector<int64_t> source(perm.size());
    for (size_t axis = 0; axis < perm.size(); ++axis)
      source[static_cast<size_t>(perm[axis])] = at[axis];
    int64_t from = 0;
    for (size_t axis = 0; axis < perm.size(); ++axis)
      from = from * tensor.shape()[axis] + source[axis];
    std::memcpy(result.mutable_bytes().data() + static_cast<size_t>(i) * bytes,
                tensor.bytes().data() + static_cast<size_t>(from) * bytes, bytes);
    for (size_t axis = perm.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return result;
}

// The tensor in the file's order of axes as the port's value takes it, and back.
inline Tensor to_port(const Tensor& file, const Port& port) {
  return permute_axes(file, port.source_perm);
}
inline Tensor from_port(const Tensor& value, const Port& port) {
  std::vector<int64_t> back(port.source_perm.size());
  for (size_t i = 0; i < back.size(); ++i)
    back[static_cast<size_t>(port.source_perm[i])] = static_cast<int64_t>(i);
  return permute_axes(value, back);
}

inline Tensor random_tensor(const TensorType& type, Rng& rng) {
  Tensor tensor(type);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    if (type.dtype == DType::kF32)
      tensor.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(rng.normal());
    else
      tensor.set_integer_at(i, rng.integer(type.quant ? type.quant->q_min : dtype_min(type.dtype),
                                           type.quant ? type.quant->q_max : dtype_max(type.dtype)));
  }
  return tensor;
}

// Outputs of one run, in the order of axes of the file. Real inputs are quantized where the graph
// takes integers.
inline std::vector<Tensor> run_in_file_layout(const Graph& graph,
                                              const std::vector<Tensor>& inputs) {
  std::vector<Tensor> placed;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor tensor = to_port(inputs[i], graph.inputs[i]);
    const TensorType& type = graph.type(graph.inputs[i].value);
    if (tensor.dtype() == DType::kF32 && type.dtype != DType::kF32)
      tensor = quantize_tensor(tensor, type);
    placed.push_back(std::move(tensor));
  }
  std::vector<Tensor> outputs = Interpreter(graph).run(placed);
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i] = from_port(outputs[i], graph.outputs[i]);
  return outputs;
}

// Integers equal byte for byte; floats within `tolerance` of the largest magnitude of the output.
// `max_steps` allows integers (or integers against dequantized floats) to differ by so many steps.
inline void expect_same_outputs(const std::vector<Tensor>& want, const std::vector<Tensor>& got,
                                double tolerance, double max_steps, const std::string& what) {
  ASSERT_EQ(want.size(), got.size()) << what;
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(want[i].shape(), got[i].shape()) << what << ", output " << i;
    const bool integers = want[i].dtype() != DType::kF32 && got[i].dtype() != DType::kF32;
    if (integers && max_steps == 0) {
      ASSERT_EQ(want[i], got[i]) << what << ", output " << i;
      continue;
    }
    Tensor real_want = want[i].dtype() == DType::kF32 ? want[i] : dequantize_tensor(want[i]);
    Tensor real_got = got[i].dtype() == DType::kF32 ? got[i] : dequantize_tensor(got[i]);
    auto a = real_want.data<float>(), b = real_got.data<float>();
    double largest = 1e-3;
    for (float value : a) largest = std::max(largest, std::abs(static_cast<double>(value)));
    double allowed = tolerance * largest;
    for (const Tensor* tensor : {&want[i], &got[i]})
      if (tensor->type().quant && max_steps > 0)
        allowed = std::max(allowed,
                           1.001 * max_steps * static_cast<double>(tensor->type().quant->scale[0]));
    for (size_t k = 0; k < a.size(); ++k)
      ASSERT_NEAR(static_cast<double>(a[k]), static_cast<double>(b[k]), allowed)
          << what << ", output " << i << ", element " << k;
  }
}

inline void expect_same_function(const Graph& before, const Graph& after, uint64_t seed = 1,
                                 double tolerance = 2e-5, double max_steps = 0) {
  ASSERT_EQ(before.inputs.size(), after.inputs.size());
  Rng rng(seed);
  for (int sample = 0; sample < 2; ++sample) {
    std::vector<Tensor> inputs;
    for (const Port& port : before.inputs)
      inputs.push_back(from_port(random_tensor(before.type(port.value), rng), port));
    expect_same_outputs(run_in_file_layout(before, inputs), run_in_file_layout(after, inputs),
                        tolerance, max_steps, before.name);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace nibble
