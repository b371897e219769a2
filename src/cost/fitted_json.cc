// The fitted file: JSON with every digit, so that a refit can be compared with it.
#include <nlohmann/json.hpp>

#include "cost/refit.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json effect_json(const LogEffect& effect) { return {{"log", effect.log}, {"sd", effect.sd}}; }
LogEffect effect_of(const Json& json) {
  return {json.at("log").get<double>(), json.at("sd").get<double>()};
}

Json stack_json(const StackEffect& stack) {
  return {{"family", stack.family}, {"log", stack.log}, {"covariance", stack.covariance}};
}
StackEffect stack_of(const Json& json) {
  return {json.at("family").get<std::string>(), json.at("log").get<KindVector>(),
          json.at("covariance").get<KindMatrix>()};
}

Json summary_json(const ErrorSummary& summary) {
  return {{"rows", summary.rows},
          {"median", summary.median},
          {"p90", summary.p90},
          {"bias", summary.bias}};
}
ErrorSummary summary_of(const Json& json) {
  return {json.at("rows").get<int>(), json.at("median").get<double>(), json.at("p90").get<double>(),
          json.at("bias").get<double>()};
}

template <class T, class Print>
Json map_json(const std::map<std::string, T>& values, Print print) {
  Json json = Json::object();
  for (const auto& [name, value] : values) json[name] = print(value);
  return json;
}

template <class T, class Read>
void read_map(const Json& json, std::map<std::string, T>& values, Read read) {
  for (const auto& [name, value] : json.items()) values[name] = read(value);
}

}  // namespace

std::string print_fitted(const FittedCost& fitted) {
  const CostModel& latency = fitted.latency;
  const auto same = [](double value) { return value; };
  Json json;
  json["written_by"] = "nibble_cost_fit --write, from measured.csv and networks.csv; doc/cost.md";
  json["rows"] = fitted.rows;
  json["rows_hash"] = fitted.rows_hash;
  json["z80"] = latency.z80;
  json["z95"] = latency.z95;
  json["families"] = map_json(latency.families, stack_json);
  json["stacks"] = map_json(latency.stacks, stack_json);
  json["cores"] = map_json(latency.cores, effect_json);
  json["boards"] = map_json(latency.boards, effect_json);
  json["power"] = {{"figure", fitted.power.log_figure},
                   {"basis", map_json(fitted.power.basis, same)},
                   {"plain", fitted.power.log_plain},
                   {"regulator", map_json(fitted.power.regulator, same)}};
  json["errors"] = {{"left_out", map_json(fitted.errors.left_out, summary_json)},
                    {"time_by_core", map_json(fitted.errors.time_by_core, summary_json)},
                    {"energy_by_core", map_json(fitted.errors.energy_by_core, summary_json)}};
  return json.dump(1) + "\n";
}

Result<FittedCost> parse_fitted(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    FittedCost fitted;
    CostModel& latency = fitted.latency;
    fitted.rows = json.at("rows").get<int>();
    fitted.rows_hash = json.at("rows_hash").get<std::string>();
    latency.z80 = json.at("z80").get<double>();
    latency.z95 = json.at("z95").get<double>();
    read_map(json.at("families"), latency.families, stack_of);
    read_map(json.at("stacks"), latency.stacks, stack_of);
    read_map(json.at("cores"), latency.cores, effect_of);
    read_map(json.at("boards"), latency.boards, effect_of);
    const auto number = [](const Json& value) { return value.get<double>(); };
    const Json& power = json.at("power");
    fitted.power.log_figure = number(power.at("figure"));
    fitted.power.log_plain = number(power.at("plain"));
    read_map(power.at("basis"), fitted.power.basis, number);
    read_map(power.at("regulator"), fitted.power.regulator, number);
    const Json& errors = json.at("errors");
    read_map(errors.at("left_out"), fitted.errors.left_out, summary_of);
    read_map(errors.at("time_by_core"), fitted.errors.time_by_core, summary_of);
    read_map(errors.at("energy_by_core"), fitted.errors.energy_by_core, summary_of);
    return fitted;
  } catch (const nlohmann::json::exception& error) {
    return input_error(std::string("the fitted cost model cannot be read: ") + error.what() +
                       "; nibble_cost_fit --write writes it anew");
  }
}

}  // namespace nibble
