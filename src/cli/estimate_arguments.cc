// What `estimate` and `recommend` share: which targets, limits, duty cycle.
#include "cli/estimate_arguments.h"

#include "base/text.h"

namespace nibble {
namespace {

template <class T, class Parse>
Status parse_option(const std::string& name, const std::string& text, std::optional<T>& value,
                    const Parse& parse) {
  if (text.empty()) return {};
  auto parsed = parse(text);
  if (!parsed.ok()) {
    Error error = std::move(parsed).error();
    error.message = name + ": " + error.message;
    return error;
  }
  value = *std::move(parsed);
  return {};
}

// Nothing keeps to a limit of zero.
template <class Parse>
Status parse_limit(const std::string& name, const std::string& text, std::optional<double>& value,
                   const Parse& parse) {
  NIBBLE_TRY(parse_option(name, text, value, parse));
  if (value && *value <= 0)
    return usage_error(
        fmt::format("{}: '{}' must be above 0; leave it out for no limit", name, text));
  return {};
}

Result<std::vector<Target>> chosen_targets(const EstimateArguments& arguments) {
  std::vector<Target> targets;
  for (const std::string& name : arguments.targets) {
    NIBBLE_ASSIGN(Target target, find_target(name));
    if (arguments.npu && !target.npu)
      return usage_error(fmt::format("--npu: {} has no accelerator", name));
    if (std::ranges::find(targets, name, &Target::name) == targets.end())
      targets.push_back(std::move(target));
  }
  if (!targets.empty() && !(arguments.core.empty() && arguments.vendor.empty()))
    return usage_error("--core and --vendor choose among all parts, not those of --target");
  if (!targets.empty()) return targets;
  NIBBLE_ASSIGN(targets, catalogue_parts());
  std::erase_if(targets, [&](const Target& target) {
    return (!arguments.core.empty() && target.core != lower_case(arguments.core)) ||
           (!arguments.vendor.empty() &&
            lower_case(target.vendor).find(lower_case(arguments.vendor)) == std::string::npos) ||
           (arguments.npu && !target.npu);
  });
  if (targets.empty())
    return input_error(
        "no part of the catalogue is of that core, maker and kind (--core, --vendor, --npu); "
        "`nibble targets` lists them");
  return targets;
}

}  // namespace

Result<std::vector<Target>> catalogue_parts() {
  NIBBLE_ASSIGN(std::vector<Target> targets, all_targets());
  std::erase_if(targets, [](const Target& target) { return target.emulator_board; });
  return targets;
}

Result<Duty> DutyArguments::duty() const {
  Duty duty;
  std::optional<double> hertz;
  NIBBLE_TRY(parse_option("--rate", rate, hertz, parse_rate));
  duty.rate_hz = hertz.value_or(0);
  NIBBLE_TRY(parse_option("--battery", battery, duty.battery, parse_battery));
  if (duty.battery && !hertz)
    return usage_error("--battery needs --rate: how long it lasts depends on how often it infers");
  constexpr std::string_view kSleep = "sleep=";
  for (const std::string& text : phases) {
    if (text.starts_with(kSleep) && text.find('@') == std::string::npos) {
      if (duty.sleep_mw) return usage_error("--phase sleep is given twice");
      NIBBLE_TRY(parse_option("--phase sleep", text.substr(kSleep.size()), duty.sleep_mw,
                              parse_milliwatts));
      continue;
    }
    std::optional<DutyPhase> parsed;
    NIBBLE_TRY(parse_option("--phase", text, parsed, parse_phase));
    if (parsed->name == "infer")
      return usage_error(
          "--phase infer: how long an inference takes is predicted; name the other phases");
    if (std::ranges::find(duty.phases, parsed->name, &DutyPhase::name) != duty.phases.end())
      return usage_error(fmt::format(
          "--phase {} is given twice: add their times, or name one otherwise", parsed->name));
    duty.phases.push_back(*std::move(parsed));
  }
  if (duty.sleep_mw && !hertz)
    return usage_error("--phase sleep needs --rate: without it, it never sleeps");
  duty.grid_grams_per_kwh = grid;
  return duty;
}

void add_duty_options(CLI::App& verb, DutyArguments& arguments) {
  const size_t first = verb.get_options().size();
  verb.add_option("--rate", arguments.rate, "how often it infers (1/s, 10/min)")->type_name("RATE");
  verb.add_option("--battery", arguments.battery, "220mAh@3V, 10Wh; with --rate")
      ->type_name("CHARGE");
  verb.add_option("--phase", arguments.phases,
                  "what else a round has, NAME=TIME@POWER (acquire=20ms@1.5mW), and sleep=POWER; "
                  "again for each")
      ->type_name("PHASE")
      ->allow_extra_args(false);
  verb.add_option("--grid", arguments.grid, "grams of CO2 per kWh of electricity")
      ->type_name("GRAMS")
      ->check(number_between(0, 10000));
  const std::vector<CLI::Option*> options = verb.get_options();
  arguments.all_options.assign(options.begin() + static_cast<std::ptrdiff_t>(first), options.end());
}

void add_estimate_options(CLI::App& verb, EstimateArguments& arguments) {
  verb.add_option("MODEL", arguments.model, ".tflite, .onnx or .nibble; float or quantized")
      ->required();
  verb.add_option("--calibration", arguments.calibration,
                  "typical inputs of a float model; without them it is quantized on random ones")
      ->type_name("DATA");
  add_input_options(verb, arguments.data);
  arguments.scheme_option =
      verb.add_option("--scheme", arguments.scheme, "of a float model: " + schemes_text())
          ->type_name("SCHEME");
  verb.add_option("--core", arguments.core, "only parts of this core (cortex-m33)")
      ->type_name("CORE");
  verb.add_option("--vendor", arguments.vendor, "only parts of this maker")->type_name("NAME");
  verb.add_flag("--npu", arguments.npu, "only accelerators, on the parts that have one");
  verb.add_option("--max-latency", arguments.max_latency, "of an inference (50ms)")
      ->type_name("TIME");
  verb.add_option("--max-energy", arguments.max_energy, "of an inference (300uJ)")
      ->type_name("ENERGY");
  verb.add_option("--max-power", arguments.max_power,
                  "with --rate the average, else while it infers (5mW)")
      ->type_name("POWER");
  add_duty_options(verb, arguments.duty);
  verb.add_option("--optimize", arguments.optimize,
                  "what the kernels are chosen for: " + join(optimize_names(), ", "))
      ->check(CLI::IsMember(optimize_names()))
      ->type_name("GOAL");
}

Result<EstimatedModel> EstimateArguments::read_model() const {
  EstimatedModelOptions options;
  if (scheme_option->count() > 0) {
    options.quantize.emplace();
    NIBBLE_TRY(apply_scheme(options.quantize->all, scheme));
  }
  NIBBLE_ASSIGN(DataOptions data_options, data.options());
  if (!calibration.empty())
    options.calibration = CalibrationRequest{calibration, data_options, 1};
  else if (data_options.input_scale_given || data_options.max_samples > 0)
    return usage_error("--input-scale, --input-mean and --samples are of --calibration");
  return read_estimated_model(model, options);
}

Result<EstimateQuery> EstimateArguments::query() const {
  EstimateQuery query;
  NIBBLE_ASSIGN(query.optimize, parse_optimize(optimize));
  NIBBLE_ASSIGN(query.duty, duty.duty());
  std::optional<double> seconds;
  NIBBLE_TRY(parse_limit("--max-latency", max_latency, seconds, parse_seconds));
  if (seconds) query.max_latency_ms = *seconds * 1e3;
  NIBBLE_TRY(parse_limit("--max-energy", max_energy, query.max_energy_uj, parse_microjoules));
  NIBBLE_TRY(parse_limit("--max-power", max_power, query.max_power_mw, parse_milliwatts));
  query.only_npu = npu;
  NIBBLE_ASSIGN(query.targets, chosen_targets(*this));
  return query;
}

}  // namespace nibble
