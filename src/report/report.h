// The public header of report/: everything a run of nibble found out, as one JSON document, and the
// tables made from it. A report derives from its JSON alone: what the terminal shows can be shown
// again from report.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "quantize/quantize.h"
#include "run/run.h"

namespace nibble {

// How well a model does on a data set, in one arithmetic.
struct Score {
  std::string metric;  // "accuracy" (share of right arg-max), "reconstruction_mse", "none"
  double value = 0;
  int64_t samples = 0;
  std::string arithmetic;  // "float32", "int8", "int8 on cortex-m4"
};

// What deploy hands over; parts that did not happen stay empty.
struct ReportFacts {
  std::string model, command;
  std::string calibrator;
  int64_t calibration_samples = 0;
  std::vector<Score> scores;  // float host, integer host, integer core, in this order
  std::vector<LayerError> layers;
  std::vector<ValueRange> ranges;
  std::optional<RunResult> run;
  std::optional<bool> matches_host;
  std::optional<MemoryPlan> plan;
  int64_t target_flash_bytes = 0, target_ram_bytes = 0;
};

nlohmann::ordered_json make_report(const ReportFacts& facts);
// The document of `nibble run --json`, also a part of the report.
nlohmann::ordered_json run_json(const RunResult& run, const Score& score, bool matches_host);
nlohmann::ordered_json score_json(const Score& score);

// What `deploy` and `run` print: accuracies, costs, and each layer's share.
std::string format_report(const nlohmann::ordered_json& report);
std::string format_run(const nlohmann::ordered_json& run);
std::string format_layer_errors(const std::vector<LayerError>& layers);

}  // namespace nibble
