#include "pipeline/first_layer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace nibble {
namespace {

std::string why_no_layer(size_t compared, const std::vector<std::string>& not_compared) {
  if (not_compared.empty())
    return "with its layers traced, the core computes each of them as the host does: the input or "
           "output is copied wrongly, or the C compiler makes something else of the code that is "
           "not traced";
  std::vector<std::string> names;
  for (const std::string& name : not_compared) names.push_back("'" + name + "'");
  return fmt::format(
      "{} of its {} layers could be compared, and the core computes those as the host does; not "
      "compared, because the trace does not hold their whole results: {}",
      compared, compared + names.size(), join(names, ", "));
}

}  // namespace

void name_first_layer(std::span<const KernelCall* const> layers,
                      const std::vector<std::vector<uint8_t>>& trace,
                      const std::map<std::string, std::vector<uint8_t>>& expected,
                      Difference& difference) {
  std::map<std::string, size_t> last_call;  // a layer of several calls is complete after its last
  for (size_t i = 0; i < layers.size(); ++i) last_call[layers[i]->layer] = i;
  size_t compared = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (last_call[layers[i]->layer] != i) continue;
    auto layer = expected.find(layers[i]->layer);
    if (i >= trace.size() || layer == expected.end() || layer->second.size() != trace[i].size()) {
      difference.not_compared.push_back(layers[i]->layer);
      continue;
    }
    ++compared;
    const std::vector<uint8_t>&wanted = layer->second, &got = trace[i];
    if (wanted == got) continue;
    difference.layer = layers[i]->layer;
    difference.op = layers[i]->op;
    difference.kernel = layers[i]->kernel;
    difference.bytes = static_cast<int64_t>(wanted.size());
    for (size_t k = 0; k < wanted.size(); ++k) difference.differing_bytes += wanted[k] != got[k];
    return;
  }
  difference.why = why_no_layer(compared, difference.not_compared);
}

}  // namespace nibble
