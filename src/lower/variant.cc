// Which implementation of a layer the target gets: every generator is asked, the cheapest answer wins.
#include "lower/variant.h"

#include <algorithm>
#include <array>
#include <limits>

namespace nibble {

#define NIBBLE_GENERATOR(family, isa, function) \
  std::vector<KernelVariant> function(const LayerView& layer, const LowerOptions& options);
#include "lower/generators.def"
#undef NIBBLE_GENERATOR

namespace {

// Instructions of the portable kernels per multiply-accumulate, as counted on a Cortex-M4; layers
// without any count by the element of their largest source.
constexpr double kPortableCyclesPerMac = 5;
constexpr double kPortableCyclesPerElem = 20;

// What a kilobyte of flash may cost in time, as a part of the layer's portable time.
double cycles_per_byte(Optimize optimize, const KernelRequest& request) {
  constexpr double kBalanced = 0.01, kSize = 0.3;
  double part = optimize == Optimize::kSpeed ? 0 : optimize == Optimize::kBalanced ? kBalanced : kSize;
  return part * portable_cycles(request) / 1024;
}

}  // namespace

int64_t LayerView::field(std::string_view name) const {
  for (const auto& [field, value] : request_.fields)
    if (field == name) return value;
  NIBBLE_UNREACHABLE("{} has no field {}", request_.family, name);
}

const Tensor* LayerView::constant(std::string_view name) const {
  for (const auto& [field, tensor] : request_.constants)
    if (field == name) return &tensor;
  return nullptr;
}

std::span<const int8_t> LayerView::s8(std::string_view name) const {
  const Tensor* tensor = constant(name);
  NIBBLE_CHECK(tensor != nullptr, "{} has no constant {}", request_.family, name);
  return tensor->data<int8_t>();
}

std::span<const int32_t> LayerView::s32(std::string_view name) const {
  const Tensor* tensor = constant(name);
  return tensor ? tensor->data<int32_t>() : std::span<const int32_t>();
}

std::span<const GeneratorInfo> all_generators() {
  static const std::vector<GeneratorInfo> table = {
#define NIBBLE_GENERATOR(family, isa, function) {#family, Isa::isa, function},
#include "lower/generators.def"
#undef NIBBLE_GENERATOR
  };
  return table;
}

double portable_cycles(const KernelRequest& request) {
  if (request.macs > 0) return kPortableCyclesPerMac * static_cast<double>(request.macs);
  double elems = 1;
  for (const auto& [name, value] : request.fields)
    if (name == "len" || name.starts_with("out_")) elems *= static_cast<double>(std::max<int64_t>(1, value));
  return kPortableCyclesPerElem * elems;
}

std::optional<KernelVariant> choose_variant(const KernelRequest& request,
                                            const LowerOptions& options,
                                            const std::function<bool(const std::string&)>& known) {
  std::optional<KernelVariant> best;
  double best_cost = portable_cycles(request);
  for (const GeneratorInfo& generator : all_generators()) {
    bool usable = std::ranges::find(options.isa, generator.isa) != options.isa.end();
    if (!usable || generator.family != request.family) continue;
    for (KernelVariant& variant : generator.generate(LayerView(request), options)) {
      double bytes = known(variant.function.name) ? 0 : static_cast<double>(variant.code_bytes);
      double cost = variant.cycles + bytes * cycles_per_byte(options.optimize, request);
      if (cost >= best_cost) continue;
      best_cost = cost;
      best = std::move(variant);
    }
  }
  return best;
}

}  // namespace nibble
