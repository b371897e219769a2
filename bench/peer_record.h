// What the peer (TensorFlow Lite Micro with CMSIS-NN) executes on emulated Cortex-M, as it was
// recorded: builds of its library, each with one of the MLPerf Tiny int8 models.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"

namespace nibble {

// Below the shared folder.
inline constexpr const char* kPeerFile = "baseline/tflm_cmsis_nn.json";

struct PeerBuild {
  std::string core;     // as in targets/*.toml
  std::string kernels;  // "cmsis", or "ref": the peer's portable kernels
  std::string flags;    // "O3"
  std::string model;    // "kws"
  int64_t instructions = 0;
  // How often each of the most frequent mnemonics was executed, as a disassembler writes them;
  // empty: not recorded of this build.
  std::map<std::string, int64_t> mnemonics;
};

struct PeerRecord {
  // By core and model, each figure the least of all builds.
  nlohmann::json best;
  std::vector<PeerBuild> builds;
};

// `where` begins the errors: file and place in it.
inline Result<PeerBuild> parse_peer_build(const nlohmann::json& json, const std::string& where) {
  PeerBuild build;
  const std::pair<const char*, std::string*> texts[] = {{"core", &build.core},
                                                        {"kernels", &build.kernels},
                                                        {"flags", &build.flags},
                                                        {"model", &build.model}};
  for (const auto& [key, text] : texts) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string())
      return input_error(where + ": '" + key + "' is missing or no text");
    *text = found->get<std::string>();
  }
  const auto count = json.find("instructions_per_inference");
  if (count == json.end() || !count->is_number_integer())
    return input_error(where + ": 'instructions_per_inference' is missing or no whole number");
  build.instructions = count->get<int64_t>();
  if (!json.contains("opcodes")) return build;
  for (const auto& [mnemonic, executed] : json["opcodes"].items()) {
    if (!executed.is_number_integer())
      return input_error(where + ": 'opcodes' has no whole number for '" + mnemonic + "'");
    build.mnemonics[mnemonic] = executed.get<int64_t>();
  }
  return build;
}

// `name` stands for the file.
inline Result<PeerRecord> parse_peer_record(const std::string& text, const std::string& name) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return input_error(name + ": this is no JSON");
  if (!json.contains("best") || !json.contains("builds"))
    return input_error(name + ": 'best' or 'builds' is missing");
  PeerRecord record;
  record.best = json["best"];
  for (const nlohmann::json& build : json["builds"]) {
    const std::string where = name + ": builds[" + std::to_string(record.builds.size()) + "]";
    NIBBLE_ASSIGN(PeerBuild parsed, parse_peer_build(build, where));
    record.builds.push_back(std::move(parsed));
  }
  return record;
}

// `shared` is that folder.
inline Result<PeerRecord> read_peer_record(const std::filesystem::path& shared) {
  const std::filesystem::path path = shared / kPeerFile;
  NIBBLE_ASSIGN(const std::string text, read_text_file(path));
  return parse_peer_record(text, path.string());
}

}  // namespace nibble
