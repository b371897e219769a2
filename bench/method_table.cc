// Accuracy of quantization recipes side by side, over the whole evaluation part of ../shared.
//   nibble_method_table calibrators|methods|learning|formats|uneven|free [MODEL...]
// calibrators: int8, with every calibrator. methods: 8, 4, 3 and 2 bits of weights, with every
// repair. learning: the same bits with what is learned with gradients. formats: every number
// format, emulated. uneven: networks of the same function whose channels have been given ranges
// apart by up to 1000. free: 8 and 4 bits of weights with what needs no data, on real inputs and
// on synthetic ones; where a file has lost its batch norms they are put back with the statistics of
// the calibration samples. MODEL: only models with that in their names. Calibrated on the first 500
// samples. Exits with 1 if a cell failed; says on stderr how long each cell took.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/stopwatch.h"
#include "base/text.h"
#include "benchmark_models.h"
#include "quantize/quantize.h"
#include "shared_folder.h"
#include "support/spread_channels.h"
#include "support/unfold_batch_norms.h"

namespace nibble {
namespace {

constexpr int64_t kCalibrationSamples = 500;
constexpr double kSpread = 1000;

std::vector<Recipe> calibrator_recipes() {
  std::vector<Recipe> recipes;
  for (const std::string& name : calibrator_names())
    recipes.push_back(make_recipe(name, {"calibrator=" + name}));
  return recipes;
}

std::vector<Recipe> method_recipes() {
  std::vector<Recipe> recipes;
  const std::vector<std::vector<std::string>> kMethods = {
      {},
      {"equalize"},
      {"smooth"},
      {"split-channels"},
      {"clip-weights"},
      {"squant"},
      {"gptq"},
      {"gptaq"},
      {"correct-bias"},
      {"clip-weights", "correct-bias"},
      {"gptq", "correct-bias"},
      {"gptaq", "correct-bias"},
      {"equalize", "gptq", "correct-bias"},
      {"equalize", "gptaq", "correct-bias"},
      {"clip-weights", "gptq", "correct-bias"},
      {"equalize", "clip-weights", "gptq", "correct-bias"}};
  auto add = [&](const char* bits, const std::vector<std::string>& methods) {
    recipes.push_back(make_recipe(
        fmt::format("w{}a8 {}", bits, methods.empty() ? "nearest" : join(methods, ", ")),
        {std::string("weight-bits=") + bits}, methods));
  };
  add("8", {});
  add("8", {"gptq", "correct-bias"});
  add("8", {"gptaq", "correct-bias"});
  for (const auto& methods : kMethods) add("4", methods);
  for (const char* bits : {"3", "2"})
    for (const auto& methods : kMethods)
      if (methods.empty() || methods.size() >= 2 || methods[0].starts_with("gpt"))
        add(bits, methods);
  return recipes;
}

std::vector<Recipe> format_recipes() {
  std::vector<Recipe> recipes = {make_recipe("int8", {}),
                                 make_recipe("int8, ranges of each sample", {"ranges=dynamic"})};
  for (const NumberFormatInfo& format : number_formats()) {
    const std::string name(format.name);
    recipes.push_back(make_recipe(fmt::format("{} ({} bits)", name, format.bits),
                                  {"weight-format=" + name, "activation-format=" + name}));
  }
  return recipes;
}

// At 4 bits each method by itself; below, where nearest rounding leaves nothing to start from,
// behind gptaq.
std::vector<Recipe> learning_recipes() {
  std::vector<Recipe> recipes = {
      make_recipe("w8a8 learned ranges", {"calibrator=learned"}),
      make_recipe("w4a4 nearest", {"scheme=w4a4"}),
      make_recipe("w4a4 learned ranges", {"scheme=w4a4", "calibrator=learned"}),
      make_recipe("w4a4 learned ranges, qdrop", {"scheme=w4a4", "calibrator=learned"}, {"qdrop"})};
  for (const char* bits : {"4", "3", "2"})
    for (const char* start : {"", "gptaq"})
      for (const char* method : {"", "adaround", "adaquant", "brecq", "qdrop"}) {
        if (*bits != '4' && !*start && *method) continue;
        std::vector<std::string> methods;
        for (const char* name : {start, method})
          if (*name) methods.emplace_back(name);
        recipes.push_back(make_recipe(
            fmt::format("w{}a8 {}", bits, methods.empty() ? "nearest" : join(methods, ", ")),
            {std::string("weight-bits=") + bits}, methods));
      }
  return recipes;
}

// Of the network as it is, then of the one whose channels are far apart.
std::vector<Recipe> uneven_recipes() {
  std::vector<Recipe> recipes;
  for (const char* network : {"as it is", "spread"})
    for (const char* granularity : {"tensor", "channel"})
      for (const char* method : {"", "equalize"}) {
        std::vector<std::string> methods;
        if (*method) methods.emplace_back(method);
        recipes.push_back(make_recipe(
            fmt::format("{}, per {}{}", network, granularity, *method ? ", equalize" : ""),
            {std::string("granularity=") + granularity}, methods));
      }
  return recipes;
}

// Calibrated on real inputs, then on synthetic ones.
std::vector<Recipe> free_recipes() {
  const std::vector<std::vector<std::string>> kMethods = {
      {},
      {"correct-bias"},
      {"correct-bias-analytic"},
      {"equalize", "absorb-bias", "correct-bias"},
      {"equalize", "absorb-bias", "correct-bias-analytic"},
      {"squant", "correct-bias-analytic"},
      {"gptq", "correct-bias"}};
  std::vector<Recipe> recipes;
  for (const char* bits : {"8", "4"})
    for (const char* inputs : {"real", "synthetic"})
      for (const auto& methods : kMethods)
        recipes.push_back(
            make_recipe(fmt::format("{}, w{}a8 {}", inputs, bits,
                                    methods.empty() ? "nearest" : join(methods, ", ")),
                        {std::string("weight-bits=") + bits}, methods));
  return recipes;
}

// What the table `free` calibrates a model on.
struct FreeInputs {
  Dataset data;
  CalibrationData real, synthetic;
};
Status read_free_inputs(const std::filesystem::path& shared, const ModelPair& pair,
                        const Graph& imported, const Graph& real, FreeInputs& inputs) {
  NIBBLE_ASSIGN(inputs.data,
                read_task(shared, pair, real, DataPart::kCalibration, kCalibrationSamples));
  inputs.real = calibration_data(inputs.data, real);
  const bool has_norms = !batch_norm_statistics(imported, real).empty();
  const Graph unfolded =
      has_norms ? imported : unfold_batch_norms(real, inputs.real, inputs.real.count);
  const auto begin = std::chrono::steady_clock::now();
  NIBBLE_ASSIGN(Calibration made, read_calibration({"synthetic", {}}, unfolded, real));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "%s: %s, %s, %.1f s\n", pair.real.c_str(), made.note.c_str(),
               has_norms ? "its own" : "put back", seconds.count());
  inputs.synthetic = std::move(made.samples);
  inputs.real.statistics = inputs.synthetic.statistics;
  return {};
}

Result<Score> score_of(const std::filesystem::path& shared, const ModelPair& pair,
                       const Graph& real, const QuantizeOptions& options) {
  NIBBLE_ASSIGN(Dataset data,
                read_task(shared, pair, real, DataPart::kCalibration, kCalibrationSamples));
  const CalibrationData samples = calibration_data(data, real);
  if (!needs_emulation(real, options)) {
    NIBBLE_ASSIGN(Graph integer, learn_quantized(real, samples, options));
    return score_on_task(shared, pair, integer);
  }
  NIBBLE_ASSIGN(Emulation emulation, Emulation::make(real, samples, options));
  NIBBLE_ASSIGN(Dataset evaluation,
                read_task(shared, pair, emulation.graph(), DataPart::kEvaluation));
  return evaluate(emulation.graph(), evaluation, nullptr,
                  [&](ValueId id, Tensor& tensor) { emulation.round(id, tensor); });
}

// "87.71 %", and for the first row half the width of the 95 % interval.
std::string cell(const Score& score, bool with_interval) {
  if (score.metric != "accuracy") return fmt::format("mse {:.2f}", score.value);
  const double deviation =
      std::sqrt(score.value * (1 - score.value) / static_cast<double>(score.samples));
  if (!with_interval) return fmt::format("{:.2f}", 100 * score.value);
  return fmt::format("{:.2f} ± {:.1f}", 100 * score.value, 196 * deviation);
}

int run(int argc, char** argv) {
  const std::string what = argc >= 2 ? argv[1] : "";
  const std::vector<std::string> wanted(argv + std::min(argc, 2), argv + argc);
  auto is_wanted = [&](const std::string& model) {
    return wanted.empty() || std::ranges::any_of(wanted, [&](const std::string& part) {
             return model.find(part) != std::string::npos;
           });
  };
  std::vector<Recipe> recipes;
  if (what == "calibrators") recipes = calibrator_recipes();
  if (what == "methods") recipes = method_recipes();
  if (what == "learning") recipes = learning_recipes();
  if (what == "formats") recipes = format_recipes();
  if (what == "uneven") recipes = uneven_recipes();
  if (what == "free") recipes = free_recipes();
  if (recipes.empty()) {
    std::fprintf(stderr,
                 "usage: nibble_method_table calibrators|methods|learning|formats|uneven|free "
                 "[MODEL...]\n");
    return 2;
  }
  const std::filesystem::path shared = shared_folder();
  std::vector<std::vector<std::string>> rows(recipes.size() + 3);
  rows[0] = {"accuracy in percent"}, rows[1] = {"samples"}, rows[2] = {"float"};
  for (size_t r = 0; r < recipes.size(); ++r) rows[r + 3] = {recipes[r].name};
  int failures = 0;
  auto show = [&](const Result<Score>& score, bool with_interval) {
    if (score.ok()) return cell(*score, with_interval);
    std::fprintf(stderr, "%s\n", score.error().message.c_str());
    ++failures;
    return std::string("failed");
  };
  for (const ModelPair& pair : benchmark_pairs()) {
    if (pair.real.ends_with(".onnx") && pair.task != "ad") continue;  // twins of the others
    if (!is_wanted(pair.real)) continue;
    Graph imported;
    Result<Graph> real = import_model(shared / "data/models" / pair.real, &imported);
    if (!real.ok()) {
      std::fprintf(stderr, "%s: %s\n", pair.real.c_str(), real.error().message.c_str());
      ++failures;
      continue;
    }
    rows[0].push_back(std::filesystem::path(pair.real).stem().string());
    const Result<Score> score = score_on_task(shared, pair, *real);
    rows[1].push_back(std::to_string(score.ok() ? score->samples : 0));
    rows[2].push_back(show(score, true));
    Graph spread = *real;
    if (what == "uneven") {
      const int layers = spread_channels(spread, kSpread, 1);
      const Result<Score> same = score_on_task(shared, pair, spread);
      std::fprintf(stderr, "%s: channels of %d layers spread, in float %s\n",
                   rows[0].back().c_str(), layers, show(same, false).c_str());
    }
    FreeInputs inputs;
    if (what == "free") {
      const Status made = read_free_inputs(shared, pair, imported, *real, inputs);
      if (!made.ok()) {
        std::fprintf(stderr, "%s: %s\n", pair.real.c_str(), made.error().message.c_str());
        ++failures;
        for (std::vector<std::string>& row : rows) row.resize(rows[0].size());
        continue;
      }
    }
    auto score_recipe = [&](const Graph& network, const Recipe& recipe) -> Result<Score> {
      if (what != "free") return score_of(shared, pair, network, recipe.options);
      const bool made = recipe.name.starts_with("synthetic");
      NIBBLE_ASSIGN(Graph integer, learn_quantized(network, made ? inputs.synthetic : inputs.real,
                                                   recipe.options));
      return score_on_task(shared, pair, integer);
    };
    for (size_t r = 0; r < recipes.size(); ++r) {
      const Graph& network = recipes[r].name.starts_with("spread") ? spread : *real;
      const Stopwatch watch;
      rows[r + 3].push_back(show(score_recipe(network, recipes[r]), false));
      std::fprintf(stderr, "%s, %s: %s, %.1f s\n", rows[0].back().c_str(), recipes[r].name.c_str(),
                   rows[r + 3].back().c_str(), watch.seconds());
    }
  }
  std::printf("%s", format_table(rows).c_str());
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
