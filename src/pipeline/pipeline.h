// The public header of pipeline/: the compiler as a whole. deploy.cc is the spine; the other
// functions are the parts of it that single verbs use.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "emit/emit.h"
#include "formats/formats.h"
#include "graph/graph.h"
#include "lower/lower.h"
#include "pipeline/calibration.h"
#include "pipeline/compare_recipes.h"
#include "pipeline/estimate.h"
#include "pipeline/recommend.h"
#include "plan/plan.h"
#include "quantize/quantize.h"
#include "report/report.h"
#include "run/run.h"
#include "target/target.h"
#include "train/train.h"

namespace nibble {

// kOff leaves dead channels and the like where they are, for those who want to see them.
enum class CleanUp { kOff, kOn };

// read_model, then simplify. `source` keeps the graph as imported if not null, `problems` what the
// reader does not support.
Result<Graph> import_model(const std::filesystem::path& path, Graph* source = nullptr,
                           ImportProblems* problems = nullptr, CleanUp clean_up = CleanUp::kOn);

// Changes a value of a float graph when it has been computed (emulated quantization).
using RoundValue = std::function<void(ValueId value, Tensor& tensor)>;
// Outputs and score on the host. Integer graphs are computed exactly (portable kernels), float
// graphs in float, on all cores. `outputs`: every output of every sample, if not null.
Result<Score> evaluate(const Graph& graph, const Dataset& data,
                       std::vector<std::vector<Tensor>>* outputs = nullptr,
                       const RoundValue& round = {});
// Scores outputs that were computed somewhere: accuracy where the labels are classes, mean squared
// error where they are targets; without labels reconstruction error where output and input have the
// same shape; else "none", with the reason. Only the first output counts. `by_sample`, if not null:
// what the score is the mean of. Error: a label that no output stands for.
Result<Score> score_outputs(const Graph& graph, const Dataset& data,
                            const std::vector<std::vector<Tensor>>& outputs,
                            const std::string& arithmetic,
                            std::vector<double>* by_sample = nullptr);
// Which classes were taken for which, of outputs that score_outputs has taken; nothing where the
// labels are no classes.
std::optional<Confusion> count_confusion(const Graph& graph, const Dataset& data,
                                         const std::vector<std::vector<Tensor>>& outputs,
                                         const std::string& arithmetic);
// "float32", "int8"; mixed graphs "int8 and float32".
std::string arithmetic_of(const Graph& graph);

// Real samples for the float graph's input.
CalibrationData calibration_data(const Dataset& data, const Graph& graph);

// quantize(), and then what is learned with gradients: ranges (calibrator learned), and the methods
// of train/, on the first options.method_options.samples of the calibration set. With a checkpoint
// folder each finished layer or block is kept there; the same call goes on where one was
// interrupted. Errors: those of both; the folder holds another run's state. What needs no
// computation is checked before any is done.
Result<Graph> learn_quantized(const Graph& graph, const CalibrationData& data,
                              const QuantizeOptions& options, QuantizeReport* report = nullptr);
// What quantization does to each layer. `real`: QuantizeReport::prepared; `integer`: what
// quantize() returned. The evidence is of the first `max_samples` of `samples`; the effects of
// single layers of `data` (null: none), emulated in float, each run from the layer on.
Result<Explanation> explain(const Graph& real, const Graph& integer, const CalibrationData& samples,
                            int64_t max_samples, const Dataset* data);
// Samples that an explanation is of where nobody says; what stands out does so in that many.
inline constexpr int64_t kExplainedSamples = 1000;
// The error of every node, as a report has it without an explanation too.
std::vector<LayerError> layer_errors(const Explanation& explanation);

// measure_stability, each network scored on `data` (null: not scored).
Result<Stability> stability(const Graph& graph, const CalibrationData& samples,
                            const QuantizeOptions& options, const StabilityOptions& asked,
                            const Dataset* data);

struct CompileOptions {
  Optimize optimize = Optimize::kBalanced;
  // For arena, stack and all other variables of the library; 0: what the target has.
  int64_t max_ram_bytes = 0;
  // RAM for copies of weights, where the target's flash is slower; nothing: half of what is left
  // with Optimize::kSpeed, else none.
  std::optional<int64_t> copied_bytes;
};
struct Compiled {
  Program program;
  MemoryPlan plan;
  Library library;
  EmitOptions options;  // what the library was emitted with
  CompileOptions compile;
};
// lower and plan, with layers in bands as far as RAM is short, or less of it costs next to nothing.
Result<Planned> lower_and_plan(const Graph& graph, const Target& target,
                               const CompileOptions& options);
// lower_and_plan, check_plan, emit. Errors: the graph is not wholly integer but at its borders;
// kDoesNotFit if options.max_ram_bytes cannot be kept to.
Result<Compiled> compile(const Graph& graph, const Target& target, const std::string& name,
                         const CompileOptions& options = {});
// kDoesNotFit with required, available and excess if weights and code, or the arena, exceed the
// target's memories.
Status check_budget(const Library& library, int64_t code_bytes, const Target& target);
// The same before there is a library, as far as a plan tells: --max-ram, or the target's RAM.
Status check_planned_ram(const Planned& planned, const Target& target, const std::string& name,
                         const CompileOptions& options);
// kDoesNotFit if what was measured exceeds CompileOptions::max_ram_bytes.
Status check_measured_ram(const Compiled& compiled, const RamBytes& ram);
// The same as compile() from a program as `--stop-after lower` wrote it, with the plan of
// `--stop-after plan` if `plan_file` is not empty. The plan is checked.
Result<Compiled> compile_program(const std::filesystem::path& program_file,
                                 const std::filesystem::path& plan_file, const Target& target,
                                 const std::string& name);
struct FolderFile {
  EmittedFile file;
  std::string meaning;  // for the table of files in the README
};
struct FolderOptions {
  std::string compiler_level = RunOptions().compiler_level;  // for the size of the code
  int64_t code_bytes = 0;                                    // that size, where it is known already
  int64_t stack_bytes = 0;                                   // measured, where it is known
  std::string accuracy_note;                                 // for the README
  std::vector<FolderFile> extra;                             // further files
};
// The integer model in a folder of write_compiled.
inline constexpr const char* kModelFile = "model.nibble";
// Writes the library and, beside it, what it is (library.json) and the integer graph
// (model.nibble), so that `run DIR` can check what it computes (not for a program: `graph` null).
// Its README states the size of the code where the target's compiler is installed. Result: the
// paths of all files in `dir`.
Result<std::vector<std::string>> write_compiled(const Compiled& compiled, const Graph* graph,
                                                const Target& target,
                                                const std::filesystem::path& dir,
                                                const FolderOptions& options = {});
// The library in `dir` as it is on disk (README, example and build file are not needed), with the
// program and plan it was made from, for the target on record; `target`: for one that has none.
// Errors: no folder of write_compiled's, or not a whole one.
Result<Compiled> read_compiled(const std::filesystem::path& dir, const Target& target,
                               Graph* graph);
// The target that `dir` was compiled for. Error: it does not say.
Result<std::string> recorded_target(const std::filesystem::path& dir);
// The compiler's level that `dir` was measured with; the default where it does not say.
Result<std::string> recorded_compiler_level(const std::filesystem::path& dir);
// Those that the C compiler may be asked for: "-O2".
const std::vector<std::string>& compiler_levels();
// What goes with the choice of kernels where the user says nothing else.
const std::string& default_compiler_level(Optimize optimize);

struct CoreRun {
  RunResult result;
  Score score;
  std::optional<Difference> difference;  // none: every output equals the host's, byte for byte
};
// Runs on the emulated core and compares every output with the host's; where they differ, runs the
// first such sample once more, traced, to find the layer.
Result<CoreRun> run_and_compare(const Compiled& compiled, const Graph& graph, const Target& target,
                                const Dataset& data, const RunOptions& options);

// Samples as the emulator takes them: quantized to the graph's input type.
std::vector<std::vector<Tensor>> quantized_samples(const Graph& graph, const Dataset& data);

// All outputs as an .npz: one array per output of the model, N first.
Status write_outputs(const std::filesystem::path& path, const Graph& graph,
                     const std::vector<std::vector<Tensor>>& outputs);

// The stages at which the pipeline may stop and show its result.
const std::vector<std::string>& stage_names();

struct DeployOptions {
  std::filesystem::path model, calibration, data, out;
  std::string target, name, command, stop_after;
  DataOptions data_options;
  QuantizeOptions quantize;
  CompileOptions compile;
  RunOptions run;
  int64_t layer_error_samples = 16;
  bool explain = false;                       // also explain(), on --data
  std::optional<StabilityOptions> stability;  // also stability(), on --data
  // Names of the options that say how to quantize, as far as the user gave them ("--calibrator").
  std::vector<std::string> given;
  // Told at once of options that have no effect; the report holds the notes too.
  std::function<void(const std::string& text)> note;
};
struct DeployResult {
  std::unique_ptr<nlohmann::ordered_json> report;  // null if stopped before
  std::string stage_text;                          // what --stop-after shows
  Status fits;  // what --stop-after plan shows may not fit the target or --max-ram
};
Result<DeployResult> deploy(const DeployOptions& options);

}  // namespace nibble
