// Learning with libtorch, against enumeration, closed forms and nibble's own references.
#include "train/train.h"

#include <cmath>
#include <map>
#include <numeric>

#include "passes/passes.h"
#include "quantize/quantize.h"
#include "support/float_network.h"
#include "support/random_graph.h"
#include "train/blocks.h"

namespace nibble {
namespace {

#define NIBBLE_NEED_TORCH()                            \
  if (const Status found = check_train(); !found.ok()) \
  GTEST_SKIP() << "left out: learning (" << found.error().message << ")"

std::vector<Tensor> random_samples(const Graph& graph, int count, uint64_t seed) {
  Rng rng(seed);
  std::vector<Tensor> samples;
  for (int i = 0; i < count; ++i)
    samples.push_back(random_tensor(graph.type(graph.inputs[0].value).shape, -1, 1, rng));
  return samples;
}

CalibrationData data_of(const std::vector<Tensor>& samples) {
  return {static_cast<int64_t>(samples.size()),
          [&samples](int64_t i) { return samples[static_cast<size_t>(i)]; }};
}

QuantizeOptions weights_of(int bits) {
  QuantizeOptions options;
  options.all.weights.bits = bits;
  return options;
}

// The squared error of a dense layer's outputs over the samples, in real numbers.
double dense_error(const Tensor& weight, const Tensor& real, const std::vector<Tensor>& samples) {
  const Tensor used = dequantize_tensor(weight);
  auto w = used.data<float>(), r = real.data<float>();
  double sum = 0;
  for (const Tensor& sample : samples) {
    auto x = sample.data<float>();
    for (size_t o = 0; o < w.size() / x.size(); ++o) {
      double error = 0;
      for (size_t i = 0; i < x.size(); ++i)
        error += static_cast<double>((w[o * x.size() + i] - r[o * x.size() + i]) * x[i]);
      sum += error * error;
    }
  }
  return sum;
}

// Inputs that always agree but for a little: their errors add up, and rounding all to nearest is
// bad.
std::vector<Tensor> agreeing_samples(int64_t width, int count) {
  Rng rng(3);
  std::vector<Tensor> samples;
  for (int s = 0; s < count; ++s) {
    const double common = rng.uniform(-1, 1);
    Tensor sample(TensorType{{1, width}, DType::kF32, std::nullopt});
    for (float& value : sample.mutable_data<float>())
      value = static_cast<float>(common + 0.05 * rng.uniform(-1, 1));
    samples.push_back(std::move(sample));
  }
  return samples;
}

TEST(Train, TorchComputesWhatTheReferencesDo) {
  NIBBLE_NEED_TORCH();
  int compared = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const Graph graph = RandomGraphBuilder(seed, {}).build();
    const std::vector<Tensor> samples = random_samples(graph, 3, seed);
    const auto outputs = torch_outputs(graph, samples);
    if (!outputs.ok()) {  // graphs that turn the first axis
      EXPECT_NE(outputs.error().message.find("first axis"), std::string::npos)
          << outputs.error().message;
      continue;
    }
    ++compared;
    Interpreter interpreter(graph);
    for (size_t s = 0; s < samples.size(); ++s) {
      const std::vector<Tensor> expected = interpreter.run({&samples[s], 1});
      ASSERT_EQ(outputs->at(s).size(), expected.size());
      for (size_t k = 0; k < expected.size(); ++k) {
        auto want = expected[k].data<float>(), got = outputs->at(s)[k].data<float>();
        float largest = 1;
        for (float value : want) largest = std::max(largest, std::abs(value));
        for (size_t i = 0; i < want.size(); ++i)
          ASSERT_NEAR(got[i], want[i], 1e-4f * largest) << "seed " << seed << " output " << k;
      }
    }
  }
  EXPECT_GT(compared, 40);
}

TEST(Train, OperatorsOfOtherNetworksToo) {
  NIBBLE_NEED_TORCH();
  Network net;
  const ValueId x = net.input({1, 6, 5, 4});
  ValueId y = net.node(Conv2d{Window{2, 1, 1, 2, 1, 0, 0, 2}, 2, kRelu}, "grouped",
                       {x, net.noise("w", {6, 3, 2, 2}, 1), net.noise("b", {6}, 1)});
  y = net.node(DepthwiseConv2d{kSame3x3, {}}, "multiplied", {y, net.noise("d", {1, 3, 3, 12}, 1)});
  y = net.node(AvgPool2d{3, 3, kSame3x3, false, {}}, "inside", {y});
  y = net.node(AvgPool2d{3, 3, kSame3x3, true, {}}, "all", {y});
  y = net.node(MaxPool2d{2, 2, Window{1, 1, 1, 1, 0, 0, 1, 1}, {}}, "max", {y});
  y = net.node(ResizeNearest{7, 9, true, false}, "resize", {y});
  y = net.node(LeakyRelu{0.1f}, "leaky", {y});
  y = net.node(HardSwish{}, "swish", {y});
  const ValueId gate =
      net.node(HardSigmoid{0.2f, 0.5f}, "gate", {net.node(Mean{{1, 2}, false}, "squeeze", {y})});
  // Lower rank than the image: one factor per sample and channel would stand in the wrong axes if
  // samples were not kept first.
  const ValueId image = net.node(Reshape{{1, 1, 1, 12}}, "image", {gate});
  y = net.node(Mul{{}}, "excite", {y, image});
  y = net.node(Slice{{0, 6, 1, 0}, {1, 3, 4, 12}, {1, -2, 2, 1}}, "slice", {y});
  y = net.node(Tanh{}, "tanh", {y});
  y = net.node(Sigmoid{}, "sigmoid", {y});
  y = net.node(Sub{{}}, "sub", {y, net.noise("c", {12}, 1)});
  y = net.node(Softmax{0.5f}, "softmax", {y});
  const Graph graph = net.with_output(y);
  const std::vector<Tensor> samples = random_samples(graph, 2, 5);
  const auto outputs = torch_outputs(graph, samples);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  Interpreter interpreter(graph);
  for (size_t s = 0; s < samples.size(); ++s) {
    const Tensor expected = interpreter.run({&samples[s], 1})[0];
    for (size_t i = 0; i < expected.data<float>().size(); ++i)
      ASSERT_NEAR(outputs->at(s)[0].data<float>()[i], expected.data<float>()[i], 1e-5);
  }
}

// Constants anywhere among the operands of what takes several: one for all samples.
TEST(Train, ConstantsAmongTheOperands) {
  NIBBLE_NEED_TORCH();
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    Network net(seed);
    ValueId y = net.input({1, 4, 3, 2});
    for (int n = 0; n < 6; ++n) {
      const std::string name = "n" + std::to_string(n);
      const Shape shape = net.graph.type(y).shape;
      const int64_t kind = rng.integer(0, 3);
      Shape other = shape;
      Op op = Mul{{}};
      if (kind == 0) {
        const int64_t axis = rng.integer(1, 3);
        other[static_cast<size_t>(axis)] = rng.integer(1, 2);
        op = Concat{axis};
      } else {
        for (size_t axis = 1; axis < 4; ++axis)
          if (rng.integer(0, 1)) other[axis] = 1;
        if (rng.integer(0, 2) == 0) other.erase(other.begin(), other.begin() + rng.integer(1, 3));
        if (kind == 1) op = Add{{}};
        if (kind == 2) op = Sub{{}};
      }
      std::vector<ValueId> operands = {y, net.noise(name + "c", other, 1)};
      if (kind == 0 && rng.integer(0, 1)) operands.push_back(y);
      if (rng.integer(0, 1)) std::swap(operands[0], operands[1]);
      y = net.node(std::move(op), name, std::move(operands));
      if (rng.integer(0, 1)) y = net.node(Tanh{}, name + "t", {y});
    }
    const int64_t channels = net.graph.type(y).shape[3];
    y = net.node(Conv2d{Window{}, 1, {}}, "conv", {y, net.noise("w", {3, 1, 1, channels}, 1)});
    const Graph real = net.with_output(y);
    const std::vector<Tensor> samples = random_samples(real, 5, seed);
    const auto outputs = torch_outputs(real, samples);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    Interpreter interpreter(real);
    for (size_t s = 0; s < samples.size(); ++s) {
      const Tensor expected = interpreter.run({&samples[s], 1})[0];
      auto want = expected.data<float>(), got = outputs->at(s)[0].data<float>();
      ASSERT_EQ(want.size(), got.size());
      for (size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], 1e-4f * std::max(1.0f, std::abs(want[i]))) << "seed " << seed;
    }
    Graph integer = *quantize(real, data_of(samples), weights_of(3));
    ReconstructOptions options;
    options.method = Reconstruction::kQDrop;
    options.steps = 3;
    const auto losses = reconstruct(real, integer, samples, options);
    ASSERT_TRUE(losses.ok()) << losses.error().message;
  }
}

