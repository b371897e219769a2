// What the writer puts into an ONNX file: operators, layouts, names, quantization. That the files
// compute the same is tests/judges' matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/file.h"
#include "formats/formats.h"
#include "formats/onnx/proto.h"
#include "ops/ops.h"

namespace nibble {
namespace {

onnx::ModelProto written(const Graph& graph, const OnnxOptions& options = {}) {
  onnx::ModelProto model;
  auto bytes = onnx_bytes(graph, options);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message;
  if (!bytes.ok()) return model;
  EXPECT_TRUE(model.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
  return model;
}

std::string error_of(const Graph& graph) {
  auto bytes = onnx_bytes(graph);
  return bytes.ok() ? "" : bytes.error().message;
}

std::vector<std::string> operators(const onnx::ModelProto& model) {
  std::vector<std::string> types;
  for (const auto& node : model.graph().node()) types.push_back(node.op_type());
  return types;
}

using Types = std::vector<std::string>;

const onnx::TensorProto* initializer(const onnx::ModelProto& model, const std::string& name) {
  for (const auto& tensor : model.graph().initializer())
    if (tensor.name() == name) return &tensor;
  return nullptr;
}

std::vector<int64_t> dims(const onnx::TensorProto& tensor) {
  return {tensor.dims().begin(), tensor.dims().end()};
}

std::vector<int64_t> dims(const onnx::ValueInfoProto& value) {
  std::vector<int64_t> extents;
  for (const auto& dim : value.type().tensor_type().shape().dim())
    extents.push_back(dim.dim_value());
  return extents;
}

QuantParams quant(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

ValueId add(Graph& graph, Op op, const std::string& name, std::vector<ValueId> inputs,
            std::optional<QuantParams> params = std::nullopt,
            std::optional<DType> dtype = std::nullopt) {
  auto id = append_node(graph, std::move(op), name, std::move(inputs), std::move(params), dtype);
  EXPECT_TRUE(id.ok()) << id.error().message;
  return *id;
}

Tensor counted_floats(Shape shape) {
  std::vector<float> elems(static_cast<size_t>(elem_count(shape)));
  for (size_t i = 0; i < elems.size(); ++i) elems[i] = static_cast<float>(i);
  return Tensor::of_floats(std::move(shape), elems);
}

Tensor counted_bytes(Shape shape, QuantParams params) {
  std::vector<int8_t> elems(static_cast<size_t>(elem_count(shape)));
  for (size_t i = 0; i < elems.size(); ++i) elems[i] = static_cast<int8_t>(i % 100);
  Tensor tensor = Tensor::of<int8_t>(std::move(shape), DType::kS8, elems);
  tensor.set_quant(std::move(params));
  return tensor;
}

// Two convolutions with a sum and a pool between them: one Transpose before, one behind.
TEST(WriteOnnx, TransposesStandAtTheBordersOnly) {
  Graph graph;
  graph.name = "g";
  ValueId x = append_input(graph, "x", {{1, 6, 5, 2}, DType::kF32, std::nullopt});
  ValueId w = append_constant(graph, "w", counted_floats({2, 3, 3, 2}));
  Conv2d same;
  same.window.pad_top = same.window.pad_bottom = same.window.pad_left = same.window.pad_right = 1;
  same.act = {0, INFINITY};
  ValueId first = add(graph, same, "first", {x, w, kNoValue});
  ValueId sum = add(graph, Add{}, "sum", {first, x});
  ValueId pooled = add(graph, MaxPool2d{2, 2, {}, {}}, "pooled", {sum});
  ValueId second = add(graph, same, "second", {pooled, w, kNoValue});
  graph.outputs.push_back({second, {}});
  const auto model = written(graph);
  EXPECT_EQ(operators(model),
            (Types{"Transpose", "Conv", "Relu", "Add", "MaxPool", "Conv", "Relu", "Transpose"}));
  EXPECT_EQ(model.graph().input(0).name(), "x");
  EXPECT_EQ(dims(model.graph().input(0)), (std::vector<int64_t>{1, 6, 5, 2}));
  EXPECT_EQ(model.graph().output(0).name(), "second");
  EXPECT_EQ(model.graph().node(1).name(), "first");
  // O H W I is O I H W in the file: element (o, i, h, w) was o*18 + h*6 + w*2 + i.
  const onnx::TensorProto* filter = initializer(model, "w");
  ASSERT_TRUE(filter);
  EXPECT_EQ(dims(*filter), (std::vector<int64_t>{2, 2, 3, 3}));
  std::vector<float> elems(36);
  std::memcpy(elems.data(), filter->raw_data().data(), 36 * sizeof(float));
  EXPECT_EQ(elems[1], 2);        // (0, 0, 0, 1)
  EXPECT_EQ(elems[9], 1);        // (0, 1, 0, 0)
  EXPECT_EQ(elems[18 + 3], 24);  // (1, 0, 1, 0)
}

TEST(WriteOnnx, PortsHaveTheOrderOfTheFileThatTheyCameFrom) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 6, 5, 2}, DType::kF32, std::nullopt});
  graph.inputs[0].source_perm = {0, 2, 3, 1};
  ValueId w = append_constant(graph, "w", counted_floats({2, 1, 1, 2}));
  ValueId y = add(graph, Conv2d{}, "y", {x, w, kNoValue});
  graph.outputs.push_back({y, {0, 2, 3, 1}});
  const auto model = written(graph);
  EXPECT_EQ(operators(model), Types{"Conv"});
  EXPECT_EQ(dims(model.graph().input(0)), (std::vector<int64_t>{1, 2, 6, 5}));
  EXPECT_EQ(dims(model.graph().output(0)), (std::vector<int64_t>{1, 2, 6, 5}));
}

