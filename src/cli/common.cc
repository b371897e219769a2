// What the verbs share: options of data and quantization, JSON on stdout.
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {

size_t verb_position(const CLI::App& app, std::span<const std::string> words) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("-")) return i;
    const CLI::Option* option = app.get_option_no_throw(words[i]);
    if (option && option->get_items_expected_max() > 0) ++i;  // its value is the next word
  }
  return words.size();
}

const CLI::App* find_verb(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : app.get_subcommands({}))
    if (verb->get_name() == name) return verb;
  return nullptr;
}

CLI::App* add_verb(CLI::App& app, CommandLine& line, const std::string& name,
                   const std::string& description) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->add_flag("--json", line.json, "print one JSON document on stdout");
  verb->add_flag("--quiet", line.quiet, "no progress bars");
  verb->add_option("--config", line.config,
                   "options of this verb from a TOML file, a line NAME = VALUE each; what is typed "
                   "wins")
      ->type_name("FILE");
  return verb;
}

void add_data_options(CLI::App& verb, DataArguments& arguments) {
  verb.add_option("--labels", arguments.labels,
                  "class indices, one per sample (.npy), for data without them")
      ->type_name("FILE");
  add_input_options(verb, arguments);
}

void add_input_options(CLI::App& verb, DataArguments& arguments) {
  arguments.scale_option =
      verb.add_option("--input-scale", arguments.input_scale,
                      "the model's input is raw * SCALE + MEAN (0.00392157 for bytes as 0..1)")
          ->type_name("SCALE");
  arguments.mean_option =
      verb.add_option("--input-mean", arguments.input_mean, "see --input-scale")->type_name("MEAN");
  verb.add_option("--samples", arguments.samples, "use only the first N samples")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
}

Result<DataOptions> DataArguments::options() const {
  if (!std::isfinite(input_scale) || input_scale == 0 || !std::isfinite(input_mean))
    return usage_error(
        fmt::format("--input-scale {} --input-mean {}: both must be finite numbers, the scale not "
                    "0, or every sample would be the same",
                    input_scale, input_mean));
  DataOptions options;
  options.labels = labels;
  options.input_scale = input_scale;
  options.input_mean = input_mean;
  options.input_scale_given = scale_option->count() > 0 || mean_option->count() > 0;
  options.max_samples = samples;
  return options;
}

void add_float_model_options(CLI::App& verb, std::string& model, std::string& calibration) {
  verb.add_option("MODEL", model, "float .tflite, .onnx or .nibble")->required();
  verb.add_option("--calibration", calibration,
                  "typical inputs (.npz, .npy, .csv or a folder), or synthetic (synthetic:N): "
                  "inputs made from the model's batch norms")
      ->required()
      ->type_name("DATA");
}

Result<CompileOptions> CompileArguments::options() const {
  CompileOptions options;
  options.optimize = *parse_optimize(optimize);
  if (copied_option->count() > 0) {
    Result<int64_t> bytes = parse_bytes(copied);
    if (!bytes.ok() || *bytes < 0)
      return usage_error(fmt::format(
          "--copy-weights {}: a number of bytes is needed, as 65536, 64KB or 0", copied));
    options.copied_bytes = *bytes;
  }
  if (max_ram_option->count() == 0) return options;
  Result<int64_t> bytes = parse_bytes(max_ram);
  if (!bytes.ok() || *bytes <= 0)
    return usage_error(
        fmt::format("--max-ram {}: a number of bytes is needed, as 65536, 64KB or 1MB", max_ram));
  options.max_ram_bytes = *bytes;
  return options;
}

std::string CompileArguments::compiler_level() const {
  return level.empty() ? default_compiler_level(*parse_optimize(optimize)) : level;
}