TEST(Train, BlocksEndWhereOneActivationLeadsOn) {
  Network net;
  const ValueId x = net.input({1, 4, 4, 4});
  auto conv = [&](const std::string& name, ValueId src) {
    return net.node(Conv2d{kSame3x3, 1, kRelu}, name,
                    {src, net.noise(name + "w", {4, 3, 3, 4}, 1), net.noise(name + "b", {4}, 1)});
  };
  const ValueId first = conv("first", x);
  const ValueId sum = net.node(Add{kRelu}, "sum", {first, conv("right", conv("left", first))});
  const ValueId depthwise =
      net.node(DepthwiseConv2d{kSame3x3, kRelu}, "depthwise",
               {sum, net.noise("dw", {1, 3, 3, 4}, 1), net.noise("db", {4}, 1)});
  const Graph real =
      net.with_output(net.node(Mean{{1, 2}, false}, "mean", {conv("pointwise", depthwise)}));
  const std::vector<Tensor> samples = random_samples(real, 4, 1);
  const Result<Graph> integer = quantize(real, data_of(samples), {});
  ASSERT_TRUE(integer.ok()) << integer.error().message;
  std::vector<std::vector<std::string>> names;
  for (const Block& block : residual_blocks(*integer)) {
    names.emplace_back();
    for (size_t i = block.begin; i < block.end; ++i) names.back().push_back(integer->nodes[i].name);
  }
  const std::vector<std::vector<std::string>> expected = {
      {"first"}, {"left", "right", "sum"}, {"depthwise", "pointwise"}};
  EXPECT_EQ(names, expected);
  EXPECT_EQ(layer_blocks(*integer).size(), 5u);
}

