// Which implementation of each layer the target gets: every generator is asked, and the cheapest
// set of answers wins.
#include "lower/variant.h"

#include <algorithm>
#include <map>

#include "base/rng.h"

namespace nibble {

#define NIBBLE_GENERATOR(family, isa, function) \
  std::vector<KernelVariant> function(const LayerView& layer, const LowerOptions& options);
#include "lower/generators.def"
#undef NIBBLE_GENERATOR

namespace {

// The portable kernels as counted on a Cortex-M4: cycles per multiply-accumulate and, beside them,
// per output; per element where there are no multiply-accumulates. Their code.
constexpr double kPortableCyclesPerMac = 3.6;
constexpr double kPortableCyclesPerDepthwiseMac = 12;
constexpr double kPortableCyclesPerOutput = 80;
constexpr double kPortableCyclesPerElem = 20, kPortableCyclesPerLookup = 10;
constexpr double kPortableCyclesPerRescaledElem = 120;  // a sum or product of two tensors
constexpr double kPortableCyclesPerShare = 600;         // of a softmax: exp twice
constexpr double kPortableCyclesPerTap = 7;             // of a pool or mean, beside its output
constexpr double kPortableCyclesPerPooled = 20, kPortableCyclesPerMean = 80;
constexpr int64_t kPortableBytes = 500;
// On other cores, as a multiple: a Cortex-M0+ multiplies to 32 bits only; without SIMD the compiler
// finds no pairs of products.
constexpr double kPortableCyclesOnThumb = 2.6;
constexpr double kPortableCyclesWithoutSimd = 1.7;
// Per element of a division of floats without a unit for them.
constexpr double kPortableCyclesPerSoftFloat = 160;

// Extents whose product is the number of outputs; a depthwise convolution names in_c and
// channel_multiplier instead of out_c.
constexpr std::string_view kOutputExtents[] = {
    "batches",  "out_h",   "out_w",    "out_c",    "rows",     "out_len", "len",
    "channels", "row_len", "extent_0", "extent_1", "extent_2", "extent_3"};
constexpr std::string_view kDepthwiseExtents[] = {"in_c", "channel_multiplier"};

// Which function serves each layer, for the least sum of time and code.
class FunctionChoice {
 public:
  // `cycles_per_byte`: what a byte of code or constants may cost.
  explicit FunctionChoice(double cycles_per_byte) : cycles_per_byte_(cycles_per_byte) {}

  size_t function(const std::string& name, int64_t code_bytes) {
    auto [known, is_new] = index_.try_emplace(name, bytes_.size());
    if (is_new) {
      bytes_.push_back(static_cast<double>(code_bytes));
      open_.push_back(false);
    }
    return known->second;
  }
  // The last candidate of a layer is the portable kernel of its family.
  void add_layer() { layers_.emplace_back(); }
  void add_candidate(size_t function, double cycles, int64_t constant_bytes) {
    layers_.back().emplace_back(function,
                                cycles + cycles_per_byte_ * static_cast<double>(constant_bytes));
  }

  // The candidate of each layer. From none and from all functions, the one whose taking or leaving
  // out lowers the cost most goes first; the better end counts.
  std::vector<size_t> solve() {
    std::vector<bool> best;
    double best_cost = 0;
    for (bool all : {false, true}) {
      open_.assign(open_.size(), all);
      double found = descend();
      if (best.empty() || found < best_cost) best = open_, best_cost = found;
    }
    open_ = best;
    std::vector<size_t> chosen;
    for (const Layer& layer : layers_) chosen.push_back(candidate_of(layer));
    return chosen;
  }

 private:
  using Layer =
      std::vector<std::pair<size_t, double>>;  // function; cycles, constants counted as cycles

  double descend() {
    for (double best = cost();;) {
      std::optional<size_t> toggled;
      for (size_t function = 0; function < open_.size(); ++function) {
        open_[function] = !open_[function];
        if (double tried = cost(); tried < best) best = tried, toggled = function;
        open_[function] = !open_[function];
      }
      if (!toggled) return best;
      open_[*toggled] = !open_[*toggled];
    }
  }

  size_t candidate_of(const Layer& layer) const {
    size_t best = layer.size() - 1;
    for (size_t i = 0; i + 1 < layer.size(); ++i)
      if (open_[layer[i].first] && layer[i].second < layer[best].second) best = i;
    return best;
  }

  double cost() const {
    double sum = 0;
    std::vector<bool> used(open_.size(), false);
    for (const Layer& layer : layers_) {
      auto [function, cycles] = layer[candidate_of(layer)];
      sum += cycles;
      if (!used[function]) sum += bytes_[function] * cycles_per_byte_;
      used[function] = true;
    }
    return sum;
  }

  double cycles_per_byte_;
  std::map<std::string, size_t> index_;
  std::vector<double> bytes_;
  std::vector<bool> open_;
  std::vector<Layer> layers_;
};

// The part of the program's time that a kilobyte of code may cost.
double time_per_kilobyte(Optimize optimize) {
  constexpr double kBalanced = 0.004, kSize = 0.1;
  return optimize == Optimize::kSpeed ? 0 : optimize == Optimize::kBalanced ? kBalanced : kSize;
}

int64_t portable_bytes(const KernelRequest& request) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : request.constants)
    bytes += static_cast<int64_t>(tensor.bytes().size());
  return bytes;
}

