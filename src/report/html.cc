// A report as one HTML file: report.json is read again, and put into the page that
// src/report/page makes.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "report/report.h"

namespace nibble {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::string_view kFormatName = "nibble report ", kFormat = "nibble report 1";
constexpr std::string_view kPairFormat = "nibble reports 1";
constexpr std::string_view kMark = "@NIBBLE_REPORT@";
constexpr const char* kPageFile = "report_page.html";
constexpr const char* kHowToMake =
    "`nibble deploy MODEL --calibration C --data D --target T -o DIR` makes one";
// Far more than a document of nibble's has; what is deeper would overflow the stack when written.
constexpr int kMostDepth = 64;

// Whatever a file holds; `advice` says where a right one comes from.
Result<Json> read_json(const fs::path& path, const std::string& advice) {
  NIBBLE_ASSIGN(std::string text, read_text_file(path));
  bool too_deep = false;
  auto look = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMostDepth;
    return !too_deep;
  };
  try {
    Json json = Json::parse(text, look);
    if (!too_deep) return json;
  } catch (const Json::parse_error& error) {
    return input_error(
        fmt::format("'{}' is no JSON (wrong at byte {} of {}: cut off, or edited?); {}",
                    path.string(), std::min(error.byte, text.size()), text.size(), advice));
  } catch (const Json::exception&) {
    return input_error(fmt::format("'{}' holds a number larger than any that nibble writes; {}",
                                   path.string(), advice));
  }
  return input_error(
      fmt::format("'{}' has lists within lists more than {} deep, as no document of "
                  "nibble has; {}",
                  path.string(), kMostDepth, advice));
}

std::string text_field(const Json& json, const char* key) {
  if (!json.is_object()) return "";
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool is_list_of_named(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_array() && std::ranges::all_of(*at, [](const Json& item) {
           return item.is_object() && item.contains("name") && item["name"].is_string();
         });
}

// Beside an installed program, or beside a built one.
Result<fs::path> page_path() {
  std::error_code unknown, absent;
  const fs::path folder = fs::read_symlink("/proc/self/exe", unknown).parent_path();
  for (const fs::path& place :
       {folder.parent_path() / "share" / "nibble" / kPageFile, folder / kPageFile})
    if (fs::is_regular_file(place, absent)) return place;
  return input_error(fmt::format(
      "the page of reports ({}) did not come with this nibble: it is made with npm, which was "
      "missing or could not reach its registry when nibble was built. Install it (Debian: nodejs, "
      "npm) and build nibble again with `make build`; report.json holds all that the page shows",
      (folder / kPageFile).string()));
}

}  // namespace

Result<Json> read_report(const fs::path& dir) {
  std::error_code error;
  if (!fs::exists(dir, error))
    return input_error(
        fmt::format("there is no folder '{}'; name one that `nibble deploy` wrote", dir.string()));
  if (!fs::is_directory(dir, error))
    return input_error(
        fmt::format("'{}' is a file; name the folder that holds {}", dir.string(), kReportFile));
  const fs::path path = dir / kReportFile;
  if (!fs::exists(path, error))
    return input_error(fmt::format("'{}' holds no {}; {}", dir.string(), kReportFile, kHowToMake));
  NIBBLE_ASSIGN(Json report, read_json(path, kHowToMake));
  const std::string format = text_field(report, "format");
  if (format == kFormat) return report;
  if (format.starts_with(kFormatName))
    return input_error(fmt::format(
        "'{}' is a '{}', and this nibble reads '{}'; read it with the nibble that wrote "
        "it, or deploy the model again",
        path.string(), format, kFormat));
  return input_error(
      fmt::format("'{}' is no report of nibble (its field \"format\" is not \"{}\"); {}",
                  path.string(), kFormat, kHowToMake));
}

Result<Json> read_comparison(const fs::path& file) {
  constexpr const char* kAdvice =
      "make one: `nibble compare MODEL --calibration C --data D --json >FILE.json`";
  NIBBLE_ASSIGN(Json comparison, read_json(file, kAdvice));
  auto is_not = [&](const std::string& why) {
    return input_error(fmt::format("'{}' is not what `nibble compare --json` prints ({}); {}",
                                   file.string(), why, kAdvice));
  };
  if (!comparison.is_object()) return is_not("no object");
  if (text_field(comparison, "metric").empty()) return is_not("no text \"metric\"");
  if (!comparison.contains("float") || !comparison["float"].is_object())
    return is_not("no object \"float\"");
  if (!is_list_of_named(comparison, "recipes")) return is_not("no list \"recipes\" with names");
  return comparison;
}

Json pair_reports(const std::array<std::string, 2>& names, const std::array<Json, 2>& reports) {
  return {{"format", kPairFormat}, {"names", names}, {"reports", reports}};
}

Result<std::string> fill_page(std::string page, const Json& document, const std::string& name) {
  const size_t at = page.find(kMark);
  if (at == std::string::npos || page.find(kMark, at + 1) != std::string::npos)
    return input_error(
        fmt::format("'{}' is no page for reports (it must hold {} once); build or "
                    "install nibble again",
                    name, kMark));
  // Names come from model files: they may be no valid UTF-8, and end the element that holds them.
  const std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (char c : text) c == '<' ? safe += "\\u003c" : safe += c;
  return page.replace(at, kMark.size(), safe);
}

Result<std::string> report_page(const Json& document) {
  NIBBLE_ASSIGN(fs::path path, page_path());
  NIBBLE_ASSIGN(std::string page, read_text_file(path));
  return fill_page(std::move(page), document, path.string());
}

}  // namespace nibble