TEST(WriteOnnx, TransposesOfTheGraphBecomeNames) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 2, 6, 5}, DType::kF32, std::nullopt});
  ValueId turned = add(graph, Transpose{{0, 2, 3, 1}}, "turned", {x});
  ValueId pooled = add(graph, MaxPool2d{2, 2, {}, {}}, "pooled", {turned});
  ValueId back = add(graph, Transpose{{0, 3, 1, 2}}, "back", {pooled});
  graph.outputs.push_back({back, {}});
  EXPECT_EQ(operators(written(graph)), Types{"MaxPool"});
}

Graph quantized_dense(const Bounds& act, int32_t out_zero) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 4}, DType::kS8, quant(0.5f, 3)});
  QuantParams per_channel{{0.25f, 0.125f}, {0, 0}, 0, 8, -127, 127};
  ValueId w = append_constant(graph, "w", counted_bytes({2, 4}, per_channel));
  const std::vector<int32_t> elems = {1000, -7};
  Tensor bias = Tensor::of<int32_t>({2}, DType::kS32, elems);
  ValueId b = append_constant(graph, "b", bias);
  ValueId y = add(graph, Dense{act}, "y", {x, w, b}, quant(0.1f, out_zero));
  graph.outputs.push_back({y, {}});
  return graph;
}

