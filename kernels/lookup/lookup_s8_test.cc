// lookup_s8 against the integer references of the operators that lower to it; in rows, under concat
// (concat_test).
#include "support/kernel_runner.h"

namespace nibble {
namespace {

Tensor all_values(const QuantParams& params) {
  Tensor tensor(TensorType{{1, 16, 16}, DType::kS8, params});
  for (int i = 0; i < 256; ++i)
    tensor.mutable_data<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(i - 128);
  return tensor;
}

// Every value of s8 goes through each layer, so that a layer proves its whole table.
template <class T, class MakeOp>
void compare_unary(MakeOp&& make_op) {
  int valid = compare_random_layers(500, [&](Rng& rng) {
    const std::vector<QuantParams> kFixed = {s8_params(1.0f / 256, -128), s8_params(1.0f / 128, 0)};
    QuantParams in = random_params(rng, 0.05, 4);
    QuantParams out = rng.next() % 2 ? kFixed[rng.next() % 2] : random_params(rng, 0.05, 4);
    return make_layer(make_op(rng), {all_values(in)}, out,
                      rng.next() % 4 ? Rounding::kTflite : Rounding::kSingle);
  });
  EXPECT_EQ(valid, 500);
}

TEST(LookupKernel, Sigmoid) {
  compare_unary<Sigmoid>([](Rng&) { return Sigmoid{}; });
}
TEST(LookupKernel, Tanh) {
  compare_unary<Tanh>([](Rng&) { return Tanh{}; });
}
TEST(LookupKernel, HardSwish) {
  compare_unary<HardSwish>([](Rng&) { return HardSwish{}; });
}
TEST(LookupKernel, HardSigmoid) {
  compare_unary<HardSigmoid>([](Rng& rng) {
    return HardSigmoid{static_cast<float>(rng.uniform(-1, 1)), static_cast<float>(rng.uniform())};
  });
}
TEST(LookupKernel, LeakyRelu) {
  compare_unary<LeakyRelu>(
      [](Rng& rng) { return LeakyRelu{static_cast<float>(rng.uniform(-1.5, 2))}; });
}
TEST(LookupKernel, ClampWithOtherParameters) {
  compare_unary<Clamp>([](Rng& rng) {
    auto low = static_cast<float>(rng.uniform(-3, 1));
    return Clamp{{low, low + static_cast<float>(rng.uniform(0, 6))}};
  });
}

}  // namespace
}  // namespace nibble
