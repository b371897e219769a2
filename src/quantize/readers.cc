// Who reads what: options that only some methods or one calibrator look at must not be passed over
// in silence.
#include <algorithm>

#include "base/text.h"
#include "ops/ops.h"
#include "quantize/options.h"

namespace nibble {
namespace {

bool learns(Method method) {
  QuantizeOptions alone;
  alone.methods = {method};
  return needs_learning(alone);
}

// Of the options that go with methods.
bool reads(Method method, std::string_view option) {
  if (option == "method-samples")  // all but those that work on weights alone
    return method != Method::kSplitChannels && method != Method::kSquant;
  if (option == "smooth-share") return method == Method::kSmooth;
  if (option == "split-share") return method == Method::kSplitChannels;
  if (option == "drop-share") return method == Method::kQDrop;
  return learns(method);
}

// Beside methods: ranges that are learned read it too.
bool is_of_learning(std::string_view option) {
  return option == "learn-steps" || option == "checkpoint";
}
bool is_of_methods(std::string_view option) {
  return is_of_learning(option) || option == "method-samples" || option == "smooth-share" ||
         option == "split-share" || option == "drop-share";
}

std::string missing_method(std::string_view option, const QuantizeOptions& options) {
  std::vector<std::string> readers;
  for (const MethodInfo& info : all_methods()) {
    if (!reads(info.method, option)) continue;
    if (std::ranges::find(options.methods, info.method) != options.methods.end()) return "";
    readers.emplace_back(info.name);
  }
  const bool of_learned_ranges = is_of_learning(option) || option == "method-samples";
  if (of_learned_ranges && needs_learning(options)) return "";
  std::string text = readers.back();
  readers.pop_back();
  if (!readers.empty()) text = join(readers, ", ") + " or " + text;
  return fmt::format("{}--method {}{}", is_of_learning(option) ? "what is learned: " : "", text,
                     of_learned_ranges ? ", or --calibrator learned" : "");
}

}  // namespace

std::string missing_reader(std::string_view option, const QuantizeOptions& options) {
  if (is_of_methods(option)) return missing_method(option, options);
  const std::string reader = calibrator_of(option);
  if (reader.empty()) return "";
  const std::string_view calibrator = calibrator_name(options.all.activations.calibrator);
  const NamedValue wanted("calibrator", reader);
  const bool read =
      calibrator == reader || std::ranges::any_of(options.rules, [&](const LayerRule& rule) {
        return std::ranges::find(rule.settings, wanted) != rule.settings.end();
      });
  return read ? "" : fmt::format("--calibrator {}, not {}", reader, calibrator);
}

LayerSettings settings_of(const QuantizeOptions& options, const Node& node) {
  return settings_of(options.all, options.rules, node.name, op_name(node.op));
}

LayerSettings settings_of(const QuantizeOptions& options, const Graph& graph, const Port& input) {
  return settings_of(options.all, options.rules, graph.value(input.value).name, "input");
}

}  // namespace nibble