// Names of the nodes of each block, and behind "->" of what is read of it.
std::vector<std::string> blocks_text(const Graph& graph) {
  std::vector<std::string> texts;
  for (const Block& block : residual_blocks(graph)) {
    std::string text;
    for (size_t i = block.begin; i < block.end; ++i) text += graph.nodes[i].name + " ";
    text += "->";
    for (ValueId id : block.outputs) text += " " + graph.value(id).name;
    texts.push_back(text);
  }
  return texts;
}

ValueId add_dense(Network& net, const std::string& name, ValueId src, int64_t outs) {
  const int64_t ins = net.graph.type(src).shape[1];
  return net.node(Dense{}, name,
                  {src, net.noise(name + "w", {outs, ins}, 1), net.noise(name + "b", {outs}, 1)});
}

// `start` with each of its `blocks` learned by BRECQ.
Graph with_brecq(const Graph& real, const Graph& start, const std::vector<Tensor>& samples,
                 int64_t steps, size_t blocks) {
  ReconstructOptions options;
  options.method = Reconstruction::kBrecq;
  options.steps = steps;
  Graph integer = start;
  const auto losses = reconstruct(real, integer, samples, options);
  if (losses.ok())
    EXPECT_EQ(losses->size(), blocks);
  else
    ADD_FAILURE() << losses.error().message;
  return integer;
}

TEST(Train, EachHeadOfTwoIsABlock) {
  Network net;
  const ValueId trunk = add_dense(net, "trunk", net.input({1, 6}), 5);
  const ValueId left = add_dense(net, "left2", add_dense(net, "left1", trunk, 4), 3);
  const ValueId right = add_dense(net, "right", trunk, 2);
  net.graph.outputs = {{left, {}}, {right, {}}};
  const std::vector<Tensor> samples = random_samples(net.graph, 8, 1);
  const Graph start = *quantize(net.graph, data_of(samples), weights_of(3));
  EXPECT_EQ(blocks_text(start),
            (std::vector<std::string>{"trunk -> trunk", "left1 left2 -> left2", "right -> right"}));

  NIBBLE_NEED_TORCH();
  with_brecq(net.graph, start, samples, 30, 3);
}

