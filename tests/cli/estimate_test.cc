// estimate and recommend as a script sees them. Runs on the shipped example.
#include "cli.h"
#include "support/tools.h"

namespace nibble {
namespace {

const std::vector<std::string> kPartKeys = {"name",
                                            "title",
                                            "vendor",
                                            "core",
                                            "clock_mhz",
                                            "of",
                                            "engine",
                                            "fits",
                                            "why_not",
                                            "reasons",
                                            "shortfalls",
                                            "notes",
                                            "flash_bytes",
                                            "flash_available_bytes",
                                            "ram_bytes",
                                            "ram_available_bytes",
                                            "code_is_measured",
                                            "layers_in_bands",
                                            "cycles",
                                            "latency_us",
                                            "energy_uj",
                                            "power_uw",
                                            "round_uj",
                                            "average_uw",
                                            "battery_days",
                                            "co2_g_per_million",
                                            "latency_error",
                                            "energy_error",
                                            "unseen",
                                            "provenance",
                                            "npu"};

void expect_range(const json& range) {
  expect_keys(range, {"value", "low80", "high80", "low95", "high95"});
  EXPECT_LT(range["low95"], range["low80"]);
  EXPECT_LT(range["low80"], range["value"]);
  EXPECT_LT(range["value"], range["high80"]);
  EXPECT_LT(range["high80"], range["high95"]);
}

TEST_F(Cli, AnEstimateOfOnePartHasTheFieldsThatScriptsUse) {
  quantize();
  const json document = json_of(
      "nibble estimate q.nibble --target stm32l4r5 --engine 'X-CUBE-AI 10.2' --rate 1/s "
      "--battery 220mAh@3V --phase acquire=20ms@1.5mW --json");
  expect_keys(document, {"model", "note", "error", "conditions", "order", "target", "targets",
                         "layers", "co2_g_per_kwh"});
  ASSERT_EQ(document["targets"].size(), 2u);
  for (const json& part : document["targets"]) {
    expect_keys(part, kPartKeys);
    for (const char* figure : {"latency_us", "energy_uj", "average_uw", "battery_days"})
      expect_range(part[figure]);
  }
  expect_keys(document["layers"][0], {"name", "op", "share", "cycles", "latency_us", "energy_uj"});
  EXPECT_THAT(document["conditions"].get<std::string>(),
              testing::AllOf(testing::HasSubstr("acquire"), testing::HasSubstr("220mAh@3V")));
}

// With --compile flash is what the compiler and linker make, up to the alignment of tables.
TEST_F(Cli, MemoryOfAnEstimateIsWhatRunMeasures) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc", "qemu-system-arm");
  quantize();
  const json estimate = json_of("nibble estimate q.nibble --target stm32l4r5 --compile --json");
  const json run =
      json_of("nibble run q.nibble --target stm32l4r5 --data kws/test.npz --samples 2 --json");
  const json& part = estimate["targets"][0];
  EXPECT_TRUE(part["code_is_measured"].get<bool>());
  EXPECT_EQ(part["flash_bytes"], run["flash_bytes"]["total"]);
  // With the caller's input and output, and a stack that is a bound.
  EXPECT_GE(part["ram_bytes"], run["ram_bytes"]["total"]);
  EXPECT_LE(part["ram_bytes"], run["ram_bytes"]["total"].get<int64_t>() + 1024 + 700);
}

TEST_F(Cli, AllPartsAreRankedAndWhatIsOutSaysWhy) {
  const json document =
      json_of("nibble estimate kws/kws.onnx --all --max-latency 5ms --sort energy --json");
  EXPECT_GE(document["targets"].size(), 84u);
  EXPECT_FALSE(document["note"].get<std::string>().empty());
  bool out = false;
  double before = 0;
  for (const json& part : document["targets"]) {
    expect_keys(part, kPartKeys);
    EXPECT_EQ(part["fits"].get<bool>(), part["why_not"].get<std::string>().empty());
    out |= !part["fits"].get<bool>();
    if (out || part["energy_uj"].is_null()) continue;
    EXPECT_LE(part["latency_us"]["value"], 5000);
    EXPECT_GE(part["energy_uj"]["value"], before);
    before = part["energy_uj"]["value"];
  }
  EXPECT_TRUE(out);
  const ShellResult text = shell("nibble estimate kws/kws.onnx --all --npu --top 3");
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, testing::HasSubstr("more (--top N shows them)"));
}

TEST_F(Cli, OneAcceleratorIsShownWithTheReasons) {
  quantize();
  const ShellResult text = shell("nibble estimate q.nibble --target max78000");
  EXPECT_EQ(text.exit_code, 0) << text.out << text.err;
  EXPECT_THAT(text.out, testing::HasSubstr("accelerator"));
  const json document = json_of("nibble estimate q.nibble --target max78000 --json");
  ASSERT_TRUE(document.contains("npu_layers"));
  expect_keys(document["npu_layers"][0], {"name", "op", "verdict", "cycles", "reasons"});
}

TEST_F(Cli, ARecommendationSaysWhatAndWhy) {
  const std::string command =
      "nibble recommend kws/kws.onnx --application speech --rate 1/s --battery 220mAh@3V "
      "--max-latency 200ms";
  const json document = json_of(command + " --json");
  expect_keys(document, {"model", "note", "conditions", "application", "first", "quantization",
                         "choices", "advice", "considered", "out", "error"});
  ASSERT_FALSE(document["choices"].empty());
  for (const json& choice : document["choices"]) {
    expect_keys(choice, {"role", "toolchain", "because", "how", "estimate"});
    EXPECT_LE(choice["estimate"]["latency_us"]["value"], 200000);
  }
  const ShellResult text = shell(command);
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, testing::HasSubstr("What counts"));
  EXPECT_THAT(text.out, testing::HasSubstr("1. "));
  EXPECT_THAT(text.out, testing::HasSubstr("   toolchain: "));
  EXPECT_THAT(text.out, testing::HasSubstr("Nearest miss"));
}

}  // namespace
}  // namespace nibble
