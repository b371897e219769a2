// lower() on hand-made graphs (fields, constants, buffers, names), and programs on the host against
// the interpreter.
#include "lower/lower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "ops/ops.h"
#include "support/random_graph.h"

namespace nibble {
namespace {

using testing::HasSubstr;

QuantParams quant(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

TensorType s8(Shape shape, float scale = 0.5f, int32_t zero_point = 3) {
  return {std::move(shape), DType::kS8, quant(scale, zero_point)};
}

ValueId weight(Graph& graph, const std::string& name, Shape shape, std::vector<int8_t> elems) {
  Tensor tensor = Tensor::of<int8_t>(std::move(shape), DType::kS8, elems);
  tensor.set_quant(QuantParams{{0.25f}, {0}, -1, 8, -127, 127});
  return append_constant(graph, name, tensor);
}

ValueId must(Result<ValueId> id) {
  EXPECT_TRUE(id.ok()) << id.error().message;
  return *id;
}

Program must(Result<Program> program) {
  EXPECT_TRUE(program.ok()) << program.error().message;
  return *program;
}

// x [1,3] → dense "fc;fused" [1,2] → reshape [2,1] → dense "fc2" [2,2]
Graph two_dense() {
  Graph graph;
  graph.name = "two dense";
  ValueId x = append_input(graph, "x", s8({1, 3}));
  ValueId w = weight(graph, "w", {2, 3}, {1, -2, 3, -4, 5, -6});
  ValueId y = must(append_node(graph, Dense{}, "fc;fused", {x, w, kNoValue}, quant(1, -5)));
  ValueId z = must(append_node(graph, Reshape{{2, 1}}, "flat", {y}, quant(1, -5)));
  ValueId w2 = weight(graph, "w2", {2, 1}, {7, 8});
  ValueId out = must(append_node(graph, Dense{}, "fc2", {z, w2, kNoValue}, quant(2, 0)));
  graph.outputs.push_back({out, {}});
  return graph;
}

int64_t field(const KernelCall& call, const std::string& name) {
  for (const auto& [key, value] : call.fields)
    if (key == name) return std::get<int64_t>(value);
  ADD_FAILURE() << "no field " << name;
  return 0;
}

const ConstantData& constant(const Program& program, const KernelCall& call,
                             const std::string& name) {
  for (const auto& [key, value] : call.fields)
    if (key == name)
      return program.constants[static_cast<size_t>(std::get<ConstantRef>(value).index)];
  NIBBLE_UNREACHABLE("no constant {}", name);
}

TEST(Lower, DenseFieldsConstantsAndBuffers) {
  Program program = must(lower(two_dense()));
  ASSERT_EQ(program.calls.size(), 2u);
  const KernelCall& fc = program.calls[0];
  EXPECT_EQ(fc.kernel, "nibble_dense_s8_ref");
  EXPECT_EQ(fc.layer, "fc;fused");
  EXPECT_EQ(fc.op, "dense");
  EXPECT_EQ(fc.shapes, "1x3 -> 1x2");
  EXPECT_EQ(fc.macs, 6);
  EXPECT_EQ(field(fc, "rows"), 1);
  EXPECT_EQ(field(fc, "in_len"), 3);
  EXPECT_EQ(field(fc, "out_len"), 2);
  EXPECT_EQ(field(fc, "in_zero"), 3);
  EXPECT_EQ(field(fc, "out_zero"), -5);
  EXPECT_EQ(field(fc, "bias"), 0);  // absent: a null pointer
  EXPECT_EQ(constant(program, fc, "filter").name, "fc_filter");
  EXPECT_EQ(constant(program, fc, "filter").bytes, (std::vector<uint8_t>{1, 254, 3, 252, 5, 250}));
  // The fields stand in the order of the kernel's struct.
  const KernelInfo* kernel = find_kernel(fc.kernel);
  ASSERT_NE(kernel, nullptr);
  for (size_t i = 0; i < fc.fields.size(); ++i)
    EXPECT_EQ(fc.fields[i].first, kernel->fields[i].name);
  // x, y and out: the reshape takes no buffer and no call.
  ASSERT_EQ(program.buffers.size(), 3u);
  EXPECT_EQ(program.buffers[0].bytes, 3);
  EXPECT_EQ(program.calls[1].operands[0].buffer, fc.operands[1].buffer);
  EXPECT_EQ(field(program.calls[1], "rows"), 2);
  EXPECT_EQ(program.outputs[0].buffer, program.calls[1].operands[1].buffer);
}

TEST(Lower, EqualConstantsAreStoredOnce) {
  Graph graph;
  graph.name = "twins";
  ValueId x = append_input(graph, "x", s8({1, 2}));
  ValueId w = weight(graph, "w", {2, 2}, {1, 2, 3, 4});
  ValueId v = weight(graph, "v", {2, 2}, {1, 2, 3, 4});
  ValueId y = must(append_node(graph, Dense{}, "a", {x, w, kNoValue}, quant(0.5f, 3)));
  ValueId z = must(append_node(graph, Dense{}, "b", {y, v, kNoValue}, quant(0.5f, 3)));
  graph.outputs.push_back({z, {}});
  Program program = must(lower(graph));
  EXPECT_EQ(program.constants.size(), 3u);  // filter, multiplier, exponent
  EXPECT_EQ(program.calls[0].fields, program.calls[1].fields);
}

TEST(Lower, ReshapeOfAnInputMayBeTheOutput) {
  Graph graph;
  graph.name = "only a view";
  ValueId x = append_input(graph, "x", s8({2, 3}));
  ValueId y = must(append_node(graph, Reshape{{3, 2}}, "r", {x}, quant(0.5f, 3)));
  ValueId z = must(append_node(graph, Reshape{{6}}, "s", {y}, quant(0.5f, 3)));
  graph.outputs.push_back({z, {}});
  graph.outputs.push_back({x, {}});
  Program program = must(lower(graph));
  EXPECT_TRUE(program.calls.empty());
  EXPECT_EQ(program.buffers.size(), 1u);
  HostProgram host(program);
  std::vector<int8_t> elems = {1, -2, 3, -4, 5, -6};
  Tensor input = Tensor::of<int8_t>({2, 3}, DType::kS8, elems);
  std::vector<Tensor> outputs = host.run(std::vector<Tensor>{input});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].shape(), (Shape{6}));
  EXPECT_TRUE(std::ranges::equal(outputs[0].data<int8_t>(), elems));
}

TEST(Lower, ConstantOutputIsAnError) {
  Graph graph;
  graph.name = "constant";
  append_input(graph, "x", s8({1, 2}));
  ValueId w = weight(graph, "w", {1, 2}, {1, 2});
  ValueId y =
      must(append_node(graph, Reshape{{2}}, "r", {w}, QuantParams{{0.25f}, {0}, -1, 8, -127, 127}));
  graph.outputs.push_back({y, {}});
  Result<Program> program = lower(graph);
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(program.error().message, HasSubstr("does not depend on the input"));
}

TEST(Lower, ConstantSourceIsReadFromFlash) {
  Graph graph;
  graph.name = "sum";
  ValueId x = append_input(graph, "x", s8({1, 2, 2, 2}));
  ValueId c = weight(graph, "c", {1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  ValueId y = must(append_node(graph, Add{}, "sum", {x, c}, quant(0.5f, 0)));
  graph.outputs.push_back({y, {}});
  Program program = must(lower(graph));
  ASSERT_EQ(program.calls.size(), 1u);
  EXPECT_EQ(program.buffers.size(), 2u);
  EXPECT_EQ(program.calls[0].operands[1].buffer, -1);
  const ConstantData& data =
      program.constants[static_cast<size_t>(program.calls[0].operands[1].constant)];
  EXPECT_EQ(data.bytes, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_TRUE(program.calls[0].in_place);
}

TEST(Lower, LayerNamesBecomeShortUniqueIdentifiers) {
  Graph graph;
  graph.name = "names";
  ValueId x = append_input(graph, "x", s8({1, 2}));
  std::string path = "very/long/path/of/scopes/in/some/training/framework/";
  ValueId w = weight(graph, "w", {2, 2}, {1, 2, 3, 4});
  ValueId v = weight(graph, "v", {2, 2}, {5, 2, 3, 4});
  ValueId y = must(append_node(graph, Dense{}, path + "x/dense", {x, w, kNoValue}, quant(1, 3)));
  ValueId z = must(append_node(graph, Dense{}, path + "x+dense", {y, v, kNoValue}, quant(1, 3)));
  graph.outputs.push_back({z, {}});
  Program program = must(lower(graph));
  EXPECT_TRUE(verify_program(program).ok());
  std::set<std::string> names;
  for (const ConstantData& data : program.constants) {
    EXPECT_LE(data.name.size(), 60u);
    EXPECT_TRUE(names.insert(data.name).second) << data.name;
  }
}

Tensor random_input(const TensorType& type, Rng& rng) {
  Tensor tensor(type);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.set_integer_at(i, rng.integer(dtype_min(type.dtype), dtype_max(type.dtype)));
  return tensor;
}

TEST(HostProgram, EqualsTheInterpreterOnRandomGraphs) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    RandomGraphOptions options;
    options.integer = true;
    options.unfolded = seed % 2 == 0;
    Graph graph = random_graph(seed, options);
    Result<Program> program = lower(graph);
    ASSERT_TRUE(program.ok()) << program.error().message;
    Result<Program> read_back = parse_program(print_program(*program));
    ASSERT_TRUE(read_back.ok()) << read_back.error().message;
    EXPECT_EQ(*read_back, *program);
    HostProgram portable(*program), fast(*program, {}, 0, HostKernels::kFast);
    Interpreter interpreter(graph);
    Rng rng(seed);
    for (int sample = 0; sample < 2; ++sample) {
      std::vector<Tensor> inputs = {random_input(graph.type(graph.inputs[0].value), rng)};
      std::vector<Tensor> expected = interpreter.run(inputs);
      for (HostProgram* host : {&portable, &fast}) {
        std::vector<Tensor> got = host->run(inputs);
        ASSERT_EQ(got.size(), expected.size());
        for (size_t i = 0; i < got.size(); ++i)
          EXPECT_TRUE(std::ranges::equal(got[i].bytes(), expected[i].bytes()))
              << "seed " << seed << " output " << i << (host == &fast ? ", fast" : "");
      }
    }
  }
}

TEST(VerifyProgram, CatchesWhatAFileMayHoldWrong) {
  const Program good = must(lower(two_dense()));
  EXPECT_TRUE(verify_program(good).ok());
  auto broken = [&](const std::function<void(Program&)>& change) {
    Program program = good;
    change(program);
    return !verify_program(program).ok();
  };
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].kernel = "nibble_magic"; }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].fields.pop_back(); }));
  EXPECT_TRUE(broken([](Program& p) { std::swap(p.calls[0].fields[0], p.calls[0].fields[1]); }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].fields[0].second = int64_t{1} << 40; }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].fields[0].second = ConstantRef{0}; }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].operands[0].buffer = 17; }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].operands[0].buffer = -1; }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].operands.pop_back(); }));
  EXPECT_TRUE(
      broken([](Program& p) { std::swap(p.calls[0].operands[0], p.calls[0].operands[1]); }));
  EXPECT_TRUE(broken([](Program& p) { p.calls[0].operands[1].offset_bytes = 100; }));
  EXPECT_TRUE(broken([](Program& p) { p.outputs[0].buffer = -1; }));
  EXPECT_TRUE(broken([](Program& p) { p.outputs[0].type.shape = {100}; }));
  EXPECT_TRUE(broken([](Program& p) { p.buffers[0].bytes = -1; }));
}

TEST(Registry, EveryKernelKnowsItsFilesAndStruct) {
  ASSERT_FALSE(all_kernels().empty());
  for (const KernelInfo& kernel : all_kernels()) {
    EXPECT_EQ(find_kernel(kernel.function), &kernel);
    ASSERT_FALSE(kernel.files.empty());
    std::string source(kernel.folder);
    source += "/" + std::string(kernel.function.substr(7)) + ".c";
    EXPECT_EQ(kernel.files.back(), source);
    EXPECT_NE(std::ranges::find(kernel.files, "common/nibble_common.h"), kernel.files.end());
    for (std::string_view file : kernel.files) EXPECT_FALSE(kernel_source(file).empty());
    EXPECT_EQ(kernel.isa == Isa::kPortable, kernel.invoke != nullptr) << kernel.function;
    size_t end = 0;
    for (const KernelField& field : kernel.fields) {
      EXPECT_GE(field.offset, end) << kernel.function << " " << field.name;
      end = field.offset + (field.is_pointer ? sizeof(void*) : 4);
    }
    EXPECT_LE(end, kernel.args_bytes);
  }
  EXPECT_EQ(find_kernel("nibble_magic"), nullptr);
}

}  // namespace
}  // namespace nibble