void add_plan_options(CLI::App& verb, CompileArguments& arguments) {
  arguments.optimize_option =
      verb.add_option("--optimize", arguments.optimize,
                      fmt::format("what the choice of kernels is after: {} (by default {})",
                                  join(optimize_names(), ", "), arguments.optimize))
          ->type_name("WHAT")
          ->check(CLI::IsMember(optimize_names()));
  arguments.max_ram_option =
      verb.add_option(
              "--max-ram", arguments.max_ram,
              "RAM for arena and stack, as 65536, 64KB or 1MB: layers run band by band until "
              "it is enough (by default what the target has)")
          ->type_name("SIZE");
  arguments.copied_option =
      verb.add_option("--copy-weights", arguments.copied,
                      "RAM for copies of weights, where the target's flash is slower (by default "
                      "half of what is left with --optimize speed, else none)")
          ->type_name("SIZE");
}

void add_compile_options(CLI::App& verb, CompileArguments& arguments) {
  add_plan_options(verb, arguments);
  verb.add_option("--compiler-level", arguments.level,
                  "optimisation of the C compiler: " + join(compiler_levels(), ", ") +
                      " (by default -Os for size, else -O2)")
      ->type_name("LEVEL")
      ->check(CLI::IsMember(compiler_levels()));
}

// Options that nothing reads must not be passed over in silence.
Status QuantizeArguments::check_read(const QuantizeOptions& options) const {
  for (const CLI::Option* option : all_options) {
    if (option->count() == 0) continue;
    if (const std::string reader = missing_reader(option->get_lnames()[0], options);
        !reader.empty())
      return usage_error(fmt::format("{} goes with {}", option->get_name(), reader));
  }
  return {};
}

Status QuantizeArguments::check_unused(const std::string& why) const {
  for (const CLI::Option* option : all_options)
    if (option->count() > 0) return usage_error(fmt::format("{}: {}", option->get_name(), why));
  return {};
}

CLI::Validator number_between(double low, double high) {
  const auto check = [=](const std::string& text) {
    const Result<double> value = parse_double(text);
    if (value.ok() && *value >= low && *value <= high) return std::string();
    return fmt::format("Value {} not in range [{:g} - {:g}]", text, low, high);
  };
  return {check, fmt::format("FLOAT in [{:g} - {:g}]", low, high)};
}

