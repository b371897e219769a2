#include "pipeline/checkpoint.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string hash_of(const Graph& graph) {
  Fingerprint fingerprint;
  fingerprint.add(nibble_bytes(graph));
  return fingerprint.text();
}

Json learned_json(const std::vector<LearnedMethod>& learned) {
  Json methods = Json::array();
  for (const LearnedMethod& method : learned) {
    Json parts = Json::array();
    for (const LearnedPart& part : method.parts)
      parts.push_back({{"nodes", part.nodes}, {"before", part.before}, {"after", part.after}});
    methods.push_back({{"name", method.name}, {"parts", parts}});
  }
  return methods;
}

// The field's value if it has that type.
template <class T>
std::optional<T> field(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key)) return std::nullopt;
  const Json& value = json[key];
  const bool fits = std::is_same_v<T, std::string> ? value.is_string()
                    : std::is_integral_v<T>        ? value.is_number_integer()
                                                   : value.is_number();
  if (!fits) return std::nullopt;
  return value.get<T>();
}

const Json* array_of(const Json& json, const char* key) {
  const bool found = json.is_object() && json.contains(key) && json[key].is_array();
  return found ? &json[key] : nullptr;
}

// Nothing where the file says something else than learned_json writes.
std::optional<std::vector<LearnedMethod>> read_learned(const Json& json) {
  const Json* methods = array_of(json, "learned");
  if (!methods) return std::nullopt;
  std::vector<LearnedMethod> learned;
  for (const Json& method : *methods) {
    const auto name = field<std::string>(method, "name");
    const Json* parts = array_of(method, "parts");
    if (!name || !parts) return std::nullopt;
    learned.push_back({*name, {}});
    for (const Json& part : *parts) {
      const auto nodes = field<std::string>(part, "nodes");
      const auto before = field<double>(part, "before"), after = field<double>(part, "after");
      if (!nodes || !before || !after) return std::nullopt;
      learned.back().parts.push_back({*nodes, *before, *after});
    }
  }
  return learned;
}

// The deepest part of the path that is there.
fs::path existing_part(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (path.has_relative_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

Error cannot_be_made(const fs::path& folder, const std::string& why) {
  return input_error(
      fmt::format("--checkpoint {}: {}; name a folder that can be made", folder.string(), why));
}

fs::path state_file(const fs::path& folder) { return folder / "state.json"; }

}  // namespace

std::string Fingerprint::text() const { return fmt::format("{:016x}", hash_); }

Error Checkpoint::another_run() const {
  return input_error(state_file(folder_).string() +
                     " is of another run (another model, other data or options); remove the "
                     "folder or name another one with --checkpoint");
}

fs::path Checkpoint::graph_file() const {
  return folder_ / fmt::format("after_{}_{}.nibble", state_->methods, state_->blocks);
}

Result<Checkpoint> Checkpoint::open(const std::string& folder, const std::string& run) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  checkpoint.run_ = run;
  if (folder.empty()) return checkpoint;
  std::error_code ignored;
  const fs::path file = state_file(folder);
  if (fs::exists(folder, ignored) && !fs::is_directory(folder, ignored))
    return input_error(
        fmt::format("--checkpoint {}: that is a file; name a folder, which is made where there is "
                    "none",
                    folder));
  if (const fs::path part = existing_part(folder); !fs::is_directory(part, ignored))
    return cannot_be_made(folder, part.string() + " is a file");
  if (!fs::exists(file, ignored)) return checkpoint;
  NIBBLE_ASSIGN(std::string text, read_text_file(file));
  const Json json = Json::parse(text, nullptr, false);
  LearningState state;
  state.methods = field<int64_t>(json, "method").value_or(-1);
  state.blocks = field<int64_t>(json, "blocks").value_or(-1);
  const Error no_state = input_error(file.string() +
                                     " is no state of nibble's; remove the folder or name another "
                                     "one with --checkpoint");
  if (state.methods < 0 || state.blocks < 0) return no_state;
  checkpoint.state_ = std::move(state);
  if (field<std::string>(json, "fingerprint") != run) return checkpoint.another_run();
  const auto learned = read_learned(json);
  const auto start = field<std::string>(json, "start");
  if (!learned || !start) return no_state;
  checkpoint.state_->learned = *learned;
  checkpoint.kept_start_ = *start;
  NIBBLE_ASSIGN(checkpoint.state_->integer, read_nibble(checkpoint.graph_file()));
  if (field<std::string>(json, "graph") != hash_of(checkpoint.state_->integer))
    return input_error(checkpoint.graph_file().string() +
                       " is not what the run wrote; remove the folder or name another one with "
                       "--checkpoint");
  return checkpoint;
}

Status Checkpoint::begin(const std::string& start) {
  start_ = start;
  if (folder_.empty()) return {};
  if (state_) {
    if (kept_start_ != start) return another_run();
    return {};
  }
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) return cannot_be_made(folder_, failed.message());
  return {};
}

Status Checkpoint::save(LearningState state) {
  if (folder_.empty()) return {};
  const fs::path before = state_ ? graph_file() : fs::path();
  state_ = std::move(state);
  NIBBLE_TRY(write_nibble(state_->integer, graph_file()));
  const Json json = {{"fingerprint", run_},
                     {"start", start_},
                     {"method", state_->methods},
                     {"blocks", state_->blocks},
                     {"graph", hash_of(state_->integer)},
                     {"learned", learned_json(state_->learned)}};
  // Names of nodes come from model files and may be no valid UTF-8.
  NIBBLE_TRY(write_text_file(state_file(folder_),
                             json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n"));
  std::error_code ignored;
  if (!before.empty() && before != graph_file()) fs::remove(before, ignored);
  return {};
}

}  // namespace nibble
