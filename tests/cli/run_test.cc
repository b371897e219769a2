// `run` and `deploy` where things go wrong: a core that computes something else, a folder that is
// no whole library, options that have no effect.
#include "cli.h"

namespace nibble {
namespace {

using testing::HasSubstr;
using testing::Not;

// A C compiler that changes the weights of block2/pointwise before it compiles them (the stream of
// its function but for the counts at the begin): the core really computes something else than the
// host.
constexpr const char* kBrokenCompiler = R"(
mkdir broken
cat >broken/arm-none-eabi-gcc <<'END'
#!/bin/bash
for file in *_weights.h; do
  [ -f "$file" ] && sed -i '/block2_pointwise_conv_stream/,/};/{/stream/{n;b};s/^ *[0-9]*u/13u/}' "$file"
done
PATH=${PATH#*:} exec arm-none-eabi-gcc "$@"
END
chmod +x broken/arm-none-eabi-gcc
export PATH="$PWD/broken:$PATH"
)";

class Run : public Cli {
 protected:
  void compile() {
    quantize();
    ASSERT_EQ(shell("nibble compile q.nibble --target stm32l4r5 --name m -o lib").exit_code, 0);
  }
  std::string error_of_run(const std::string& change, const std::string& options = "") {
    ShellResult result =
        shell("rm -rf copy && cp -r lib copy && cd copy && " + change +
              " && cd .. && nibble run copy --data kws/test.npz --samples 1 " + options);
    EXPECT_NE(result.exit_code, 0) << change;
    return result.err;
  }
};

TEST_F(Run, TheFirstLayerThatDiffersIsNamedByRunAndDeployOnTarget) {
  compile();
  ShellResult run =
      shell(std::string(kBrokenCompiler) + "nibble run lib --data kws/test.npz --samples 3 --json");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("the first layer of it that differs is 'block2/pointwise/conv' "
                                 "(conv2d, nibble_conv2d_s8_"));
  json difference = json::parse(run.out)["first_difference"];
  EXPECT_EQ(difference["layer"], "block2/pointwise/conv");
  EXPECT_EQ(difference["op"], "conv2d");
  EXPECT_EQ(difference["bytes"], 25 * 5 * 64);
  EXPECT_GT(difference["differing_bytes"], 0);
  EXPECT_EQ(difference["output"], "probabilities");