TEST(WriteOnnx, QuantizedLayersStandBetweenDequantizeAndQuantize) {
  const auto model = written(quantized_dense({}, -128));
  EXPECT_EQ(operators(model),
            (Types{"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "DequantizeLinear",
                   "Gemm", "QuantizeLinear", "DequantizeLinear"}));
  EXPECT_EQ(model.opset_import(0).version(), 17);
  EXPECT_EQ(model.graph().input(0).type().tensor_type().elem_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(model.graph().output(0).type().tensor_type().elem_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(model.graph().output(0).name(), "y");
  const onnx::TensorProto* weight = initializer(model, "w");
  const onnx::TensorProto* bias = initializer(model, "b");
  const onnx::TensorProto* bias_scale = initializer(model, "b_scale");
  ASSERT_TRUE(weight && bias && bias_scale);
  EXPECT_EQ(weight->data_type(), onnx::TensorProto::INT8);
  EXPECT_EQ(bias->data_type(), onnx::TensorProto::INT32);
  float scales[2];
  std::memcpy(scales, bias_scale->raw_data().data(), sizeof scales);
  EXPECT_EQ(scales[0], 0.5f * 0.25f);
  EXPECT_EQ(scales[1], 0.5f * 0.125f);
  ASSERT_EQ(model.graph().node(2).attribute_size(), 1);
  EXPECT_EQ(model.graph().node(2).attribute(0).name(), "axis");
  EXPECT_EQ(model.graph().node(2).attribute(0).i(), 0);
}

// Also where the graph has the quantize itself.
TEST(WriteOnnx, InputsAreTransposedBeforeTheyAreQuantized) {
  for (bool own_quantize : {false, true}) {
    Graph graph;
    const QuantParams params = quant(0.5f, 3);
    const Shape shape = {1, 6, 5, 2};
    ValueId x = append_input(graph, "x",
                             own_quantize ? TensorType{shape, DType::kF32, std::nullopt}
                                          : TensorType{shape, DType::kS8, params});
    if (own_quantize) x = add(graph, Quantize{}, "q", {x}, params);
    ValueId y = add(graph, MaxPool2d{2, 2, {}, {}}, "y", {x}, params, DType::kS8);
    graph.outputs.push_back({y, {}});
    EXPECT_EQ(operators(written(graph)),
              (Types{"Transpose", "QuantizeLinear", "DequantizeLinear", "MaxPool", "QuantizeLinear",
                     "DequantizeLinear", "Transpose", "QuantizeLinear", "DequantizeLinear"}));
  }
}

TEST(WriteOnnx, ActivationsThatTheRangeHoldsAreNotWritten) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  auto has = [](const onnx::ModelProto& model, const std::string& type) {
    const Types types = operators(model);
    return std::ranges::count(types, type) > 0;
  };
  // Zero is the lowest step.
  EXPECT_FALSE(has(written(quantized_dense({0, kInfinity}, -128)), "Relu"));
  EXPECT_TRUE(has(written(quantized_dense({0, kInfinity}, -120)), "Relu"));
  // The highest step is 25.5.
  EXPECT_FALSE(has(written(quantized_dense({0, 26}, -128)), "Clip"));
  EXPECT_TRUE(has(written(quantized_dense({0, 6}, -128)), "Clip"));
}

TEST(WriteOnnx, NarrowGridsAreClipped) {
  Graph graph = quantized_dense({}, 0);
  QuantParams narrow{{0.5f}, {-2}, -1, 4, -8, 7};
  graph.value(graph.outputs[0].value).type.quant = narrow;
  const auto model = written(graph);
  const onnx::TensorProto* low = initializer(model, "y_min");
  const onnx::TensorProto* high = initializer(model, "y_max");
  ASSERT_TRUE(low && high);
  float bounds[2];
  std::memcpy(&bounds[0], low->raw_data().data(), 4);
  std::memcpy(&bounds[1], high->raw_data().data(), 4);
  EXPECT_EQ(bounds[0], 0.5f * (-8 + 2));
  EXPECT_EQ(bounds[1], 0.5f * (7 + 2));
}

TEST(WriteOnnx, GroupsBecomeSteps) {
  Graph graph = quantized_dense({}, 0);
  Value& weight = graph.value(graph.nodes[0].inputs[1]);
  QuantParams groups{{0.25f, 0.125f}, {0, 0}, 0, 8, -127, 127, {}, 2, {1, 3, 5, 7}};
  weight.type.quant = groups;
  weight.constant->set_quant(groups);
  const auto model = written(graph);
  EXPECT_EQ(model.opset_import(0).version(), 21);
  const onnx::TensorProto* steps = initializer(model, "w");
  ASSERT_TRUE(steps);
  ASSERT_EQ(steps->data_type(), onnx::TensorProto::INT16);
  int16_t elems[8];
  std::memcpy(elems, steps->raw_data().data(), sizeof elems);
  const int16_t want[8] = {0, 1, 2 * 3, 3 * 3, 4 * 5, 5 * 5, 6 * 7, 7 * 7};
  EXPECT_TRUE(std::equal(std::begin(elems), std::end(elems), std::begin(want)));
}

TEST(WriteOnnx, SixteenBitsTakeOpset21) {
  Graph graph;
  QuantParams wide{{0.5f}, {0}, -1, 16, -32768, 32767};
  ValueId x = append_input(graph, "x", {{1, 4}, DType::kS16, wide});
  graph.outputs.push_back({add(graph, Reshape{{4}}, "y", {x}, wide, DType::kS16), {}});
  const auto model = written(graph);
  EXPECT_EQ(model.opset_import(0).version(), 21);
  const onnx::TensorProto* zero = initializer(model, "x_zero_point");
  ASSERT_TRUE(zero);
  EXPECT_EQ(zero->data_type(), onnx::TensorProto::INT16);
}

TEST(WriteOnnx, ActivationsAreOutputsWhenAskedFor) {
  const auto model = written(quantized_dense({}, 0), {true});
  Types names;
  for (const auto& output : model.graph().output()) names.push_back(output.name());
  EXPECT_EQ(names, (Types{"y", "x_output"}));
}

TEST(WriteOnnx, OneValueAsInputAndTwoOutputs) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 4}, DType::kF32, std::nullopt});
  ValueId y = add(graph, Sigmoid{}, "y", {x});
  graph.outputs = {{x, {}}, {y, {}}, {y, {}}};
  const auto model = written(graph);
  EXPECT_EQ(operators(model), (Types{"Sigmoid", "Identity", "Identity"}));
  std::map<std::string, int> names;
  for (const auto& output : model.graph().output()) ++names[output.name()];
  EXPECT_EQ(names.size(), 3u);
  EXPECT_EQ(names.count("x"), 0u);
}

