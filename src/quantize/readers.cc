// Who reads what: options that only some methods or one calibrator look at must not be passed over
// in silence.
#include <algorithm>

#include "base/text.h"
#include "ops/ops.h"
#include "quantize/options.h"

namespace nibble {
namespace {

// What an option of the methods is for; 0: it is none of theirs.
unsigned reads_of(std::string_view option) {
  constexpr std::pair<std::string_view, unsigned> kOptions[] = {
      {"method-samples", kReadsSamples}, {"smooth-share", kReadsSmoothShare},
      {"split-share", kReadsSplitShare}, {"learn-steps", kReadsSteps},
      {"checkpoint", kReadsSteps},       {"drop-share", kReadsDropShare},
  };
  for (const auto& [name, reads] : kOptions)
    if (name == option) return reads;
  return 0;
}

std::string missing_method(unsigned wanted, const QuantizeOptions& options) {
  std::vector<std::string> readers;
  for (const MethodInfo& info : all_methods()) {
    if ((info.reads & wanted) == 0) continue;
    if (std::ranges::find(options.methods, info.method) != options.methods.end()) return "";
    readers.emplace_back(info.name);
  }
  // Ranges that are learned read some too.
  const bool of_learned_ranges = wanted == kReadsSteps || wanted == kReadsSamples;
  if (of_learned_ranges && needs_learning(options)) return "";
  std::string text = readers.back();
  readers.pop_back();
  if (!readers.empty()) text = join(readers, ", ") + " or " + text;
  return fmt::format("{}--method {}{}", wanted == kReadsSteps ? "what is learned: " : "", text,
                     of_learned_ranges ? ", or --calibrator learned" : "");
}

}  // namespace

std::string missing_reader(std::string_view option, const QuantizeOptions& options) {
  if (const unsigned reads = reads_of(option); reads != 0) return missing_method(reads, options);
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
