// What layers of the 16x8 scheme cost on the emulated cores: executed instructions per
// multiply-accumulate, or per element of the output where there are none, and the kernel of each.
//   nibble_wide_table [target...]
#include <cstdio>
#include <span>

#include "base/text.h"
#include "model_cost.h"
#include "support/layer.h"

namespace nibble {
namespace {

struct WideLayer {
  std::string name;
  std::function<Result<Layer>(Rng&)> draw;
};

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

Tensor bias_of(Rng& rng, int64_t channels) {
  Tensor bias(TensorType{{channels}, DType::kS64, std::nullopt});
  for (int64_t i = 0; i < channels; ++i) bias.set_integer_at(i, rng.integer(-100000, 100000));
  return bias;
}

template <class Op>
auto weighted(Op op, Shape src, Shape filter, int axis) {
  return [=](Rng& rng) {
    QuantParams in = s16_params(0.0003f), out = s16_params(0.003f);
    return make_layer(op,
                      {random_s16(rng, src, in), filter_of(rng, filter, axis),
                       bias_of(rng, filter[static_cast<size_t>(axis)])},
                      out, Rounding::kTflite, {false, true, true});
  };
}

Window same_window() {
  Window window;
  window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = 1;
  return window;
}

template <class Op>
auto windowed(Shape filter, Shape src, int axis) {
  Op op;
  if (filter[1] > 1) op.window = same_window();
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

std::vector<WideLayer> wide_layers() {
  return {
      {"3x3 16->16, 32x32", windowed<Conv2d>({16, 3, 3, 16}, {1, 32, 32, 16}, 0)},
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
      {"layer", "instructions", "per MAC or element", "code", "kernel"}};
  int failures = 0;
  for (const WideLayer& wide : wide_layers()) {
    Rng rng(7);
    Result<Layer> layer = wide.draw(rng);
    NIBBLE_CHECK(layer.ok(), "{}: {}", wide.name, layer.error().message);
    auto measured = [&]() -> Result<RunResult> {
      NIBBLE_ASSIGN(Compiled compiled, compile(layer->graph, target, "wide"));
      return run_on_target(compiled.library, compiled.program, target, {layer->inputs}, {});
    }();
    if (!measured.ok()) {
      std::fprintf(stderr, "%s: %s\n", wide.name.c_str(), measured.error().message.c_str());
      ++failures;
      continue;
    }
    const LayerCost& cost = measured->layers.at(0);
    int64_t per = cost.macs > 0 ? cost.macs : elem_count(layer->out_type().shape);
    rows.push_back(
        {wide.name, with_thousands(cost.instructions),
         fmt::format("{:.2f}", static_cast<double>(cost.instructions) / static_cast<double>(per)),
         with_thousands(measured->flash.code), cost.kernel});
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
