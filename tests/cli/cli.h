// The program as a script calls it, in a scratch folder where `kws` is the shipped example.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/shared_data.h"
#include "support/shell.h"

namespace nibble {

using nlohmann::json;

class Cli : public testing::Test {
 protected:
  Cli() : folder_(scratch_folder()) {
    std::filesystem::create_symlink(source_path("examples/keyword_spotting"), folder_ / "kws");
  }
  ~Cli() override { std::filesystem::remove_all(folder_); }

  ShellResult shell(const std::string& script) {
    return run_shell(script, folder_, std::filesystem::path(NIBBLE_PROGRAM).parent_path());
  }
  json json_of(const std::string& command) {
    ShellResult result = shell(command);
    EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.err;
    json document = json::parse(result.out, nullptr, false);
    EXPECT_FALSE(document.is_discarded()) << command << "\n" << result.out;
    return document;
  }
  void quantize() {
    shell("nibble quantize kws/kws.onnx --calibration kws/calibration.npz -o q.nibble");
  }

  std::filesystem::path folder_;
};

inline void expect_keys(const json& document, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) EXPECT_TRUE(document.contains(key)) << key;
}

}  // namespace nibble