// Behind "aside", which only the caller reads, "first" leads on.
TEST(Train, ABlockLearnsAllThatIsReadOfIt) {
  Network net;
  const ValueId x = net.input({1, 12});
  const ValueId first = add_dense(net, "first", x, 10);
  const ValueId aside = add_dense(net, "aside", x, 8);
  const ValueId last = add_dense(net, "last", first, 4);
  net.graph.outputs = {{aside, {}}, {last, {}}};
  const std::vector<Tensor> samples = agreeing_samples(12, 40);
  const Graph start = *quantize(net.graph, data_of(samples), weights_of(3));
  EXPECT_EQ(blocks_text(start),
            (std::vector<std::string>{"first aside -> first aside", "last -> last"}));

  NIBBLE_NEED_TORCH();
  const Graph integer = with_brecq(net.graph, start, samples, 800, 2);
  auto errors = [&](const Graph& graph, const std::string& name) {
    const auto layers = compare_layers(net.graph, graph, data_of(samples), 40);
    for (const LayerError& error : *layers)
      if (error.node == name) return error.local_sqnr_db;
    ADD_FAILURE() << name;
    return 0.0;
  };
  for (const char* name : {"first", "aside"})
    EXPECT_GT(errors(integer, name), errors(start, name) + 3) << name;
}

// All 2^8 roundings of one output channel are tried: AdaRound's is one of the dozen best.
TEST(Train, AdaRoundFindsTheRoundingThatEnumerationFinds) {
  NIBBLE_NEED_TORCH();
  constexpr int64_t kWidth = 8;
  Network net(7);
  const ValueId x = net.input({1, kWidth});
  // One step is a tenth: all but the first lie 0.2 to 0.48 steps above a level, and nearest
  // rounding takes all of them down.
  const std::vector<float> weights = {0.7f, 0.348f, 0.22f, -0.155f, 0.04f, 0.131f, -0.259f, 0.445f};
  const Graph real =
      net.with_output(net.node(Dense{}, "dense", {x, net.constant("w", {1, kWidth}, weights)}));
  const std::vector<Tensor> samples = agreeing_samples(kWidth, 64);
  Graph integer = *quantize(real, data_of(samples), weights_of(4));
  const ValueId filter = integer.nodes.back().inputs[1];
  const Tensor start = *integer.value(filter).constant;
  const Tensor& wanted = *real.value(real.nodes[0].inputs[1]).constant;
  std::vector<double> errors;
  for (int mask = 0; mask < 1 << kWidth; ++mask) {
    Tensor tried = start;
    const float scale = start.type().quant->scale[0];
    for (int i = 0; i < kWidth; ++i)
      tried.set_integer_at(
          i, static_cast<int64_t>(std::floor(weights[static_cast<size_t>(i)] / scale)) +
                 (mask >> i & 1));
    errors.push_back(dense_error(tried, wanted, samples));
  }
  std::ranges::sort(errors);
  const double nearest = dense_error(start, wanted, samples);
  ReconstructOptions options;
  options.steps = 400;
  const auto losses = reconstruct(real, integer, samples, options);
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  const double learned = dense_error(*integer.value(filter).constant, wanted, samples);
  EXPECT_GT(nearest, 5 * errors[11]);  // else the case shows nothing
  EXPECT_LE(learned, 1.001 * errors[11]);
  ASSERT_EQ(losses->size(), 1u);
  EXPECT_LT(losses->at(0).after, losses->at(0).before);
}

