// What --config makes of a file: words behind the verb, and errors that name file and line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Config : public testing::Test {
 protected:
  Config() : folder_(TempDir::create().value()), app_("test") {
    add_quantize(app_, line_);
    add_convert(app_, line_);
  }
  std::string file(const std::string& text) {
    std::string path = (folder_.path() / "mine.toml").string();
    EXPECT_TRUE(write_text_file(path, text).ok());
    return path;
  }
  Result<std::vector<std::string>> words(std::vector<std::string> typed) {
    return with_config(app_, std::move(typed));
  }
  std::string error(const std::string& text) {
    auto result = words({"quantize", "m.onnx", "--config", file(text)});
    return result.ok() ? "no error" : result.error().message;
  }

  TempDir folder_;
  CLI::App app_;
  CommandLine line_;
};

TEST_F(Config, LinesBecomeWordsBehindTheVerb) {
  std::string path = file(
      "calibrator = \"percentile\"\npercentile = 99.5\nsamples = 12\nquiet = true\njson = false\n"
      "keep-float = [\"a\", \"b/c\"]\n");
  auto result = words({"quantize", "m.onnx", "--config", path});
  ASSERT_TRUE(result.ok()) << result.error().message;
  // A table of TOML is in the order of its keys.
  EXPECT_THAT(*result, ElementsAre("quantize", "--calibrator=percentile", "--keep-float=a",
                                   "--keep-float=b/c", "--percentile=99.5", "--quiet",
                                   "--samples=12", "m.onnx", "--config", path));
}

TEST_F(Config, WhatIsTypedWins) {
  std::string path = file("samples = 12\noutput = \"x.nibble\"\ncalibrator = \"mse\"\n");
  auto result = words({"quantize", "--config=" + path, "m", "--samples", "3", "-o", "y.nibble"});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_THAT(*result, ElementsAre("quantize", "--calibrator=mse", "--config=" + path, "m",
                                   "--samples", "3", "-o", "y.nibble"));
}

TEST_F(Config, ATypedCalibratorDropsWhatOnlyAnotherReads) {
  std::string path = file("calibrator = \"percentile\"\npercentile = 99.5\nmomentum = 0.5\n");
  auto result = words({"quantize", "m", "--config", path, "--calibrator", "mse"});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_THAT(*result, ElementsAre("quantize", "m", "--config", path, "--calibrator", "mse"));
  result = words({"quantize", "m", "--config", path, "--calibrator=percentile"});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_THAT(*result, ElementsAre("quantize", "--percentile=99.5", "m", "--config", path,
                                   "--calibrator=percentile"));
}

TEST_F(Config, AFolderCalledLikeAVerbIsNoVerb) {
  app_.add_option("--folder");
  std::string path = file("samples = 12\n");
  for (const char* folder : {"convert", "quantize"}) {
    auto result = words({"--folder", folder, "quantize", "m", "--config", path});
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_THAT(*result,
                ElementsAre("--folder", folder, "quantize", "--samples=12", "m", "--config", path));
  }
}

TEST_F(Config, TheParserTakesTheWords) {
  std::string path = file("calibration = \"c.npz\"\noutput = \"y.nibble\"\ninput-mean = -128\n");
  auto result = words({"quantize", "m.onnx", "--config", path});
  ASSERT_TRUE(result.ok());
  std::ranges::reverse(*result);
  EXPECT_NO_THROW(app_.parse(*result));
  EXPECT_EQ(line_.config, path);
  EXPECT_TRUE(line_.action);
}

TEST_F(Config, WithoutItNothingChanges) {
  EXPECT_THAT(*words({"convert", "m.onnx", "-o", "x.nibble"}),
              ElementsAre("convert", "m.onnx", "-o", "x.nibble"));
  EXPECT_THAT(*words({"--help"}), ElementsAre("--help"));
}

TEST_F(Config, ErrorsNameFileAndLine) {
  EXPECT_THAT(error("samples = 1\nsampels = 2\n"),
              HasSubstr("mine.toml:2: sampels is no option of `nibble quantize`; did you mean"));
  EXPECT_THAT(error("simplify = true\n"), HasSubstr("mine.toml:1: simplify is no option"));
  EXPECT_THAT(error("config = \"other.toml\"\n"), HasSubstr("config is no option"));
  EXPECT_THAT(error("help = true\n"), HasSubstr("help is no option"));
  EXPECT_THAT(error("json = 1\n"), HasSubstr("mine.toml:1: json is a flag: true or false"));
  EXPECT_THAT(error("samples = [1, 2]\n"), HasSubstr("samples takes one value, not a list"));
  EXPECT_THAT(error("samples = {a = 1}\n"), HasSubstr("samples must be a number or a text"));
  EXPECT_THAT(error("keep-float = [\"\"]\n"), HasSubstr("keep-float must be a number or a text"));
  EXPECT_THAT(error("samples = \n"), HasSubstr("mine.toml:1: not valid TOML"));
}

}  // namespace
}  // namespace nibble
