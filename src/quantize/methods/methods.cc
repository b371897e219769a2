// Names of the methods, and the preparing ones in their order.
#include <algorithm>

#include "base/stopwatch.h"
#include "base/text.h"
#include "ops/ops.h"
#include "quantize/methods/prepare.h"

namespace nibble {
namespace {

constexpr MethodInfo kMethods[] = {
#define NIBBLE_PREPARING(enumerator, name, function, reads, what) \
  {Method::enumerator, name, what, reads},
#define NIBBLE_REFINING NIBBLE_PREPARING
#define NIBBLE_LEARNING(enumerator, name, reads, what) {Method::enumerator, name, what, reads},
#include "quantize/methods/methods.def"
#undef NIBBLE_LEARNING
#undef NIBBLE_REFINING
#undef NIBBLE_PREPARING
};

}  // namespace

std::span<const MethodInfo> all_methods() { return kMethods; }

std::string_view method_name(Method method) {
  return std::ranges::find(kMethods, method, &MethodInfo::method)->name;
}

bool is_refining(Method method) {
  switch (method) {
#define NIBBLE_REFINING(enumerator, name, function, reads, what) case Method::enumerator:
#include "quantize/methods/methods.def"
#undef NIBBLE_REFINING
    return true;
    default:
      return false;
  }
}

Result<std::vector<Method>> parse_methods(std::span<const std::string> names) {
  std::vector<Method> methods;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(kMethods, name, &MethodInfo::name);
    if (found == std::end(kMethods)) {
      std::vector<std::string> known;
      for (const MethodInfo& info : kMethods) known.emplace_back(info.name);
      return usage_error(
          fmt::format("--method {}: no such method; there are {}", name, join(known, ", ")));
    }
    if (std::ranges::find(methods, found->method) == methods.end())
      methods.push_back(found->method);
  }
  std::ranges::sort(methods);
  return methods;
}

namespace {

bool is_learned(Method method) {
  switch (method) {
#define NIBBLE_LEARNING(enumerator, name, reads, what) case Method::enumerator:
#include "quantize/methods/methods.def"
#undef NIBBLE_LEARNING
    return true;
    default:
      return false;
  }
}

const std::string kCalibratorKey = "calibrator", kLearnedValue = "learned";

}  // namespace

bool needs_learning(const QuantizeOptions& options) {
  return std::ranges::any_of(options.methods, is_learned) ||
         options.all.activations.calibrator == Calibrator::kLearned ||
         std::ranges::any_of(options.rules, [](const LayerRule& rule) {
           return std::ranges::find(rule.settings, std::pair(kCalibratorKey, kLearnedValue)) !=
                  rule.settings.end();
         });
}

QuantizeOptions without_learning(QuantizeOptions options) {
  std::erase_if(options.methods, is_learned);
  constexpr Calibrator kStart = Calibrator::kMse;  // as calibrators.def says
  if (options.all.activations.calibrator == Calibrator::kLearned)
    options.all.activations.calibrator = kStart;
  for (LayerRule& rule : options.rules)
    for (auto& [name, value] : rule.settings)
      if (name == kCalibratorKey && value == kLearnedValue) value = calibrator_name(kStart);
  return options;
}

Status prepare(Graph& graph, const CalibrationData& data, const QuantizeOptions& options,
               LayerStatistics* statistics, std::vector<StageTime>* times) {
  LayerStatistics own;
  if (!statistics) statistics = &own;
  *statistics = data.statistics ? *data.statistics : LayerStatistics{};
  const PrepareContext context{data, options.method_options, options.all, options.rules,
                               statistics};
  for (Method method : options.methods) {
    const Stopwatch watch;
    switch (method) {
#define NIBBLE_PREPARING(enumerator, name, function, reads, what) \
  case Method::enumerator:                                        \
    NIBBLE_TRY(function(graph, context));                         \
    break;
#include "quantize/methods/methods.def"
#undef NIBBLE_PREPARING
      default:
        continue;
    }
    NIBBLE_TRY(verify_graph(graph, VerifyLevel::kImported));
    if (times) times->push_back({std::string(method_name(method)), watch.seconds()});
  }
  return {};
}

}  // namespace nibble
