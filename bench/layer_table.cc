// What layers that the benchmark models lack cost on the emulated cores: those of the 16x8 scheme,
// and of s8 element by element. Executed instructions per multiply-accumulate, or per element of
// the output (of the source for a mean) where there are none, by the kernel chosen and by the
// reference kernel.
//   nibble_layer_table [target...]
#include <cstdio>
#include <span>

#include "base/text.h"
#include "model_cost.h"
#include "support/counted_run.h"
#include "support/layer.h"

namespace nibble {
namespace {

struct BenchLayer {
  std::string name;
  std::function<Result<Layer>(Rng&)> draw;
};

constexpr float kScale8 = 0.0523f;

Tensor filter_of(Rng& rng, Shape shape, int axis) {
  QuantParams quant{{}, {}, axis, 8, -127, 127};
  for (int64_t i = 0; i < shape[static_cast<size_t>(axis)]; ++i) {
    quant.scale.push_back(static_cast<float>(0.005 + 0.005 * rng.uniform()));
    quant.zero_point.push_back(0);
  }
  Tensor filter(TensorType{std::move(shape), DType::kS8, quant});
  for (int8_t& elem : filter.mutable_data<int8_t>())
    elem = static_cast<int8_t>(rng.integer(-127, 127) * rng.integer(0, 64) / 64);
  return filter;
}

Tensor bias_of(Rng& rng, int64_t channels, DType type, int64_t most) {
  Tensor bias(TensorType{{channels}, type, std::nullopt});
  for (int64_t i = 0; i < channels; ++i) bias.set_integer_at(i, rng.integer(-most, most));
  return bias;
}

// A depthwise convolution of s8.
auto depthwise(Shape src, int64_t k_h, int64_t k_w, Window window) {
  return [=](Rng& rng) {
    const int64_t channels = src[3];
    DepthwiseConv2d op;
    op.window = window;
    return make_layer(
        op,
        {random_s8(rng, src, s8_params(kScale8, -3)), filter_of(rng, {1, k_h, k_w, channels}, 3),
         bias_of(rng, channels, DType::kS32, 10000)},
        s8_params(0.07f, 2), Rounding::kTflite, {false, true, true});
  };
}

// Over time, as keyword spotters and models of sensors have it: the window is as wide as the image.
auto over_time(int64_t taps) { return depthwise({1, 49, 1, 64}, taps, 1, {}); }

Window padded(int64_t pad, int64_t stride = 1, int64_t dilation = 1) {
  Window window;
  window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = pad;
  window.stride_h = window.stride_w = stride;
  window.dilation_h = window.dilation_w = dilation;
  return window;
}

template <class Op>
auto weighted(Op op, Shape src, Shape filter, int axis) {
  return [=](Rng& rng) {
    QuantParams in = s16_params(0.0003f), out = s16_params(0.003f);
    return make_layer(op,
                      {random_s16(rng, src, in), filter_of(rng, filter, axis),
                       bias_of(rng, filter[static_cast<size_t>(axis)], DType::kS64, 100000)},
                      out, Rounding::kTflite, {false, true, true});
  };
}

template <class Op>
auto windowed(Shape filter, Shape src, int axis) {
  Op op;
  if (filter[1] > 1) op.window = padded(1);
  return weighted(op, src, filter, axis);
}

template <class Op>
auto of_two(Shape lhs, Shape rhs) {
  return [=](Rng& rng) {
    QuantParams left = s16_params(0.0003f), right = s16_params(0.0002f);
    QuantParams out = s16_params(std::is_same_v<Op, Add> ? 0.0004f : 0.003f);
    return make_layer(Op{}, {random_s16(rng, lhs, left), random_s16(rng, rhs, right)}, out,
                      Rounding::kTflite);
  };
}

template <class Op>
auto pooled(Op op, Shape src) {
  return [=](Rng& rng) {
    QuantParams in = s16_params(0.0003f);
    return make_layer(op, {random_s16(rng, src, in)}, in, Rounding::kTflite);
  };
}

template <class Pool>
Pool pool_of(int64_t k, int64_t stride) {
  Pool op;
  op.k_h = op.k_w = k;
  op.window.stride_h = op.window.stride_w = stride;
  return op;
}

// An operator on s8 of 16 x 16 x 32, and perhaps a second operand.
template <class Op>
auto element_wise(Op op, float out_scale, int32_t out_zero, Shape second = {}) {
  return [=](Rng& rng) {
    std::vector<Tensor> operands{random_s8(rng, {1, 16, 16, 32}, s8_params(kScale8, -3))};
    if (!second.empty()) operands.push_back(random_s8(rng, second, s8_params(0.0311f, 5)));
    return make_layer(op, std::move(operands), s8_params(out_scale, out_zero), Rounding::kTflite);
  };
}

template <class Op>
auto moved(Op op) {
  return element_wise(op, kScale8, -3);
}

Result<Layer> quantized_floats(Rng& rng) {
  return make_layer(Quantize{}, {random_f32(rng, {1, 16, 16, 32})}, s8_params(0.02f, 4),
                    Rounding::kTflite);
}

std::vector<BenchLayer> bench_layers() {
  const Shape whole{1, 16, 16, 32};
  return {
      {"tanh 16x16x32", element_wise(Tanh{}, 1.0f / 128, 0)},
      {"other scale", element_wise(Quantize{}, 0.08f, 4)},
      {"clamp", moved(Clamp{{0, 6}})},
      {"mul", element_wise(Mul{}, 0.0973f, 2, whole)},
      {"mul, a factor per channel", element_wise(Mul{}, 0.0973f, 2, {1, 1, 1, 32})},
      {"mul, a factor per pixel", element_wise(Mul{}, 0.0973f, 2, {1, 16, 16, 1})},
      {"add", element_wise(Add{}, 0.0617f, 2, whole)},
      {"add, a number per channel", element_wise(Add{}, 0.0617f, 2, {1, 1, 1, 32})},
      {"add, a number per pixel", element_wise(Add{}, 0.0617f, 2, {1, 16, 16, 1})},
      {"quantize floats", quantized_floats},
      {"max_pool2d 2x2, stride 2", moved(pool_of<MaxPool2d>(2, 2))},
      {"max_pool2d 3x3", moved(pool_of<MaxPool2d>(3, 1))},
      {"avg_pool2d 2x2, stride 2", moved(pool_of<AvgPool2d>(2, 2))},
      {"avg_pool2d 3x3", moved(pool_of<AvgPool2d>(3, 1))},
      {"mean over the image", element_wise(Mean{{1, 2}, false}, 0.03f, 2)},
      {"mean over channels", element_wise(Mean{{3}, false}, 0.03f, 2)},
      {"resize_nearest x2", moved(ResizeNearest{32, 32, false, false})},
      {"pad by 1", moved(Pad{{0, 1, 1, 0}, {0, 1, 1, 0}, 0})},
      {"depthwise 3x3, 16x16x32", depthwise({1, 16, 16, 32}, 3, 3, padded(1))},
      {"the same, stride 2", depthwise({1, 16, 16, 32}, 3, 3, padded(1, 2))},
      {"depthwise 3x3, 25x5x64", depthwise({1, 25, 5, 64}, 3, 3, padded(1))},
      {"depthwise 3x3, 6x6x128", depthwise({1, 6, 6, 128}, 3, 3, padded(1))},
      {"depthwise 3x3, 3x3x256", depthwise({1, 3, 3, 256}, 3, 3, padded(1))},
      {"dilated by 2, 16x16x16", depthwise({1, 16, 16, 16}, 3, 3, padded(2, 1, 2))},
      {"depthwise 4x4, stride 2, 8x8x64", depthwise({1, 8, 8, 64}, 4, 4, padded(1, 2))},
      {"depthwise over time, 5 taps", over_time(5)},
      {"depthwise over time, 10 taps", over_time(10)},
      {"depthwise over time, 15 taps", over_time(15)},
      {"16x8: 3x3 16->16, 32x32", windowed<Conv2d>({16, 3, 3, 16}, {1, 32, 32, 16}, 0)},
      {"3x3 64->64, 8x8", windowed<Conv2d>({64, 3, 3, 64}, {1, 8, 8, 64}, 0)},
      {"3x3 3->16, 32x32", windowed<Conv2d>({16, 3, 3, 3}, {1, 32, 32, 3}, 0)},
      {"1x1 64->64, 25x5", windowed<Conv2d>({64, 1, 1, 64}, {1, 25, 5, 64}, 0)},
      {"depthwise 3x3, 64 ch, 25x5", windowed<DepthwiseConv2d>({1, 3, 3, 64}, {1, 25, 5, 64}, 3)},
      {"dense 640->128", weighted(Dense{}, {1, 640}, {128, 640}, 0)},
      {"dense 256->64", weighted(Dense{}, {1, 256}, {64, 256}, 0)},
      {"add 8x8x64", of_two<Add>({1, 8, 8, 64}, {1, 8, 8, 64})},
      {"mul 8x8x64", of_two<Mul>({1, 8, 8, 64}, {1, 8, 8, 64})},
      {"mul 8x8x64 by 64", of_two<Mul>({1, 8, 8, 64}, {1, 1, 1, 64})},
      {"max_pool 2x2, 8x8x64", pooled(pool_of<MaxPool2d>(2, 2), {1, 8, 8, 64})},
      {"max_pool 3x3, 8x8x64", pooled(pool_of<MaxPool2d>(3, 1), {1, 8, 8, 64})},
      {"avg_pool 2x2, 8x8x64", pooled(pool_of<AvgPool2d>(2, 2), {1, 8, 8, 64})},
      {"avg_pool 3x3, 8x8x64", pooled(pool_of<AvgPool2d>(3, 1), {1, 8, 8, 64})},
      {"avg_pool 8x8, 8x8x64", pooled(pool_of<AvgPool2d>(8, 1), {1, 8, 8, 64})},
      {"mean 8x8x64", pooled(Mean{{1, 2}, false}, {1, 8, 8, 64})},
  };
}

int print_target(const Target& target) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "instructions", "per MAC or element", "reference", "code", "kernel"}};
  const LowerOptions options = lower_options(target);
  int failures = 0;
  for (const BenchLayer& bench : bench_layers()) {
    Rng rng(7);
    Result<Layer> layer = bench.draw(rng);
    NIBBLE_CHECK(layer.ok(), "{}: {}", bench.name, layer.error().message);
    Result<RunResult> chosen = run_counted(layer->graph, target, options, {layer->inputs});
    Result<RunResult> reference =
        run_counted(layer->graph, target, by_reference(options), {layer->inputs});
    if (!chosen.ok() || !reference.ok()) {
      const Error& error = chosen.ok() ? reference.error() : chosen.error();
      std::fprintf(stderr, "%s: %s\n", bench.name.c_str(), error.message.c_str());
      ++failures;
      continue;
    }
    const LayerCost& cost = chosen->layers.at(0);
    const bool mean = std::holds_alternative<Mean>(layer->graph.nodes.at(0).op);
    const int64_t elems = mean ? layer->inputs.at(0).size() : elem_count(layer->out_type().shape);
    const auto per = static_cast<double>(cost.macs > 0 ? cost.macs : elems);
    auto part = [&](const LayerCost& of) {
      return fmt::format("{:.2f}", static_cast<double>(of.instructions) / per);
    };
    rows.push_back({bench.name, with_thousands(cost.instructions), part(cost),
                    part(reference->layers.at(0)), with_thousands(chosen->flash.code),
                    cost.kernel});
  }
  std::printf("%s (%s)\n%s\n", target.name.c_str(), target.core.c_str(),
              format_table(rows).c_str());
  return failures;
}

int run(int argc, char** argv) {
  int failures = 0;
  std::vector<std::string> targets;
  for (std::string argument : std::span(argv + 1, argv + argc)) targets.push_back(argument);
  for (const std::string& name : targets.empty() ? cost_targets() : targets) {
    Result<Target> target = find_target(name);
    if (!target.ok()) {
      std::fprintf(stderr, "%s\n", target.error().message.c_str());
      return static_cast<int>(target.error().kind);
    }
    failures += print_target(*target);
  }
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
