// Settings by name, schemes, and tables [[layer]].
#include "quantize/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/shell.h"

namespace nibble {
namespace {

using testing::HasSubstr;

TEST(Settings, ByName) {
  LayerSettings settings;
  ASSERT_TRUE(apply_setting(settings, "weight-bits", "4").ok());
  ASSERT_TRUE(apply_setting(settings, "granularity", "group:32").ok());
  ASSERT_TRUE(apply_setting(settings, "calibrator", "laplace").ok());
  EXPECT_EQ(settings.weights.bits, 4);
  EXPECT_EQ(settings.weights.granularity, Granularity::kGroup);
  EXPECT_EQ(settings.weights.group, 32);
  EXPECT_EQ(settings.activations.calibrator, Calibrator::kLaplace);
}

TEST(Settings, WhatIsWrongIsNamedAndChangesNothing) {
  LayerSettings settings;
  for (const auto& [name, value] : {std::pair("weight-bits", "1"),
                                    {"weight-bits", "17"},
                                    {"weight-bits", "4x"},
                                    {"granularity", "group:1"},
                                    {"granularity", "group:"},
                                    {"percentile", "nan"},
                                    {"weight-grid", "skewed"}}) {
    Status status = apply_setting(settings, name, value);
    ASSERT_FALSE(status.ok()) << name << " " << value;
    EXPECT_THAT(status.error().message, HasSubstr(std::string("'") + value + "': known: "));
  }
  EXPECT_EQ(settings, LayerSettings());
  EXPECT_THAT(apply_setting(settings, "wieght-bits", "4").error().message,
              HasSubstr("did you mean 'weight-bits'?"));
}

TEST(Settings, Schemes) {
  LayerSettings settings;
  ASSERT_TRUE(apply_scheme(settings, "w4a8").ok());
  EXPECT_EQ(settings.weights.bits, 4);
  EXPECT_EQ(settings.activations.bits, 8);
  ASSERT_TRUE(apply_scheme(settings, "16x8").ok());
  EXPECT_EQ(settings.weights.bits, 8);
  EXPECT_EQ(settings.activations.bits, 16);
  for (const char* wrong : {"w4", "a8", "w1a8", "w4a17", "int4", ""})
    EXPECT_THAT(apply_scheme(settings, wrong).error().message, HasSubstr("int8")) << wrong;
}

TEST(LayerRules, ReadAndApplied) {
  const std::filesystem::path folder = scratch_folder();
  spill(folder / "mine.toml", R"(scheme = "w4a8"
[[layer]]
nodes = ["block1/*", "first"]
weight-bits = 8
[[layer]]
ops = ["dense"]
scheme = "w3a8"
granularity = "tensor"
keep-float = true
)");
  Result<std::vector<LayerRule>> rules = read_layer_rules(folder / "mine.toml");
  ASSERT_TRUE(rules.ok()) << rules.error().message;
  ASSERT_EQ(rules->size(), 2u);
  EXPECT_TRUE((*rules)[1].keep_float);
  LayerSettings all;
  ASSERT_TRUE(apply_scheme(all, "w4a8").ok());
  EXPECT_EQ(settings_of(all, *rules, "block1/conv", "conv2d").weights.bits, 8);
  EXPECT_EQ(settings_of(all, *rules, "first", "conv2d").weights.bits, 8);
  EXPECT_EQ(settings_of(all, *rules, "block2/conv", "conv2d").weights.bits, 4);
  EXPECT_EQ(settings_of(all, *rules, "block1/fc", "dense").weights.bits, 3);  // the later one wins
  std::filesystem::remove_all(folder);
}

// A table of TOML has no order: a scheme is what the table's other settings differ from.
TEST(LayerRules, SettingsHoldOverTheSchemeOfTheirTable) {
  const std::filesystem::path folder = scratch_folder();
  spill(folder / "mine.toml",
        "[[layer]]\nops = [\"dense\"]\nactivation-bits = 16\nscheme = \"w4a8\"\n");
  Result<std::vector<LayerRule>> rules = read_layer_rules(folder / "mine.toml");
  ASSERT_TRUE(rules.ok()) << rules.error().message;
  const LayerSettings settings = settings_of({}, *rules, "fc", "dense");
  EXPECT_EQ(settings.weights.bits, 4);
  EXPECT_EQ(settings.activations.bits, 16);
  std::filesystem::remove_all(folder);
}

TEST(LayerRules, FaultsHaveFileAndLine) {
  const std::filesystem::path folder = scratch_folder();
  auto message = [&](const std::string& text) {
    spill(folder / "mine.toml", text);
    return read_layer_rules(folder / "mine.toml").error().message;
  };
  EXPECT_THAT(message("[[layer]]\nnodes = [\"a\"]\nweight-bits = 40\n"),
              HasSubstr("mine.toml:3: weight-bits '40': known: 2 to 16"));
  EXPECT_THAT(message("[[layer]]\nnodes = [\"a\"]\nbits = 4\n"),
              HasSubstr("mine.toml:3: unknown setting 'bits'"));
  EXPECT_THAT(message("[[layer]]\nweight-bits = 4\n"), HasSubstr("names no layers"));
  EXPECT_THAT(message("[[layer]]\nnodes = \"a\"\n"), HasSubstr("must be a list of names"));
  EXPECT_THAT(message("layer = 3\n"), HasSubstr("list of tables"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace nibble