// Weights of one magnitude: 0.6 is no multiple of the scale 1/8 that they have, but five times
// 0.12.
TEST(Train, AdaQuantFindsTheScaleThatHoldsTheWeight) {
  NIBBLE_NEED_TORCH();
  Network net;
  const ValueId x = net.input({1, 4});
  const Graph real = net.with_output(net.node(
      Dense{}, "dense",
      {x, net.constant("w", {1, 4}, {0.6f, -0.6f, 0.6f, 0.6f}), net.constant("b", {1}, {0.1f})}));
  const std::vector<Tensor> samples = random_samples(real, 64, 2);
  QuantizeOptions coarse = weights_of(4);
  coarse.all.weights.scales = Scales::kPowerOfTwo;
  Graph integer = *quantize(real, data_of(samples), coarse);
  const ValueId filter = integer.nodes.back().inputs[1];
  ASSERT_EQ(integer.type(filter).quant->scale[0], 0.125f);
  ReconstructOptions options;
  options.method = Reconstruction::kAdaQuant;
  options.steps = 600;
  const auto losses = reconstruct(real, integer, samples, options);
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  EXPECT_LT(losses->at(0).after, 0.05 * losses->at(0).before);
  EXPECT_NEAR(integer.type(filter).quant->scale[0], 0.12f, 0.001f);
  EXPECT_TRUE(verify_graph(integer, VerifyLevel::kQuantized).ok());
}

class TrainMethods : public testing::TestWithParam<Reconstruction> {};

// Whatever the method, no block ends with a larger error than nearest rounding leaves; the same
// seed gives the same integers; and what a checkpoint holds is where the rest goes on.
TEST_P(TrainMethods, NeverWorseRepeatableResumable) {
  NIBBLE_NEED_TORCH();
  const Graph real = uneven_network(3);
  const std::vector<Tensor> samples = random_samples(real, 24, 4);
  const Graph start = *quantize(real, data_of(samples), weights_of(3));
  ReconstructOptions options;
  options.method = GetParam();
  options.steps = 40;
  options.batch = 8;
  std::vector<Graph> states;
  options.block_done = [&](int64_t blocks, const BlockLoss&, const Graph& state) -> Status {
    EXPECT_EQ(static_cast<size_t>(blocks), states.size() + 1);
    states.push_back(state);
    return {};
  };
  Graph integer = start;
  const auto losses = reconstruct(real, integer, samples, options);
  ASSERT_TRUE(losses.ok()) << losses.error().message;
  ASSERT_GE(states.size(), 3u);
  ASSERT_EQ(losses->size(), states.size());
  bool gained = false;
  for (const BlockLoss& loss : *losses) {
    EXPECT_LE(loss.after, loss.before) << loss.nodes;
    gained |= loss.after < loss.before;
  }
  EXPECT_TRUE(gained);
  EXPECT_TRUE(verify_graph(integer, VerifyLevel::kQuantized).ok());

  options.block_done = {};
  Graph again = start;
  ASSERT_TRUE(reconstruct(real, again, samples, options).ok());
  EXPECT_EQ(print_graph(again), print_graph(integer));

  Graph resumed = states[1];
  options.blocks_done = 2;
  ASSERT_TRUE(reconstruct(real, resumed, samples, options).ok());
  EXPECT_EQ(print_graph(resumed), print_graph(integer));
}

std::string method_name(const testing::TestParamInfo<Reconstruction>& tested) {
  constexpr const char* kNames[] = {"AdaRound", "AdaQuant", "Brecq", "QDrop"};
  return kNames[static_cast<size_t>(tested.param)];
}
INSTANTIATE_TEST_SUITE_P(All, TrainMethods,
                         testing::Values(Reconstruction::kAdaRound, Reconstruction::kAdaQuant,
                                         Reconstruction::kBrecq, Reconstruction::kQDrop),
                         method_name);

// One outlier in a hundred samples stretches a range of 4 bits; giving it up costs less than the
// coarse steps do.
TEST(Train, LearnedRangesLeaveTheOutlierOut) {
  NIBBLE_NEED_TORCH();
  Network net;
  const ValueId x = net.input({1, 16});
  std::vector<float> eye(256, 0);
  for (size_t i = 0; i < 16; ++i) eye[i * 17] = 1;
  const Graph real =
      net.with_output(net.node(Dense{}, "dense", {x, net.constant("w", {16, 16}, eye)}));
  std::vector<Tensor> samples = random_samples(real, 100, 6);
  samples[0].mutable_data<float>()[0] = 4;
  QuantizeOptions quantization;
  quantization.all.activations.bits = 4;
  Graph integer = *quantize(real, data_of(samples), quantization);
  const ValueId input = integer.inputs[0].value;
  const float before = integer.type(input).quant->scale[0];
  LearnRangesOptions options;
  options.steps = 300;
  const Result<RangesLoss> loss = learn_ranges(real, integer, samples, options);
  ASSERT_TRUE(loss.ok()) << loss.error().message;
  EXPECT_LT(loss->after, loss->before);
  EXPECT_LT(integer.type(input).quant->scale[0], 0.9f * before);
  EXPECT_TRUE(verify_graph(integer, VerifyLevel::kQuantized).ok());
}

