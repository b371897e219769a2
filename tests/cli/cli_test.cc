// The verbs as a script sees them: field names that stay, stages that can be stopped at and
// resumed, folders that are deployed into twice. Runs on the shipped example.
#include "cli.h"

namespace nibble {
namespace {

TEST_F(Cli, QuantizeAndConvertWriteOnnx) {
  const ShellResult quantized =
      shell("nibble quantize kws/kws.onnx --calibration kws/calibration.npz -o q.onnx");
  ASSERT_EQ(quantized.exit_code, 0) << quantized.err;
  quantize();
  ASSERT_EQ(shell("nibble convert q.nibble -o converted.onnx").exit_code, 0);
  for (const char* model : {"q.onnx", "converted.onnx"}) {
    const json score =
        json_of("nibble evaluate " + std::string(model) + " --data kws/test.npz --json");
    EXPECT_EQ(score["arithmetic"], "int8") << model;
    EXPECT_NEAR(score["value"].get<double>(), 0.92, 0.01) << model;
  }
  EXPECT_EQ(slurp(folder_ / "q.onnx"), slurp(folder_ / "converted.onnx"));
}

TEST_F(Cli, JsonOfTheVerbsOnTheHost) {
  expect_keys(json_of("nibble inspect kws/kws.onnx --json"),
              {"model", "inputs", "outputs", "parameters", "macs", "operators", "nodes",
               "zero_channels", "dead_channels", "live_parameters", "live_macs"});
  const json quantized =
      json_of("nibble quantize kws/kws.onnx --calibration kws/calibration.npz -o q.nibble --json");
  expect_keys(quantized, {"quantize", "layer_errors"});
  expect_keys(quantized["quantize"], {"calibrator", "samples", "seconds", "learned", "ranges"});
  expect_keys(quantized["quantize"]["seconds"], {"calibration"});
  EXPECT_TRUE(quantized["quantize"]["learned"].empty());
  json score = json_of("nibble evaluate q.nibble --data kws/test.npz --samples 60 --json");
  EXPECT_EQ(score["metric"], "accuracy");
  EXPECT_EQ(score["samples"], 60);
  EXPECT_EQ(score["arithmetic"], "int8");
  EXPECT_GT(score["value"].get<double>(), 0.8);
  expect_keys(json_of("nibble compile q.nibble --target stm32l4r5 -o lib --json"),
              {"name", "target", "arena_bytes", "weight_bytes", "files"});
  EXPECT_GE(json_of("nibble targets --json").size(), 10u);
  EXPECT_EQ(json_of("nibble targets nrf52840 --json")["core"], "cortex-m4");
  EXPECT_EQ(json_of("nibble convert kws/kws.onnx -o k.txt --json")["output"], "k.txt");
}

TEST_F(Cli, RunOnTheCoreHasTheFieldsThatScriptsUseOnTarget) {
  quantize();
  json run = json_of(
      "nibble run q.nibble --target mps2-an386 --data kws/test.npz --samples 2 --outputs y.npz "
      "--json");
  expect_keys(run, {"target", "core", "machine", "samples", "metric", "value", "matches_host",
                    "instructions_per_inference", "macs", "mix", "predicted", "flash_bytes",
                    "ram_bytes", "layers"});
  EXPECT_TRUE(run["matches_host"].get<bool>());
  EXPECT_EQ(run["macs"], 2656768);
  expect_keys(run["flash_bytes"], {"code", "weights", "total"});
  expect_keys(run["ram_bytes"], {"arena", "stack", "static", "total"});
  expect_keys(run["layers"][0], {"name", "op", "kernel", "macs", "instructions", "mix", "cycles",
                                 "latency_ms", "energy_uj"});
  EXPECT_TRUE(std::filesystem::exists(folder_ / "y.npz"));
}

// What layers are predicted to take is, together, what the whole is, but for the few instructions
// between them; and both predictions are of the same program.
TEST_F(Cli, RunPredictsCyclesFromTheMixOnTarget) {
  quantize();
  json run =
      json_of("nibble run q.nibble --target stm32l4r5 --data kws/test.npz --samples 1 --json");
  json by_mix = run["predicted"]["by_mix"], by_rules = run["predicted"]["by_rules"];
  expect_keys(by_mix, {"cycles", "wait_cycles", "latency_ms", "energy_uj"});
  expect_keys(by_rules, {"rule_cycles", "cycles", "latency_ms", "energy_uj"});
  const double cycles = by_mix["cycles"];
  EXPECT_NEAR(by_mix["latency_ms"].get<double>(), cycles / 120e3, 1e-9);
  double layers = 0, loads = 0;
  for (const json& layer : run["layers"]) {
    layers += layer["cycles"].get<double>();
    loads += layer["mix"].value("load", 0.0);
  }
  EXPECT_NEAR(layers / cycles, 1, 0.001);
  EXPECT_NEAR(loads / run["mix"]["load"].get<double>(), 1, 0.001);
  EXPECT_GT(cycles, run["instructions_per_inference"].get<double>());
  EXPECT_NEAR(cycles / by_rules["rule_cycles"].get<double>(), 1.1, 0.2);
  EXPECT_LT(by_rules["latency_ms"]["low80"], by_rules["latency_ms"]["value"]);
}

TEST_F(Cli, StopsAfterEveryStageAndResumes) {
  for (const char* stage : {"formats", "passes", "quantize", "lower", "plan", "emit"}) {
    std::string command =
        std::string(
            "nibble deploy kws/kws.onnx --calibration kws/calibration.npz --target mps2-an386"
            " --name kws --stop-after ") +
        stage + " -o " + stage;
    EXPECT_EQ(json_of(command + " --json")["stage"], stage);
    EXPECT_FALSE(shell(command).out.empty()) << stage;
  }
  ShellResult resumed = shell(
      "nibble compile lower/lower.program --plan plan/plan.json --target mps2-an386 --name kws -o "
      "again &&"
      " diff again/kws.c emit/kws.c && diff again/kws_weights.h emit/kws_weights.h &&"
      " nibble compile quantize/quantize.nibble --target mps2-an386 --name kws -o third &&"
      " diff third/kws.c emit/kws.c");
  EXPECT_EQ(resumed.exit_code, 0) << resumed.out << resumed.err;
}

TEST_F(Cli, AFolderIsDeployedIntoTwiceAndSurvivesAFailureOnTarget) {
  const std::string deploy =
      "nibble deploy kws/kws.onnx --calibration kws/calibration.npz --target mps2-an386 --samples "
      "1 -o out";
  ASSERT_EQ(shell(deploy + " --data kws/test.npz").exit_code, 0);
  EXPECT_EQ(shell(deploy + " --data kws/test.npz").exit_code, 0);
  EXPECT_EQ(shell(deploy + " --data nowhere.npz").exit_code, 1);
  json report = json::parse(slurp(folder_ / "out/report.json"));
  EXPECT_EQ(report["scores"].size(), 3u);
  EXPECT_THAT(slurp(folder_ / "out/README.md"), testing::HasSubstr("Accuracy"));
}

TEST_F(Cli, EditedCIsRunAsItStandsAndComparedOnTarget) {
  quantize();
  ShellResult result = shell(
      "nibble compile q.nibble --target mps2-an386 --name m -o lib &&"
      " sed -i 's/^  m_run(.*/&\\n  m_output_in(arena)[0] = 1;/' lib/m.c && grep -q ' = 1;' "
      "lib/m.c &&"
      " nibble run lib --target mps2-an386 --data kws/test.npz --samples 1");
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_THAT(result.err, testing::HasSubstr("differ from the host's"));
}

TEST_F(Cli, DataOfAnotherRangeAreNoted) {
  quantize();
  ShellResult result =
      shell("nibble evaluate q.nibble --data kws/test.npz --samples 20 --json --input-scale 100");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, testing::HasSubstr("nibble evaluate: note: kws/test.npz: "));
  EXPECT_THAT(json::parse(result.out)["notes"][0], testing::HasSubstr("--input-scale"));
  json fine = json_of("nibble evaluate q.nibble --data kws/test.npz --samples 20 --json");
  EXPECT_TRUE(fine["notes"].is_array() && fine["notes"].empty());
}

TEST_F(Cli, NodesKeptInFloatAreEvaluated) {
  for (const char* node : {"logits", "block1/pointwise/conv"}) {
    ShellResult result = shell(
        std::string(
            "nibble quantize kws/kws.onnx --calibration kws/calibration.npz --keep-float ") +
        node + " -o k.nibble && nibble evaluate k.nibble --data kws/test.npz --samples 20 --json");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, testing::HasSubstr("int8 and float32"));
  }
}

// pool is a mean, which fold_qdq could make an integer operator of.
TEST_F(Cli, NodesKeptInFloatStaySoWhenTheFileIsRead) {
  ShellResult result = shell(
      "nibble quantize kws/kws.onnx --calibration kws/calibration.npz --keep-float "
      "pool,logits,probabilities -o k2.nibble && nibble convert k2.nibble --simplify -o k2.txt && "
      "grep keep_float k2.txt");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* node : {"f32[1,1,1,64] = mean(", "f32[1,12] = dense(", "f32[1,12] = softmax("})
    EXPECT_THAT(result.out, testing::HasSubstr(node));
  // Integers → pool → integers for the reshape → logits → probabilities → integers.
  result = shell("grep -c -e ' = quantize(' -e ' = dequantize(' k2.txt");
  EXPECT_EQ(result.out, "4\n");
}

}  // namespace
}  // namespace nibble
