// nibble deploy MODEL --calibration C --data D --target T -o DIR: quantize, compile, run, report.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

struct Arguments {
  DeployOptions deploy;
  std::string model, calibration, data, out;
  DataArguments data_options;
  QuantizeArguments quantize;
  CompileArguments compile;
  EvidenceArguments evidence;
  const CLI::App* verb = nullptr;
};

// The options that only matter where something is quantized, as far as they were given.
std::vector<std::string> given_options(const CLI::App& verb) {
  std::vector<std::string> given;
  std::vector<std::string> names = {"--calibration", "--scheme", "--rounding", "--keep-float"};
  for (const SettingInfo& info : all_settings()) names.push_back("--" + std::string(info.name));
  for (const std::string& name : names)
    if (verb.get_option(name)->count() > 0) given.push_back(name);
  return given;
}

Status check_arguments(const Arguments& arguments) {
  const DeployOptions& options = arguments.deploy;
  const EvidenceArguments& evidence = arguments.evidence;
  std::vector<std::string> missing;
  if (arguments.data.empty()) missing.emplace_back("--data DATA");
  if (arguments.out.empty()) missing.emplace_back("-o DIR");
  if (options.stop_after.empty() && !missing.empty())
    return usage_error(
        fmt::format("{} needed (unless --stop-after ends it before)",
                    join(missing, " and ") + (missing.size() == 1 ? " is" : " are")));
  if (options.stop_after == "emit" && arguments.out.empty())
    return usage_error("--stop-after emit needs -o DIR");
  if (!options.stop_after.empty() && (evidence.explain || evidence.stability))
    return usage_error(fmt::format(
        "{} is a part of the report, and --stop-after {} ends before there is one; leave one of "
        "them out, or use `nibble quantize`",
        evidence.explain ? "--explain" : "--stability", options.stop_after));
  return evidence.check();
}

Status deploy_model(const CommandLine& line, Arguments& arguments) {
  DeployOptions& options = arguments.deploy;
  NIBBLE_TRY(check_arguments(arguments));
  options.model = arguments.model;
  options.calibration = arguments.calibration;
  options.data = arguments.data;
  options.out = arguments.out;
  options.command = line.command;
  NIBBLE_ASSIGN(options.compile, arguments.compile.options());
  options.run.compiler_level = arguments.compile.compiler_level();
  NIBBLE_ASSIGN(options.data_options, arguments.data_options.options());
  if (options.name.empty()) options.name = default_name(arguments.model);
  NIBBLE_ASSIGN(options.quantize, arguments.quantize.options(line.config));
  options.given = given_options(*arguments.verb);
  options.explain = arguments.evidence.explain;
  if (arguments.evidence.stability)
    options.stability = StabilityOptions{arguments.evidence.resamplings, options.quantize.seed};
  std::vector<std::string> notes;
  options.note = [&](const std::string& text) {
    print_note("deploy", text);
    notes.push_back(text);
  };
  NIBBLE_ASSIGN(DeployResult result, deploy(options));
  if (!result.report) {
    if (line.json)
      print_json({{"stage", options.stop_after}, {"text", result.stage_text}, {"notes", notes}});
    else
      fmt::print("{}", result.stage_text);
    return result.fits;
  }
  if (line.json)
    print_json(*result.report);
  else
    fmt::print("{}\nreport: {}\n", format_report(*result.report),
               (options.out / "report.json").string());
  const nlohmann::ordered_json& run = (*result.report)["run"];
  if (!run["matches_host"].get<bool>())
    return input_error(
        fmt::format("the core's outputs differ from the host's, first at {}; please report this "
                    "with the model (everything is in '{}')",
                    format_difference(run["first_difference"]), arguments.out));
  return {};
}

}  // namespace

void add_deploy(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "deploy",
                            "all of it: quantize, compile, run on the emulated core, report");
  auto arguments = std::make_shared<Arguments>();
  arguments->verb = verb;
  verb->add_option("MODEL", arguments->model, ".tflite, .onnx or .nibble; float or quantized")
      ->required();
  verb->add_option("--calibration", arguments->calibration,
                   "typical inputs, or synthetic; needed for a float model")
      ->type_name("DATA");
  verb->add_option("--data", arguments->data, "inputs to score, with labels if there are any")
      ->type_name("DATA");
  verb->add_option("--target", arguments->deploy.target, "see `nibble targets`")
      ->required()
      ->type_name("T");
  verb->add_option("-o,--output", arguments->out, "folder for the library and report.json")
      ->type_name("DIR");
  verb->add_option("--name", arguments->deploy.name, "prefix of the library's functions and files");
  verb->add_option("--stop-after", arguments->deploy.stop_after,
                   "end after this stage and show its result: " + join(stage_names(), ", "))
      ->check(CLI::IsMember(stage_names()))
      ->type_name("STAGE");
  add_evidence_options(*verb, arguments->evidence);
  add_compile_options(*verb, arguments->compile);
  verb->add_option("--timeout", arguments->deploy.run.timeout_seconds,
                   "seconds that the emulator may take")
      ->type_name("SECONDS")
      ->check(CLI::Range(int64_t{1}, int64_t{1000000000}));
  add_data_options(*verb, arguments->data_options);
  add_quantize_options(*verb, arguments->quantize);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return deploy_model(line, *arguments); };
  });
}

}  // namespace nibble
