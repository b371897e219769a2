// Which implementation of each layer the target gets: every generator is asked, and the cheapest
// set of answers wins.
#include "lower/variant.h"

#include <algorithm>
#include <map>

#include "base/parallel.h"
#include "base/rng.h"
#include "lower/reference_cost.h"

namespace nibble {

#define NIBBLE_GENERATOR(family, isa, function) \
  std::vector<KernelVariant> function(const LayerView& layer, const LowerOptions& options);
#include "lower/generators.def"
#undef NIBBLE_GENERATOR

namespace {

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
  // The last candidate of a layer is the reference kernel of its family: what serves it where none
  // is open.
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
      if (toggled) {
        open_[*toggled] = !open_[*toggled];
      } else if (!replaced_one(best)) {
        return best;
      }
    }
  }

  // Where one function serves several layers, another for one of them alone would not save its
  // code: all its layers get another one, each the best for itself. Whether that lowered the cost.
  bool replaced_one(double& best) {
    for (size_t function = 0; function < open_.size(); ++function) {
      std::vector<bool> before = open_;
      for (const Layer& layer : layers_) {
        if (layer[candidate_of(layer)].first != function) continue;
        std::optional<std::pair<double, size_t>> other;
        for (const auto& [its, cycles] : layer) {
          double alone = cycles + (before[its] ? 0 : bytes_[its] * cycles_per_byte_);
          if (its != function && (!other || alone < other->first)) other = {alone, its};
        }
        if (other) open_[other->second] = true;
      }
      if (open_ != before) {
        open_[function] = false;
        if (double tried = cost(); tried < best) {
          best = tried;
          return true;
        }
      }
      open_ = std::move(before);
    }
    return false;
  }

  size_t candidate_of(const Layer& layer) const {
    std::optional<size_t> best;
    for (size_t i = 0; i < layer.size(); ++i)
      if (open_[layer[i].first] && (!best || layer[i].second < layer[*best].second)) best = i;
    return best.value_or(layer.size() - 1);
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

std::vector<std::optional<KernelVariant>> choose_variants(std::span<const KernelRequest> requests,
                                                          const LowerOptions& options) {
  std::vector<std::vector<KernelVariant>> variants(requests.size());
  parallel_for(std::ssize(requests), [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      variants[i] = usable_variants(requests[i], options);
  });
  double fastest = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    double best = reference_cycles(requests[i], options);
    for (const KernelVariant& variant : variants[i]) best = std::min(best, variant.cycles);
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
      choice.add_candidate(choice.function(variant.function.name, variant.function.code_bytes),
                           variant.cycles, bytes);
    }
    choice.add_candidate(
        choice.function(requests[i].family, reference_code_bytes(requests[i].family)),
        reference_cycles(requests[i], options), reference_constant_bytes(requests[i]));
  }
  std::vector<size_t> candidates = choice.solve();
  for (size_t i = 0; i < variants.size(); ++i)
    if (candidates[i] < variants[i].size()) chosen[i] = std::move(variants[i][candidates[i]]);
  return chosen;
}

}  // namespace nibble
