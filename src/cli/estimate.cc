// nibble estimate MODEL --target T | --all: what it will cost, before anything is built.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/estimate_arguments.h"

namespace nibble {
namespace {

struct Arguments {
  EstimateArguments shared;
  std::vector<std::string> engines;
  std::string order;
  bool all = false, compile = false;
  size_t top = 20;
};

// Order where none is asked for: by what the question is about.
std::string default_order(const EstimateArguments& arguments) {
  return arguments.duty.rate.empty() ? "latency" : "power";
}

Status estimate_model(const CommandLine& line, const Arguments& arguments) {
  const bool some = !arguments.shared.targets.empty();
  if (some == arguments.all)
    return usage_error(
        some ? "--target and --all: choose one of them"
             : "which part? --target T (`nibble targets` lists them), or --all of the catalogue");
  if (arguments.shared.npu && !arguments.engines.empty())
    return usage_error(
        "--npu shows accelerators alone, so --engine would have no row: leave one of them out");
  NIBBLE_ASSIGN(EstimateQuery query, arguments.shared.query());
  query.engines = arguments.engines;
  query.measure_code = arguments.compile;
  if (query.targets.size() == 1) query.focus = query.targets[0].name;
  const std::string order =
      arguments.order.empty() ? default_order(arguments.shared) : arguments.order;
  query.order = static_cast<EstimateBy>(std::ranges::find(estimate_orders(), order) -
                                        estimate_orders().begin());
  NIBBLE_ASSIGN(const EstimatedModel model, arguments.shared.read_model());
  NIBBLE_ASSIGN(const Estimates estimates, estimate_parts(model, std::move(query)));
  const nlohmann::ordered_json json = estimates_json(estimates);
  if (line.json)
    print_json(json);
  else
    fmt::print("{}", format_estimates(json, arguments.top));
  if (std::ranges::any_of(estimates.parts, &PartEstimate::fits)) return {};
  // One part, or all of them: the reasons stand above.
  return does_not_fit(some ? fmt::format("'{}' is out on {}", arguments.shared.model,
                                         join(arguments.shared.targets, ", "))
                           : fmt::format("'{}': no part is left", arguments.shared.model));
}

}  // namespace

void add_estimate(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "estimate",
                            "memory, time, energy and battery life on a part, or on all of them");
  auto arguments = std::make_shared<Arguments>();
  add_estimate_options(*verb, arguments->shared);
  verb->add_option("--target", arguments->shared.targets, "see `nibble targets`; several: T,U")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("T");
  verb->add_flag("--all", arguments->all, "every part of the catalogue");
  verb->add_option("--engine", arguments->engines,
                   "beside nibble also this one, again for each; " + peer_stacks_text())
      ->allow_extra_args(false)
      ->type_name("NAME");
  verb->add_option("--sort", arguments->order,
                   "the best first: " + join(estimate_orders(), ", ") +
                       " (by default latency, with --rate power)")
      ->type_name("BY")
      ->check(CLI::IsMember(estimate_orders()));
  verb->add_option("--top", arguments->top, "rows of the table (by default 20)")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, size_t{1000000}));
  verb->add_flag("--compile", arguments->compile,
                 "compile the C for its size, where the targets' compilers are, instead of "
                 "predicting it");
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return estimate_model(line, *arguments); };
  });
}

}  // namespace nibble
