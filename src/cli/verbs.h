// The verbs of the command line, one file each, and what they share: exit codes, --json, the
// options that say how data are read and how to quantize.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "pipeline/pipeline.h"

namespace nibble {

// Collected while parsing; the verb that was chosen leaves its work in `action`.
struct CommandLine {
  bool json = false;
  bool quiet = false;
  std::string config;                    // the file of --config; with_config has read it by then
  std::string command;                   // as typed, for the report
  std::vector<std::string> target_dirs;  // of --target-dir, as typed
  std::function<Status()> action;
};

// Each adds its subcommand to `app`.
void add_inspect(CLI::App& app, CommandLine& line);
void add_quantize(CLI::App& app, CommandLine& line);
void add_evaluate(CLI::App& app, CommandLine& line);
void add_compare(CLI::App& app, CommandLine& line);
void add_compile(CLI::App& app, CommandLine& line);
void add_run(CLI::App& app, CommandLine& line);
void add_deploy(CLI::App& app, CommandLine& line);
void add_estimate(CLI::App& app, CommandLine& line);
void add_recommend(CLI::App& app, CommandLine& line);
void add_targets(CLI::App& app, CommandLine& line);
void add_convert(CLI::App& app, CommandLine& line);
void add_report(CLI::App& app, CommandLine& line);
void add_compare_reports(CLI::App& app, CommandLine& line);

// A subcommand with the options that all have (--json, --quiet, --config).
CLI::App* add_verb(CLI::App& app, CommandLine& line, const std::string& name,
                   const std::string& description);

// --labels, --input-scale, --input-mean, --samples.
struct DataArguments {
  std::string labels;
  double input_scale = 1, input_mean = 0;
  int64_t samples = 0;
  CLI::Option* scale_option = nullptr;
  CLI::Option* mean_option = nullptr;
  Result<DataOptions> options() const;
};
void add_data_options(CLI::App& verb, DataArguments& arguments);
// The same without --labels.
void add_input_options(CLI::App& verb, DataArguments& arguments);

// A float MODEL and the --calibration it is quantized with, both required.
void add_float_model_options(CLI::App& verb, std::string& model, std::string& calibration);

// --scheme, one option per setting (quantize/settings.h), --method and what belongs to it,
// --rounding, --keep-float.
struct QuantizeArguments {
  std::string scheme = "int8", rounding = "tflite";
  std::map<std::string, std::string> settings;  // by name; empty: not given
  std::map<std::string, CLI::Option*> setting_options;
  std::vector<std::string> keep_float, methods;
  MethodOptions method_options;
  int64_t seed = 1;
  // `config`: the file of --config, whose tables [[layer]] say what holds for some layers; empty:
  // none.
  Result<QuantizeOptions> options(const std::string& config) const;
  // Error: one of the options was given, and nothing is quantized; `why` says so.
  Status check_unused(const std::string& why) const;
  std::vector<CLI::Option*> all_options;

 private:
  Status check_read(const QuantizeOptions& options) const;
};
void add_quantize_options(CLI::App& verb, QuantizeArguments& arguments);

// A number from low to high; CLI::Range takes "nan", too.
CLI::Validator number_between(double low, double high);

// --explain, --stability, --resamplings: what the report says beside the errors of layers.
struct EvidenceArguments {
  bool explain = false, stability = false;
  int64_t resamplings = StabilityOptions().resamplings;
  CLI::Option* resamplings_option = nullptr;
  // Error: --resamplings alone.
  Status check() const;
};
void add_evidence_options(CLI::App& verb, EvidenceArguments& arguments);
// --optimize, --max-ram, --copy-weights; with add_compile_options also --compiler-level.
struct CompileArguments {
  std::string optimize{optimize_name(Optimize::kBalanced)}, max_ram, copied, level;
  CLI::Option *optimize_option = nullptr, *max_ram_option = nullptr, *copied_option = nullptr;
  Result<CompileOptions> options() const;
  // The default that goes with the choice, where none was given.
  std::string compiler_level() const;
};
void add_plan_options(CLI::App& verb, CompileArguments& arguments);
void add_compile_options(CLI::App& verb, CompileArguments& arguments);
// A note where the program holds functions for instruction sets that the target lacks: there they
// are plain C. Empty: there are none.
std::string foreign_note(const Program& program, const Target& target);

// The verb among the words: the first that is neither an option nor its value. words.size(): none.
size_t verb_position(const CLI::App& app, std::span<const std::string> words);
// Null: no such verb.
const CLI::App* find_verb(const CLI::App& app, const std::string& name);

// What stands up to the verb: options of nibble itself, and a verb that there is.
Status check_beginning(const CLI::App& app, std::span<const std::string> words);
// What stands behind it: options that the verb has, each with the value it needs. The verb exists.
Status check_options(const CLI::App& app, std::span<const std::string> words);
// What the parser found wrong with the words, and where their meaning is explained.
Error wrong_words(const CLI::App& app, const std::string& who, const CLI::ParseError& error,
                  const CommandLine& line);

// The words of the command line with those that the file of a --config stands for behind the verb.
Result<std::vector<std::string>> with_config(const CLI::App& app, std::vector<std::string> words);

// Error: the file of --outputs is no .npz. Empty is no error: nothing is to be written.
Status check_outputs_name(const std::string& file);

// "nibble VERB: note: ..." on stderr.
void print_note(const std::string& verb, const std::string& text);
// The field `notes` of a JSON document; empty where `text` is.
nlohmann::ordered_json notes_json(const std::string& text);
void print_json(const nlohmann::ordered_json& document);
// The model file's name as a C identifier: "ic_resnet8_int8.tflite" → "ic_resnet8_int8".
std::string default_name(const std::string& model);

}  // namespace nibble