// Outputs so large that the square of their error is infinite: no method may take that for success.
TEST(Train, AnErrorThatIsNoNumberIsSaid) {
  NIBBLE_NEED_TORCH();
  Network net;
  const ValueId x = net.input({1, 4});
  const Graph real = net.with_output(
      net.node(Dense{}, "large", {x, net.noise("w", {3, 4}, 1e25), net.noise("b", {3}, 1)}));
  std::vector<Tensor> samples = random_samples(real, 8, 4);
  const Graph start = *quantize(real, data_of(samples), weights_of(3));
  Graph integer = start;
  auto no_number = [&](const Status& status) {
    return !status.ok() &&
           status.error().message.find("infinite or not a number") != std::string::npos;
  };
  auto reconstructed = [&]() -> Status {
    NIBBLE_TRY(reconstruct(real, integer, samples, {}));
    return {};
  };
  EXPECT_TRUE(no_number(reconstructed()));
  samples[3].mutable_data<float>()[0] = NAN;
  EXPECT_TRUE(no_number(reconstructed()));
  auto ranges = [&]() -> Status {
    NIBBLE_TRY(learn_ranges(real, integer, samples, {}));
    return {};
  };
  EXPECT_TRUE(no_number(ranges()));
  EXPECT_EQ(print_graph(integer), print_graph(start));
}

// A range that shrinks makes a bias near the end of its 32 bits larger than these hold.
TEST(Train, LearnedRangesLeaveALargeBiasAlone) {
  NIBBLE_NEED_TORCH();
  Network net;
  const ValueId x = net.input({1, 16});
  std::vector<float> eye(256, 0);
  for (size_t i = 0; i < 16; ++i) eye[i * 17] = 1;
  const Graph real =
      net.with_output(net.node(Dense{}, "dense",
                               {x, net.constant("w", {16, 16}, eye),
                                net.constant("b", {16}, std::vector<float>(16, 3e5f))}));
  std::vector<Tensor> samples = random_samples(real, 100, 6);
  samples[0].mutable_data<float>()[0] = 4;
  QuantizeOptions quantization;
  quantization.all.activations.bits = 4;
  quantization.all.weights.bits = 8;
  Graph integer = *quantize(real, data_of(samples), quantization);
  LearnRangesOptions options;
  options.steps = 100;
  const Result<RangesLoss> loss = learn_ranges(real, integer, samples, options);
  ASSERT_TRUE(loss.ok()) << loss.error().message;
  EXPECT_LE(loss->after, loss->before);
  EXPECT_TRUE(verify_graph(integer, VerifyLevel::kQuantized).ok());
  const Tensor bias = dequantize_tensor(*integer.value(integer.nodes.back().inputs[2]).constant);
  for (float value : bias.data<float>()) EXPECT_NEAR(value, 3e5f, 1);
}

TEST(Train, ErrorsNameWhatIsWrong) {
  NIBBLE_NEED_TORCH();
  const Graph real = uneven_network(3);
  const std::vector<Tensor> samples = random_samples(real, 8, 4);
  Graph integer = *quantize(real, data_of(samples), {});
  EXPECT_NE(reconstruct(real, integer, {}, {}).error().message.find("needs samples"),
            std::string::npos);
  Network other;
  const ValueId x = other.input(real.type(real.inputs[0].value).shape);
  const Graph stranger = other.with_output(other.node(Tanh{}, "stranger", {x}));
  EXPECT_NE(reconstruct(stranger, integer, samples, {}).error().message.find("no node in common"),
            std::string::npos);
  QuantizeOptions codebook = weights_of(4);
  codebook.all.weights.levels = Levels::kCodebook;
  Graph coded = *quantize(real, data_of(samples), codebook);
  ReconstructOptions moved;
  moved.method = Reconstruction::kAdaQuant;
  EXPECT_NE(reconstruct(real, coded, samples, moved).error().message.find("codebook"),
            std::string::npos);
}

