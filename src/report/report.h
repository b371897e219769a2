// The public header of report/: everything a run of nibble found out, as one JSON document, and the
// tables made from it. A report derives from its JSON alone: what the terminal shows can be shown
// again from report.json.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "quantize/quantize.h"
#include "report/explanation.h"
#include "run/run.h"
#include "target/target.h"

namespace nibble {

// Where the core first left the host's path.
struct Difference {
  int64_t sample = 0;
  std::string output;             // the first that differs
  std::string layer, op, kernel;  // the first of that sample that differs; empty where `why` is not
  int64_t differing_bytes = 0, bytes = 0;  // of the layer's result
  std::string why;                         // no layer can be named
  std::vector<std::string> not_compared;   // layers before it, or any, whose results are unknown
};

// Which classes were taken for which, in one arithmetic.
struct Confusion {
  std::string arithmetic;
  std::vector<std::string> class_names;  // where the data give them
  int64_t classes = 0;
  // Samples by true class and the class it was taken for, where there are any.
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
};

// What deploy hands over; parts that did not happen stay empty.
struct ReportFacts {
  std::string model, command, version;
  std::vector<std::string> notes;  // options that had no effect
  std::string calibrator;
  int64_t calibration_samples = 0;
  std::vector<Score> scores;         // float host, integer host, integer core, in this order
  std::vector<Confusion> confusion;  // float host, integer core
  std::vector<LayerError> layers;
  std::vector<ValueRange> ranges;
  std::vector<LearnedMethod> learned;
  std::vector<StageTime> times;  // of the quantization; empty where results are to be repeatable
  std::optional<Explanation> explanation;
  std::optional<Stability> stability;
  const Graph* graph = nullptr;  // that was lowered
  std::optional<RunResult> run;
  std::optional<Difference> difference;  // between core and host
  const Program* program = nullptr;      // with its plan
  std::optional<MemoryPlan> plan;
  const Target* target = nullptr;
};

// JSON has no infinity: an exact layer has no noise, and its ratio is null.
nlohmann::ordered_json finite_json(double value);
nlohmann::ordered_json make_report(const ReportFacts& facts);
// The document of `nibble run --json`, also a part of the report.
nlohmann::ordered_json run_json(const RunResult& run, const Score& score,
                                const std::optional<Difference>& difference);
nlohmann::ordered_json score_json(const Score& score);
// Of more than this many classes only the pairs that are mixed up most often are listed.
inline constexpr int64_t kMostClasses = 64;
inline constexpr size_t kMostPairs = 100;
nlohmann::ordered_json confusion_json(const Confusion& confusion);
// Nodes, the edges between them by name, and what each needs of `flash`.
nlohmann::ordered_json graph_json(const Graph& graph, const std::vector<FlashOwner>& flash);
// The arena over time: which buffers lie where from which call to which, the bytes that are live at
// each call, the calls that set the arena, and how far the arena is from the least that any plan
// needs.
nlohmann::ordered_json memory_json(const Program& program, const MemoryPlan& plan);

// What `deploy` and `run` print: accuracies, costs, and each layer's share.
std::string format_report(const nlohmann::ordered_json& report);
std::string format_run(const nlohmann::ordered_json& run);
// Of memory_json: a line per call with its live bytes and a bar.
std::string format_memory(const nlohmann::ordered_json& memory);
// "sample 3, output 'y'; the first layer that differs is ..." from run_json's "first_difference".
std::string format_difference(const nlohmann::ordered_json& difference);
// Of score_json or run_json: "91.94 %  (662 of 720)"; "not scored" with the reason.
std::string format_score(const nlohmann::ordered_json& score);
std::string format_layer_errors(const std::vector<LayerError>& layers);
// Of the report's "quantize": how each learning method ended, and what kept what it had; nothing
// where nothing was learned.
std::string format_learned(const nlohmann::ordered_json& quantize);
// Of the report's "quantize": "calibration 0.8 s, gptq 3.1 s".
std::string format_seconds(const nlohmann::ordered_json& quantize);

// --- The page.

inline constexpr std::string_view kReportFile = "report.json";
// The report of a folder that deploy wrote. Errors: there is none, or its file is no report, is of
// another version, or is no JSON.
Result<nlohmann::ordered_json> read_report(const std::filesystem::path& dir);
// What `nibble compare --json` printed, for the field "recipes". Errors: it is something else.
Result<nlohmann::ordered_json> read_comparison(const std::filesystem::path& file);
// The document of two reports; `names` are what the page calls them.
nlohmann::ordered_json pair_reports(const std::array<std::string, 2>& names,
                                    const std::array<nlohmann::ordered_json, 2>& reports);
// One HTML file that needs no other. Error: the page did not come with this nibble.
Result<std::string> report_page(const nlohmann::ordered_json& document);
// The document in the place of the page's mark. Error: the page has not one such mark. `name`
// stands for the page in messages.
Result<std::string> fill_page(std::string page, const nlohmann::ordered_json& document,
                              const std::string& name);

}  // namespace nibble