  ShellResult deployed = shell(
      "export PATH=\"$PWD/broken:$PATH\"\nnibble deploy q.nibble --target mps2-an386 --data "
      "kws/test.npz --samples 3 -o out");
  EXPECT_EQ(deployed.exit_code, 1);
  EXPECT_THAT(deployed.err, HasSubstr("that differs is 'block2/pointwise/conv'"));
  EXPECT_THAT(deployed.out, HasSubstr("DIFFER from the host's, first at sample"));
  json report = json::parse(slurp(folder_ / "out/report.json"));
  EXPECT_FALSE(report["run"]["matches_host"].get<bool>());
  EXPECT_EQ(report["run"]["first_difference"]["layer"], "block2/pointwise/conv");
}

TEST_F(Run, ALibraryNeedsNoTargetAndOnlyItsSourcesOnTarget) {
  compile();
  json run = json_of(
      "rm lib/README.md lib/CMakeLists.txt && rm -r lib/example &&"
      " nibble run lib --data kws/test.npz --samples 1 --json");
  EXPECT_EQ(run["target"], "stm32l4r5");
  EXPECT_TRUE(run["matches_host"].get<bool>());
  EXPECT_TRUE(run["first_difference"].is_null());
  run = json_of("nibble run lib --target rp2040 --data kws/test.npz --samples 1 --json");
  EXPECT_EQ(run["target"], "rp2040");
  // Its functions are still those that it was written with.
  for (const json& layer : run["layers"])
    EXPECT_THAT(slurp(folder_ / "lib/m_kernels.h"), HasSubstr(layer["kernel"].get<std::string>()));
  // Without its record, the one library in the folder is it; the target must be said.
  EXPECT_THAT(error_of_run("rm library.json"), HasSubstr("'copy' does not say which target it was "
                                                         "compiled for"));
  run = json_of("nibble run copy --target nrf52840 --data kws/test.npz --samples 1 --json");
  EXPECT_TRUE(run["matches_host"].get<bool>());
}

TEST_F(Run, WeightsAreCopiedToRamWhereFlashIsSlowOnTarget) {
  quantize();
  auto run = [&](const std::string& options) {
    return json_of("nibble run q.nibble --data kws/test.npz --samples 2 --json --target " +
                   options);
  };
  const json none = run("rp2040"), some = run("rp2040 --copy-weights 8KB"),
             all = run("rp2040 --optimize speed"), fast = run("riscv32-virt --optimize speed");
  auto copies = [](const json& result) { return result["ram_bytes"]["static"].get<int64_t>(); };
  EXPECT_LT(copies(none), 16);
  EXPECT_GT(copies(some), 4'000);
  EXPECT_LE(copies(some), 8'192 + 16);
  EXPECT_GT(copies(all), 25'000);
  EXPECT_LT(copies(fast), 16);
  for (const json& result : {none, some, all}) {
    EXPECT_TRUE(result["matches_host"].get<bool>());
    EXPECT_GT(result["flash_bytes"]["weights"].get<int64_t>(), 25'000);
  }
  EXPECT_EQ(some["flash_bytes"]["weights"], none["flash_bytes"]["weights"]);
  EXPECT_EQ(some["instructions_per_inference"], none["instructions_per_inference"]);

  const json compiled =
      json_of("nibble compile q.nibble --target rp2040 --copy-weights 8KB --name m -o lib --json");
  EXPECT_GT(compiled["copied_bytes"].get<int64_t>(), 4'000);
  EXPECT_THAT(slurp(folder_ / "lib/README.md"), HasSubstr("RAM: copies of weights"));
  EXPECT_EQ(copies(json_of("nibble run lib --data kws/test.npz --samples 1 --json")), copies(some));
}

TEST_F(Run, ALibraryRunsAtTheLevelItWasCompiledWithOnTarget) {
  quantize();
  json compiled = json_of(
      "nibble compile q.nibble --target stm32l4r5 --compiler-level -Os --name m -o lib --json");
  std::map<std::string, json> code;
  for (const char* level : {"", "--compiler-level -Os", "--compiler-level -O2"})
    code[level] = json_of(std::string("nibble run lib --data kws/test.npz --samples 1 --json ") +
                          level)["flash_bytes"]["code"];
  EXPECT_EQ(code[""], code["--compiler-level -Os"]);
  EXPECT_NE(code[""], code["--compiler-level -O2"]);
  EXPECT_THAT(error_of_run("sed -i s/-Os/-march=native/ library.json"),
              HasSubstr("compiler_level is '-march=native'; known: -O1 -O2 -O3 -Os"));

  // What compile lists, what stands in the folder and what its README explains is the same.
  for (const json& file : compiled["files"]) {
    std::string path = file.get<std::string>();
    EXPECT_TRUE(std::filesystem::exists(folder_ / "lib" / path)) << path;
    if (path != "README.md") {
      EXPECT_THAT(slurp(folder_ / "lib/README.md"), HasSubstr("| `" + path + "` | "));
    }
  }
  int64_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "lib"))
    found += entry.is_regular_file() && !entry.path().filename().string().starts_with(".");
  EXPECT_EQ(static_cast<size_t>(found), compiled["files"].size());
}

TEST_F(Run, FoldersThatAreNoWholeLibrarySayWhatIsMissing) {
  compile();
  EXPECT_THAT(error_of_run("rm m_kernels.h"),
              HasSubstr("'copy/m_kernels.h' is missing: the library "
                        "in 'copy' is not whole"));
  EXPECT_THAT(error_of_run("rm library.json && cp m_weights.h n_weights.h", "--target stm32l4r5"),
              HasSubstr("'copy' holds several libraries (m, n)"));
  EXPECT_THAT(error_of_run("rm library.json m_weights.h", "--target stm32l4r5"),
              HasSubstr("'copy' holds a model.nibble, but no library"));
  EXPECT_THAT(error_of_run("rm model.nibble"), HasSubstr("no model.nibble to compare it with"));
  EXPECT_THAT(error_of_run("rm model.nibble library.json"),
              HasSubstr("'copy' holds no model.nibble: it is no library"));
  EXPECT_THAT(error_of_run("echo '{}' >library.json"),
              HasSubstr("'copy/library.json' does not say what library this is"));
  EXPECT_THAT(error_of_run("sed -i 's/\"m\"/\"..\\/m\"/' library.json"),
              HasSubstr("does not say what library this is"));
  EXPECT_THAT(error_of_run("sed -i s/stm32l4r5/stm32l4r6/ library.json"),
              HasSubstr("did you mean 'stm32l4r5'"));
  EXPECT_THAT(error_of_run("head -c 100 model.nibble >t && mv t model.nibble"),
              HasSubstr("copy/model.nibble"));
  ShellResult model = shell("nibble run q.nibble --data kws/test.npz");
  EXPECT_EQ(model.exit_code, 2);
  EXPECT_THAT(model.err, HasSubstr("--target T is needed"));
}

TEST_F(Run, OptionsForQuantizingAQuantizedModelAreNotPassedOverOnTarget) {
  quantize();
  const std::string deploy =
      "nibble deploy q.nibble --target mps2-an386 --data kws/test.npz --samples 1 ";
  const std::string out = "-o out ";
  ShellResult noted = shell(
      deploy + out + "--calibration kws/calibration.npz --calibrator entropy --scheme int8 --json");
  EXPECT_EQ(noted.exit_code, 0) << noted.err;
  EXPECT_THAT(noted.err, HasSubstr("note: 'q.nibble' is already quantized: --calibration, "
                                   "--calibrator have no effect"));
  EXPECT_THAT(json::parse(noted.out)["notes"][0], HasSubstr("--calibration, --calibrator"));
  ShellResult stage = shell(deploy + "--calibrator mse --stop-after plan -o stage --json");
  EXPECT_THAT(json::parse(stage.out)["notes"][0], HasSubstr("--calibrator has no effect"));
  EXPECT_EQ(shell(deploy + out).err, "");
  EXPECT_EQ(shell(deploy + out + "--rounding tflite --granularity channel").exit_code, 0);
  for (const char* option : {"--rounding single", "--granularity tensor", "--keep-float logits"}) {
    ShellResult contradicted = shell(deploy + out + option);
    EXPECT_EQ(contradicted.exit_code, 2) << option;
    EXPECT_THAT(contradicted.err, HasSubstr("'q.nibble' is already quantized, ")) << option;
  }
}

TEST_F(Run, TheReadmeStatesTheCodeAsItWasCompiledOnTarget) {
  quantize();
  std::map<std::string, std::string> rows;
  for (const char* level : {"-O2", "-Os"}) {
    json report = json_of(std::string("nibble deploy q.nibble --target mps2-an386 --data "
                                      "kws/test.npz --samples 1 -o out --json --compiler-level ") +
                          level);
    std::string code = report["run"]["flash_bytes"]["code"].dump();
    code.insert(code.size() - 3, ",");  // thousands
    rows[level] = "| Flash: code, as compiled by `arm-none-eabi-gcc " + std::string(level) +
                  "` | " + code + " |";
    EXPECT_THAT(slurp(folder_ / "out/README.md"), HasSubstr(rows[level]));
  }
  EXPECT_NE(rows["-O2"].substr(rows["-O2"].rfind('`')), rows["-Os"].substr(rows["-Os"].rfind('`')));
  ASSERT_EQ(
      shell("nibble compile q.nibble --target mps2-an386 --compiler-level -Os -o lib").exit_code,
      0);
  EXPECT_THAT(slurp(folder_ / "lib/README.md"), HasSubstr(rows["-Os"]));
}

TEST_F(Run, ABoardWithoutAClockShowsNone) {
  EXPECT_THAT(shell("nibble targets riscv32-virt").out, Not(HasSubstr("MHz")));
  const std::string part = shell("nibble targets stm32l4r5").out;
  for (const char* told : {"cortex-m4 (thumb2, dsp), 120 MHz", "mW active", "cycles per",
                           "\nmemory.flash (high): ", "\npower.active ("})
    EXPECT_THAT(part, HasSubstr(told));
  EXPECT_TRUE(json_of("nibble targets riscv32-virt --json")["clock_hz"].is_null());
  EXPECT_EQ(json_of("nibble targets stm32l4r5 --json")["clock_hz"], 120000000);
}

// Without bands the arena is larger than 14 KB: --optimize speed takes none but where RAM is short.
TEST_F(Run, LayersRunInBandsWhereRamIsShortOnTarget) {
  quantize();
  auto arena = [&](const std::string& options) {
    return json_of("nibble compile q.nibble --target mps3-an547 -o lib --json " +
                   options)["arena_bytes"]
        .get<int64_t>();
  };
  EXPECT_GT(arena("--optimize speed"), 13 << 10);
  EXPECT_LE(arena("--optimize speed --max-ram 13KB"), 12 << 10);
  // The folder knows its budget: the same groups are made again.
  json run = json_of("nibble run lib --data kws/test.npz --samples 2 --json");
  EXPECT_TRUE(run["matches_host"].get<bool>());
  EXPECT_LE(run["ram_bytes"]["total"].get<int64_t>(), 13 << 10);
  // Layers stay apart in what is measured.
  EXPECT_GT(run["layers"].size(), 10u);
  // A part with as little RAM needs no option.
  ShellResult part = shell(
      "mkdir mine && sed -e 's/^name = \"mps3.*/name = \"tiny\"/' "
      "-e '/^name = \"data\"/,/^size_kb/s/^size_kb = .*/size_kb = 13/' " +
      source_path("targets/mps3-an547.toml").string() +
      " >mine/tiny.toml && NIBBLE_TARGETS=$PWD/mine nibble run q.nibble "
      "--optimize speed --target tiny --data kws/test.npz --samples 1 --json");
  ASSERT_EQ(part.exit_code, 0) << part.err;
  EXPECT_TRUE(json::parse(part.out)["matches_host"].get<bool>());
  EXPECT_LE(json::parse(part.out)["ram_bytes"]["total"].get<int64_t>(), 13 << 10);
}

}  // namespace
}  // namespace nibble
