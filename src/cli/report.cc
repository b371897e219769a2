// nibble report DIR and nibble compare-reports A B: report.json as one HTML file.
#include <nlohmann/json.hpp>

#include "base/output_folder.h"
#include "base/text.h"
#include "cli/estimate_arguments.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Arguments {
  std::string dir, out, recipes;
  bool estimate = false;
  DutyArguments duty;
};
struct PairArguments {
  std::string first, second, out;
};

// Models are given by path; from elsewhere the same model has another one.
bool same_file_name(const Json& one, const Json& other) {
  auto file_of = [](const Json& document) {
    const auto at = document.find("model");
    return at != document.end() && at->is_string() ? fs::path(at->get<std::string>()).filename()
                                                   : fs::path();
  };
  return file_of(one) == file_of(other);
}

// What the model in the folder takes on the part it was deployed to, and on all of the catalogue.
Result<Json> estimates_of(const Arguments& arguments) {
  const fs::path dir = arguments.dir;
  NIBBLE_ASSIGN(const std::string deployed_to, recorded_target(dir));
  NIBBLE_ASSIGN(Target target, find_target(deployed_to));
  EstimateQuery query;
  NIBBLE_ASSIGN(query.duty, arguments.duty.duty());
  query.order = query.duty.rate_hz > 0 ? EstimateBy::kPower : EstimateBy::kLatency;
  query.focus = deployed_to;
  NIBBLE_ASSIGN(query.targets, catalogue_parts());
  // An emulator's board is no part of the catalogue.
  if (target.emulator_board) query.targets.push_back(std::move(target));
  NIBBLE_ASSIGN(const EstimatedModel model, read_estimated_model(dir / kModelFile, {}));
  NIBBLE_ASSIGN(const Estimates estimates, estimate_parts(model, std::move(query)));
  return estimates_json(estimates);
}

// Other documents of nibble's become fields of the report. Result: what the user should know.
Result<std::vector<std::string>> merge_documents(const Arguments& arguments, Json& report) {
  std::vector<std::string> notes;
  if (!arguments.recipes.empty()) {
    NIBBLE_ASSIGN(Json comparison, read_comparison(arguments.recipes));
    if (!same_file_name(report, comparison))
      notes.push_back(
          fmt::format("the recipes in '{}' were compared on another model than the report's",
                      arguments.recipes));
    report["recipes"] = std::move(comparison);
  }
  if (arguments.estimate) {
    NIBBLE_ASSIGN(Json estimate, estimates_of(arguments));
    report["estimate"] = std::move(estimate);
    return notes;
  }
  for (const CLI::Option* option : arguments.duty.all_options)
    if (option->count() > 0) return usage_error(option->get_name() + " goes with --estimate");
  return notes;
}

// The page of `document`, and what is said of it: `facts` and where it went.
Status write_page(const CommandLine& line, const Json& document, const fs::path& out, Json facts,
                  const std::string& from) {
  NIBBLE_ASSIGN(const std::string page, report_page(document));
  NIBBLE_TRY(write_into_output(out, page));
  const auto bytes = static_cast<int64_t>(page.size());
  facts.update({{"output", out.string()}, {"bytes", bytes}});
  if (line.json)
    print_json(facts);
  else
    fmt::print("{} → {}: {}\n", from, out.string(), human_bytes(bytes));
  return {};
}

Status make_page(const CommandLine& line, const Arguments& arguments) {
  const fs::path dir = arguments.dir;
  NIBBLE_ASSIGN(Json report, read_report(dir));
  NIBBLE_ASSIGN(std::vector<std::string> notes, merge_documents(arguments, report));
  Json& all = report["notes"];
  if (!all.is_array()) all = Json::array();
  for (const std::string& note : notes) {
    print_note("report", note);
    all.push_back(note);
  }
  if (arguments.estimate || !arguments.recipes.empty()) report["page_command"] = line.command;
  const fs::path out = arguments.out.empty() ? dir / "report.html" : fs::path(arguments.out);
  const std::string from = (dir / kReportFile).string();
  return write_page(line, report, out, {{"report", from}, {"notes", notes}}, from);
}

Status make_pair_page(const CommandLine& line, const PairArguments& arguments) {
  NIBBLE_ASSIGN(Json first, read_report(arguments.first));
  NIBBLE_ASSIGN(Json second, read_report(arguments.second));
  const std::array<std::string, 2> names = {arguments.first, arguments.second};
  const Json document = pair_reports(names, {std::move(first), std::move(second)});
  Json facts;
  facts["reports"] = names;
  return write_page(line, document, arguments.out, std::move(facts),
                    arguments.first + " and " + arguments.second);
}

}  // namespace

void add_report(CLI::App& app, CommandLine& line) {
  CLI::App* verb =
      add_verb(app, line, "report", "what deploy found out as one HTML file that needs no network");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("DIR", arguments->dir, "a folder that `nibble deploy` wrote")->required();
  verb->add_option("-o,--output", arguments->out, "the page (by default DIR/report.html)")
      ->type_name("FILE.html");
  verb->add_option("--recipes", arguments->recipes,
                   "also what `nibble compare --json` printed: recipes by size and score")
      ->type_name("FILE.json");
  verb->add_flag("--estimate", arguments->estimate,
                 "also time, energy and fit on every part of the catalogue");
  add_duty_options(*verb, arguments->duty);
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return make_page(line, *arguments); };
  });
}

void add_compare_reports(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "compare-reports",
                            "two reports side by side, as one HTML file: what differs");
  auto arguments = std::make_shared<PairArguments>();
  arguments->out = "compared.html";
  verb->add_option("A", arguments->first, "a folder that `nibble deploy` wrote")->required();
  verb->add_option("B", arguments->second, "another one")->required();
  verb->add_option("-o,--output", arguments->out, "the page (by default compared.html)")
      ->type_name("FILE.html");
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return make_pair_page(line, *arguments); };
  });
}

}  // namespace nibble