// Of the values of every node before its activation.
std::vector<WantedStatistics> statistics_of(const Graph& graph,
                                            const std::vector<Tensor>& samples) {
  Graph bare = graph;
  for (Node& node : bare.nodes)
    if (Bounds* act = activation_of(node.op)) *act = {};
  std::vector<WantedStatistics> result;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    std::vector<double> sum, squares;
    double count = 0;
    for (const Tensor& sample : samples) {
      std::map<ValueId, Tensor> live = {{graph.inputs[0].value, sample}};
      for (size_t k = 0; k <= i; ++k) {
        std::vector<const Tensor*> operands;
        for (ValueId id : graph.nodes[k].inputs)
          operands.push_back(graph.is_constant(id) ? &*graph.value(id).constant : &live.at(id));
        const Graph& used = k == i ? bare : graph;
        live[graph.nodes[k].outputs[0]] = run_node(used, used.nodes[k], operands)[0];
      }
      const Tensor& found = live.at(graph.nodes[i].outputs[0]);
      const auto channels = static_cast<size_t>(found.shape().back());
      sum.resize(channels);
      squares.resize(channels);
      auto values = found.data<float>();
      for (size_t e = 0; e < values.size(); ++e) {
        sum[e % channels] += static_cast<double>(values[e]);
        squares[e % channels] += static_cast<double>(values[e]) * static_cast<double>(values[e]);
      }
      count += static_cast<double>(values.size() / channels);
    }
    WantedStatistics wanted;
    wanted.value = graph.value(graph.nodes[i].outputs[0]).name;
    for (size_t c = 0; c < sum.size(); ++c) {
      const double mean = sum[c] / count;
      wanted.mean.push_back(mean);
      wanted.deviation.push_back(std::sqrt(std::max(0.0, squares[c] / count - mean * mean)));
    }
    result.push_back(std::move(wanted));
  }
  return result;
}

// Images of another scale than noise has: what is made of the statistics alone has them again.
TEST(Train, SyntheticInputsHaveTheStatistics) {
  NIBBLE_NEED_TORCH();
  Network net(4);
  ValueId x = net.input({1, 6, 6, 2});
  ValueId y = net.node(Conv2d{kSame3x3, 1, kRelu}, "c1",
                       {x, net.noise("w1", {4, 3, 3, 2}, 1), net.noise("b1", {4}, 1)});
  y = net.node(DepthwiseConv2d{kSame3x3, {0, 6}}, "d2",
               {y, net.noise("w2", {1, 3, 3, 4}, 0.1), net.noise("b2", {4}, 1)});
  const Graph graph = net.with_output(
      net.node(Conv2d{}, "c3", {y, net.noise("w3", {3, 1, 1, 4}, 1), net.noise("b3", {3}, 1)}));
  Rng rng(9);
  std::vector<Tensor> samples;
  for (int i = 0; i < 64; ++i) samples.push_back(random_tensor({1, 6, 6, 2}, 20, 60, rng));
  const std::vector<WantedStatistics> wanted = statistics_of(graph, samples);
  SynthesizeOptions options;
  options.count = 70;
  options.steps = 200;
  const auto made = synthesize(graph, wanted, options);
  ASSERT_TRUE(made.ok()) << made.error().message;
  ASSERT_EQ(made->size(), 70u);
  const std::vector<WantedStatistics> found = statistics_of(graph, *made);
  for (size_t v = 0; v < wanted.size(); ++v)
    for (size_t c = 0; c < wanted[v].mean.size(); ++c) {
      const double unit = wanted[v].deviation[c] + 1e-3;
      EXPECT_NEAR(found[v].mean[c], wanted[v].mean[c], 0.3 * unit) << wanted[v].value << " " << c;
      EXPECT_NEAR(found[v].deviation[c], wanted[v].deviation[c], 0.3 * unit)
          << wanted[v].value << " " << c;
    }
  const auto again = synthesize(graph, wanted, options);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)[69], (*made)[69]);
  options.seed = 2;
  const auto other = synthesize(graph, wanted, options);
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE((*other)[69] == (*made)[69]);
}

}  // namespace
}  // namespace nibble