void add_quantize_options(CLI::App& verb, QuantizeArguments& arguments) {
  const size_t first = verb.get_options().size();
  verb.add_option("--scheme", arguments.scheme, schemes_text())->type_name("SCHEME");
  for (const SettingInfo& info : all_settings()) {
    const std::string name(info.name);
    arguments.setting_options[name] =
        verb.add_option("--" + name, arguments.settings[name],
                        fmt::format("{}: {}", info.what, values_of(info)))
            ->type_name("VALUE")
            ->check([&info](const std::string& value) {
              LayerSettings scratch;
              return info.set(scratch, value)
                         ? std::string()
                         : fmt::format("'{}': known: {}", value, values_of(info));
            });
  }
  std::vector<std::string> methods;
  for (const MethodInfo& info : all_methods())
    methods.push_back(fmt::format("{} ({})", info.name, info.what));
  verb.add_option("--method", arguments.methods,
                  fmt::format("repairs, applied in this order: {}", join(methods, ", ")))
      ->type_name("NAME,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb.add_option("--method-samples", arguments.method_options.samples,
                  fmt::format("calibration samples that methods use (by default {})",
                              arguments.method_options.samples))
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  verb.add_option("--smooth-share", arguments.method_options.smooth_share,
                  "of what smooth moves, 0 (nothing) to 1 (by default 0.5)")
      ->type_name("SHARE")
      ->check(number_between(0, 1));
  verb.add_option("--split-share", arguments.method_options.split_share,
                  "channels that split-channels adds, of all (by default 0.02)")
      ->type_name("SHARE")
      ->check(number_between(0, 1));
  verb.add_option("--learn-steps", arguments.method_options.learn_steps,
                  fmt::format("of the methods that learn, per layer or block (by default {})",
                              arguments.method_options.learn_steps))
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000}));
  verb.add_option("--drop-share", arguments.method_options.drop_share,
                  "of activations that qdrop leaves unrounded, 0 to 1 (by default 0.5)")
      ->type_name("SHARE")
      ->check(number_between(0, 1));
  verb.add_option("--checkpoint", arguments.method_options.checkpoint,
                  "methods that learn keep here what they have finished; the same command goes on "
                  "from there")
      ->type_name("DIR");
  verb.add_option("--seed", arguments.seed,
                  "of stochastic rounding, of learning and of synthetic inputs (by default 1)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 62));
  verb.add_option("--rounding", arguments.rounding,
                  "tflite (bit-exact with TFLite) or single (cheaper)")
      ->type_name("R")
      ->check(CLI::IsMember({"tflite", "single"}));
  verb.add_option("--keep-float", arguments.keep_float, "leave these nodes in float (host only)")
      ->type_name("NODE,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  const std::vector<CLI::Option*> all = verb.get_options();
  arguments.all_options.assign(all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
}

Status EvidenceArguments::check() const {
  if (!stability && resamplings_option->count() > 0)
    return usage_error("--resamplings goes with --stability, which resamples the calibration data");
  return {};
}

void add_evidence_options(CLI::App& verb, EvidenceArguments& arguments) {
  verb.add_flag("--explain", arguments.explain,
                "say what quantization does to each layer and what to do about it: errors, "
                "saturation, dead channels, absurd scales, histograms (--json), the certificate");
  verb.add_flag("--stability", arguments.stability,
                "say how far ranges, and with --data the score, depend on the calibration samples, "
                "and how many of them are enough");
  arguments.resamplings_option =
      verb.add_option("--resamplings", arguments.resamplings,
                      fmt::format("of the calibration data, for --stability (by default {})",
                                  arguments.resamplings))
          ->type_name("N")
          ->check(CLI::Range(int64_t{2}, int64_t{1000}));
}

Result<QuantizeOptions> QuantizeArguments::options(const std::string& config) const {
  QuantizeOptions options;
  NIBBLE_TRY(apply_scheme(options.all, scheme));
  for (const auto& [name, option] : setting_options)
    if (option->count() > 0) NIBBLE_TRY(apply_setting(options.all, name, settings.at(name)));
  if (!config.empty()) {
    NIBBLE_ASSIGN(options.rules, read_layer_rules(config));
  }
  options.rounding = rounding == "single" ? Rounding::kSingle : Rounding::kTflite;
  options.keep_float = keep_float;
  NIBBLE_ASSIGN(options.methods, parse_methods(methods));
  options.method_options = method_options;
  NIBBLE_TRY(check_read(options));
  options.seed = static_cast<uint64_t>(seed);
  return options;
}

Status check_outputs_name(const std::string& file) {
  if (file.empty() || std::filesystem::path(file).extension() == ".npz") return {};
  return usage_error(
      fmt::format("--outputs {}: outputs are written as .npz; give the file that ending", file));
}

std::string foreign_note(const Program& program, const Target& target) {
  std::set<std::string> missing;
  for (const KernelFunction& function : program.functions)
    if (function.isa != "portable" &&
        std::ranges::none_of(target.isa, [&](Isa isa) { return isa_name(isa) == function.isa; }))
      missing.insert(function.isa);
  if (missing.empty()) return "";
  return fmt::format(
      "its kernels were chosen for a core with {}, which '{}' ({}) has not: there they are plain "
      "C, "
      "and slower; compile the model for that target",
      join(std::vector(missing.begin(), missing.end()), ", "), target.name, target.core);
}

void print_note(const std::string& verb, const std::string& text) {
  if (!text.empty()) std::fprintf(stderr, "nibble %s: note: %s\n", verb.c_str(), text.c_str());
}

nlohmann::ordered_json notes_json(const std::string& text) {
  nlohmann::ordered_json notes = nlohmann::ordered_json::array();
  if (!text.empty()) notes.push_back(text);
  return notes;
}

void print_json(const nlohmann::ordered_json& document) {
  // Names come from model files and may be no valid UTF-8.
  std::string text = document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
}

std::string default_name(const std::string& model) {
  std::filesystem::path path(model);
  std::string stem = path.stem().string();
  if (stem.empty()) stem = path.parent_path().filename().string();
  return c_identifier(stem.empty() ? "model" : stem);
}

}  // namespace nibble