TEST(WriteOnnx, WhatOnnxHasNoTypeForIsNamed) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 4}, DType::kS8, quant(0.5f, 3)});
  QuantParams wide{{0.01f}, {0}, -1, 32, INT32_MIN, INT32_MAX};
  ValueId y = add(graph, Quantize{}, "wider", {x}, wide, DType::kS32);
  graph.outputs.push_back({y, {}});
  EXPECT_NE(error_of(graph).find("node 'wider' (quantize)"), std::string::npos) << error_of(graph);
  EXPECT_NE(error_of(graph).find(".nibble"), std::string::npos) << error_of(graph);
}

TEST(WriteOnnx, WhatOnnxResizesOtherwiseIsNamed) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 5, 5, 2}, DType::kF32, std::nullopt});
  // Corners aligned and half pixels at once: no rule of ONNX's.
  ValueId y = add(graph, ResizeNearest{7, 7, true, true}, "resized", {x});
  graph.outputs.push_back({y, {}});
  EXPECT_NE(error_of(graph).find("node 'resized' (resize_nearest)"), std::string::npos)
      << error_of(graph);
}

TEST(WriteOnnx, FileAppearsWholeOrNotAtAll) {
  auto folder = TempDir::create();
  ASSERT_TRUE(folder.ok());
  const auto path = folder->path() / "missing/model.onnx";
  EXPECT_FALSE(write_onnx(quantized_dense({}, 0), path).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(write_model(quantized_dense({}, 0), folder->path() / "model.onnx").ok());
  EXPECT_TRUE(read_onnx(folder->path() / "model.onnx").ok());
  EXPECT_FALSE(write_model(quantized_dense({}, 0), folder->path() / "model.tflite").ok());
}

}  // namespace
}  // namespace nibble