std::vector<KernelVariant> usable_variants(const KernelRequest& request,
                                           const LowerOptions& options) {
  std::vector<KernelVariant> variants;
  if (options.reference_only) return variants;
  for (const GeneratorInfo& generator : all_generators()) {
    bool usable = generator.isa == Isa::kPortable || has(options, generator.isa);
    if (!usable || generator.family != request.family) continue;
    std::ranges::move(generator.generate(LayerView(request), options),
                      std::back_inserter(variants));
  }
  return variants;
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

std::span<const int64_t> LayerView::s64(std::string_view name) const {
  const Tensor* tensor = constant(name);
  return tensor ? tensor->data<int64_t>() : std::span<const int64_t>();
}

std::span<const GeneratorInfo> all_generators() {
  static const std::vector<GeneratorInfo> table = {
#define NIBBLE_GENERATOR(family, isa, function) {#family, Isa::isa, function},
#include "lower/generators.def"
#undef NIBBLE_GENERATOR
  };
  return table;
}

std::vector<GeneratedKernel> generated_kernels() {
  std::vector<GeneratedKernel> kernels;
  for (const GeneratorInfo& generator : all_generators())
    kernels.push_back({generator.family, generator.isa});
  return kernels;
}

double portable_cycles(const KernelRequest& request) {
  const LayerView layer(request);
  auto product = [&](std::initializer_list<const char*> names) {
    double result = 1;
    for (const char* name : names) result *= static_cast<double>(layer.field(name));
    return result;
  };
  auto pooled = [](double outputs, double taps, double per_output) {
    return outputs * (per_output + kPortableCyclesPerTap * taps);
  };
  if (request.family == "softmax_s8") return product({"rows", "row_len"}) * kPortableCyclesPerShare;
  if (request.family.starts_with("avg_pool2d") || request.family.starts_with("max_pool2d"))
    return pooled(product({"batches", "out_h", "out_w", "channels"}), product({"k_h", "k_w"}),
                  kPortableCyclesPerPooled);
  if (request.family.starts_with("mean"))
    return pooled(product({"outer", "middle", "inner"}), product({"axis_a", "axis_b"}),
                  kPortableCyclesPerMean);
  if (request.family.find("_broadcast_") != std::string::npos)
    return product({"extent_0", "extent_1", "extent_2", "extent_3"}) *
           kPortableCyclesPerRescaledElem;
  double outputs = 1;
  bool depthwise = request.family.starts_with("depthwise");
  for (const auto& [name, value] : request.fields)
    if (std::ranges::find(kOutputExtents, name) != std::end(kOutputExtents) ||
        (depthwise && std::ranges::find(kDepthwiseExtents, name) != std::end(kDepthwiseExtents)))
      outputs *= static_cast<double>(std::max<int64_t>(1, value));
  bool rescaled = request.family.starts_with("add_") || request.family.starts_with("mul_");
  if (request.family == "lookup_s8") return outputs * kPortableCyclesPerLookup;
  if (request.macs == 0)
    return outputs * (rescaled ? kPortableCyclesPerRescaledElem : kPortableCyclesPerElem);
  double per_mac = depthwise ? kPortableCyclesPerDepthwiseMac : kPortableCyclesPerMac;
  return per_mac * static_cast<double>(request.macs) + kPortableCyclesPerOutput * outputs;
}

double portable_cycles_on(const KernelRequest& request, const LowerOptions& options) {
  const bool rv32 = has(options, Isa::kRv32) && !has(options, Isa::kRvv);
  const bool thumb2 = has(options, Isa::kThumb2) && !has(options, Isa::kDsp);
  double factor = has(options, Isa::kThumb) ? kPortableCyclesOnThumb
                  : thumb2 || rv32          ? kPortableCyclesWithoutSimd
                                            : 1;
  const bool soft =
      !has(options, Isa::kDsp) && !has(options, Isa::kMve) && !has(options, Isa::kRvv);
  if (soft && !options.isa.empty() && request.family.starts_with("quantize_f32"))
    return factor * kPortableCyclesPerSoftFloat *
           static_cast<double>(LayerView(request).field("len"));
  return portable_cycles(request) * factor;
}

std::vector<std::optional<KernelVariant>> choose_variants(std::span<const KernelRequest> requests,
                                                          const LowerOptions& options) {
  std::vector<std::vector<KernelVariant>> variants;
  double fastest = 0;
  for (const KernelRequest& request : requests) {
    variants.push_back(usable_variants(request, options));
    double best = portable_cycles_on(request, options);
    for (const KernelVariant& variant : variants.back()) best = std::min(best, variant.cycles);
    fastest += best;
  }
  std::vector<std::optional<KernelVariant>> chosen(variants.size());
  if (options.draw_seed != 0) {
    Rng rng(options.draw_seed);
    for (size_t i = 0; i < variants.size(); ++i)
      if (!variants[i].empty()) chosen[i] = std::move(variants[i][rng.next() % variants[i].size()]);
    return chosen;
  }
  FunctionChoice choice(time_per_kilobyte(options.optimize) * fastest / 1024);
  for (size_t i = 0; i < variants.size(); ++i) {
    choice.add_layer();
    for (const KernelVariant& variant : variants[i]) {
      int64_t bytes = 0;
      for (const PackedConstant& packed : variant.packed)
        bytes += static_cast<int64_t>(packed.bytes.size());
      choice.add_candidate(choice.function(variant.function.name, variant.code_bytes),
                           variant.cycles, bytes);
    }
    choice.add_candidate(choice.function(requests[i].family, kPortableBytes),
                         portable_cycles_on(requests[i], options), portable_bytes(requests[i]));
  }
  std::vector<size_t> candidates = choice.solve();
  for (size_t i = 0; i < variants.size(); ++i)
    if (candidates[i] < variants[i].size()) chosen[i] = std::move(variants[i][candidates[i]]);
  return chosen;
}

}  // namespace nibble
