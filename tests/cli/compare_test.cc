// compare and quantize --auto as a script sees them. Runs on the shipped example.
#include "cli.h"

namespace nibble {
namespace {

const std::string kData = " kws/kws.onnx --calibration kws/calibration.npz --data kws/test.npz ";

TEST_F(Cli, ComparedRecipesHaveTheFieldsThatScriptsUse) {
  spill(folder_ / "mine.toml", R"([[recipe]]
name = "small"
scheme = "w4a8"
method = ["gptq"]
method-samples = 16
[[recipe]]
name = "plain"
[[recipe]]
name = "broken"
keep-float = ["nobody"]
[[recipe]]
name = "half"
weight-format = "fp16"
activation-format = "fp16"
)");
  const json document = json_of("nibble compare" + kData +
                                "--samples 60 --calibration-samples 20 --json --recipes mine.toml");
  expect_keys(document, {"model", "metric", "samples", "calibration_samples", "float", "recipes",
                         "recommended", "advice", "notes"});
  EXPECT_EQ(document["metric"], "accuracy");
  EXPECT_EQ(document["samples"], 60);
  EXPECT_EQ(document["calibration_samples"], 20);
  expect_keys(document["float"], {"value", "interval", "bytes"});
  ASSERT_EQ(document["recipes"].size(), 4u);
  const json& small = document["recipes"][0];
  expect_keys(small, {"name", "arguments", "layer_rules", "error", "integer", "bytes", "value",
                      "interval", "drop", "drop_interval", "quantize_seconds", "evaluate_seconds",
                      "size_class", "rank", "on_front"});
  EXPECT_EQ(small["name"], "small");
  EXPECT_EQ(small["arguments"], "--scheme w4a8 --method gptq --method-samples 16");
  EXPECT_TRUE(small["error"].is_null());
  EXPECT_EQ(document["recipes"][1]["name"], "plain");
  EXPECT_LT(small["bytes"], document["recipes"][1]["bytes"]);
  EXPECT_FALSE(document["recipes"][2]["integer"].get<bool>());
  EXPECT_THAT(document["recipes"][3]["error"].get<std::string>(), testing::HasSubstr("nobody"));
}

TEST_F(Cli, CalibratingOnWhatIsScoredIsNoted) {
  spill(folder_ / "mine.toml", "[[recipe]]\nname = \"plain\"\n");
  const std::string same =
      " kws/kws.onnx --calibration kws/test.npz --data ./kws/test.npz --recipes mine.toml --json ";
  const json compared = json_of("nibble compare" + same + "--samples 30 --calibration-samples 30");
  const json chosen = json_of("nibble quantize" + same + "--auto --samples 30 -o a.nibble");
  for (const json& document : {compared, chosen}) {
    ASSERT_EQ(document["notes"].size(), 1u);
    EXPECT_THAT(document["notes"][0].get<std::string>(),
                testing::HasSubstr("--calibration and --data are the same"));
  }
}

// With tables [[recipe.layer]] the options alone are not the recipe: a file has to hold those.
TEST_F(Cli, AutoTellsOfLayerRules) {
  spill(folder_ / "mine.toml",
        "[[recipe]]\nname = \"a\"\nscheme = \"w4a8\"\n[[recipe.layer]]\nops = [\"dense\"]\n"
        "weight-bits = 8\n[[recipe.layer]]\nops = [\"input\"]\nactivation-bits = 8\n");
  const std::string command = "nibble quantize" + kData +
                              "--samples 30 --auto --max-drop 90 --recipes mine.toml -o a.nibble";
  const ShellResult text = shell(command);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, testing::HasSubstr(
                            "the same as --scheme w4a8 --config FILE, where FILE has the recipe's "
                            "2 tables [[recipe.layer]] as [[layer]]"));
  EXPECT_EQ(json_of(command + " --json")["auto"]["tried"][0]["layer_rules"], 2);
}

// What a recipe's arguments say, quantize does: the same score.
TEST_F(Cli, ARecipeIsWhatItsArgumentsSay) {
  spill(folder_ / "mine.toml",
        "[[recipe]]\nname = \"a\"\nscheme = \"w3a8\"\nweight-range = \"mse\"\n"
        "method = [\"squant\"]\n");
  const json recipe =
      json_of("nibble compare" + kData + "--samples 100 --json --recipes mine.toml")["recipes"][0];
  const json score =
      json_of("nibble quantize kws/kws.onnx --calibration kws/calibration.npz -o q3.nibble " +
              recipe["arguments"].get<std::string>() +
              " >/dev/null && nibble evaluate q3.nibble --data kws/test.npz --samples 100 --json");
  EXPECT_EQ(score["value"], recipe["value"]);
}

TEST_F(Cli, AutoWritesTheCheapestRecipeThatIsGoodEnough) {
  const json document =
      json_of("nibble quantize" + kData + "--samples 60 --auto --max-drop 4.5 -o a.nibble --json");
  expect_keys(document, {"quantize", "layer_errors", "auto"});
  const json& chosen = document["auto"];
  expect_keys(chosen, {"recipe", "max_drop", "metric", "samples", "float", "tried"});
  EXPECT_EQ(chosen["samples"], 720);
  EXPECT_EQ(chosen["recipe"], chosen["tried"].back()["name"]);
  for (size_t i = 0; i < chosen["tried"].size(); ++i) {
    const bool is_last = i + 1 == chosen["tried"].size();
    EXPECT_EQ(chosen["tried"][i]["drop"].get<double>() <= 4.5, is_last);
    if (i > 0) {
      EXPECT_GE(chosen["tried"][i]["bytes"], chosen["tried"][i - 1]["bytes"]);
    }
  }
  const json score = json_of("nibble evaluate a.nibble --data kws/test.npz --json");
  EXPECT_EQ(score["value"], chosen["tried"].back()["value"]);
}

}  // namespace
}  // namespace nibble
