// Recipes of a file, their faults, and the bench that comes with nibble.
#include "quantize/recipes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "quantize/emulate.h"
#include "quantize/size.h"
#include "support/float_network.h"
#include "support/shell.h"

namespace nibble {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Recipes : public testing::Test {
 protected:
  Recipes() : folder_(scratch_folder()) {}
  ~Recipes() override { std::filesystem::remove_all(folder_); }
  Result<std::vector<Recipe>> read(const std::string& text) {
    spill(folder_ / "mine.toml", text);
    return read_recipes(folder_ / "mine.toml");
  }
  std::string fault(const std::string& text) {
    Result<std::vector<Recipe>> recipes = read(text);
    return recipes.ok() ? "no error" : recipes.error().message;
  }

  std::filesystem::path folder_;
};

TEST_F(Recipes, AreReadWithTheirSettingsMethodsAndRules) {
  const auto recipes = read(R"([[recipe]]
name = "plain"

[[recipe]]
name = "small"
activation-bits = 16
scheme = "w4a8"
granularity = "group:32"
method = ["correct-bias", "gptq", "smooth", "split-channels"]
method-samples = 64
split-share = 0.1
smooth-share = 1
rounding = "single"
keep-float = ["head/a;b"]
[[recipe.layer]]
ops = ["dense"]
weight-bits = 8
[[recipe.layer]]
nodes = ["first*"]
keep-float = true
)");
  ASSERT_TRUE(recipes.ok()) << recipes.error().message;
  ASSERT_EQ(recipes.value().size(), 2u);
  const Recipe &plain = recipes.value()[0], &small = recipes.value()[1];
  EXPECT_EQ(plain.name, "plain");
  EXPECT_EQ(plain.arguments, "");
  EXPECT_EQ(plain.options.all, LayerSettings());
  EXPECT_EQ(small.options.all.weights.bits, 4);
  EXPECT_EQ(small.options.all.activations.bits, 16);  // over the scheme, whatever the order
  EXPECT_EQ(small.options.all.weights.group, 32);
  EXPECT_THAT(small.options.methods, ElementsAre(Method::kSmooth, Method::kSplitChannels,
                                                 Method::kGptq, Method::kCorrectBias));
  EXPECT_EQ(small.options.method_options.samples, 64);
  EXPECT_EQ(small.options.method_options.split_share, 0.1);
  EXPECT_EQ(small.options.method_options.smooth_share, 1);
  EXPECT_EQ(small.options.rounding, Rounding::kSingle);
  EXPECT_THAT(small.options.keep_float, ElementsAre("head/a;b"));
  ASSERT_EQ(small.options.rules.size(), 2u);
  EXPECT_EQ(settings_of(small.options.all, small.options.rules, "fc", "dense").weights.bits, 8);
  EXPECT_TRUE(small.options.rules[1].keep_float);
  EXPECT_EQ(small.arguments,
            "--scheme w4a8 --activation-bits 16 --granularity group:32 "
            "--method correct-bias,gptq,smooth,split-channels --method-samples 64 --smooth-share 1 "
            "--split-share 0.1 "
            "--rounding single --keep-float 'head/a;b'");
}

TEST(ShellWord, IsQuotedWhereAShellNeedsIt) {
  EXPECT_EQ(shell_word("conv1/a-b.c=3,4:x+@%"), "conv1/a-b.c=3,4:x+@%");
  EXPECT_EQ(shell_word("two words"), "'two words'");
  EXPECT_EQ(shell_word("$HOME;*"), "'$HOME;*'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST_F(Recipes, FaultsHaveFileAndLine) {
  const std::string begin = "[[recipe]]\nname = \"a\"\n";
  EXPECT_THAT(fault(begin + "weight-bit = 4\n"),
              HasSubstr("mine.toml:3: unknown key 'weight-bit' of a recipe, did you mean "
                        "'weight-bits'?"));
  EXPECT_THAT(fault(begin + "methods = [\"gptq\"]\n"), HasSubstr("did you mean 'method'?"));
  EXPECT_THAT(fault(begin + "weight-bits = 40\n"), HasSubstr("mine.toml:3: weight-bits '40'"));
  EXPECT_THAT(fault(begin + "scheme = \"int3\"\n"), HasSubstr("mine.toml:3: "));
  EXPECT_THAT(fault(begin + "method = [\"magic\"]\n"), HasSubstr("mine.toml:3: "));
  EXPECT_THAT(fault(begin + "method = \"gptq\"\n"), HasSubstr("method must be a list of names"));
  EXPECT_THAT(fault(begin + "method-samples = 0\n"), HasSubstr("mine.toml:3: method-samples"));
  EXPECT_THAT(fault(begin + "smooth-share = 1.5\n"), HasSubstr("a number from 0 to 1"));
  EXPECT_THAT(fault(begin + "rounding = \"up\"\n"), HasSubstr("\"tflite\" or \"single\""));
  EXPECT_THAT(fault(begin + "percentile = 99.9\n"),
              HasSubstr("mine.toml:3: 'a': percentile goes with --calibrator percentile, not "
                        "min-max"));
  EXPECT_EQ(fault(begin + "percentile = 99.9\n[[recipe.layer]]\nops = [\"dense\"]\n"
                          "calibrator = \"percentile\"\n"),
            "no error");
  EXPECT_THAT(fault(begin + "method = [\"gptq\"]\nsmooth-share = 0.3\n"),
              HasSubstr("mine.toml:4: 'a': smooth-share goes with --method smooth"));
  EXPECT_THAT(fault(begin + "split-share = 0.3\n"), HasSubstr("--method split-channels"));
  EXPECT_THAT(fault(begin + "drop-share = 0.3\nmethod = [\"brecq\"]\n"),
              HasSubstr("drop-share goes with --method qdrop"));
  EXPECT_THAT(fault(begin + "learn-steps = 3\nmethod = [\"gptq\"]\n"),
              HasSubstr("learn-steps goes with what is learned: --method adaround, adaquant, brecq "
                        "or qdrop, or --calibrator learned"));
  EXPECT_EQ(fault(begin + "learn-steps = 3\ncalibrator = \"learned\"\n"), "no error");
  EXPECT_THAT(fault(begin + "method-samples = 3\nmethod = [\"squant\"]\n"),
              HasSubstr("method-samples goes with --method equalize, "));
  EXPECT_THAT(fault(begin + "[[recipe.layer]]\nweight-bits = 4\n"), HasSubstr("names no layers"));
  EXPECT_THAT(fault(begin + "[[recipe.layer]]\nops = [\"dense\"]\nbits = 4\n"),
              HasSubstr("mine.toml:5: unknown setting 'bits'"));
  EXPECT_THAT(fault("[[recipe]]\nscheme = \"w4a8\"\n"),
              HasSubstr("mine.toml:1: a recipe needs a name"));
  EXPECT_THAT(fault("[[recipe]]\nname = \"\"\n"), HasSubstr("mine.toml:2: a recipe needs a name"));
  EXPECT_THAT(fault(begin + begin),
              HasSubstr("mine.toml:3: the recipe of line 1 is called 'a' already"));
  EXPECT_THAT(fault("recipe = 3\n"), HasSubstr("recipe must be a list of tables: [[recipe]]"));
  EXPECT_THAT(fault("scheme = \"w4a8\"\n"), HasSubstr("mine.toml:1: 'scheme' is not known here"));
  EXPECT_THAT(fault("# nothing\n"), HasSubstr("mine.toml: no recipes"));
  EXPECT_THAT(read_recipes(folder_ / "nowhere.toml").error().message, HasSubstr("nowhere.toml"));
}

TEST_F(Recipes, OfTheBenchHaveNamesAndAreWhatTheirArgumentsSay) {
  std::set<std::string> names, arguments;
  for (const Recipe& recipe : default_recipes()) {
    EXPECT_TRUE(names.insert(recipe.name).second) << recipe.name;
    EXPECT_TRUE(arguments.insert(recipe.arguments).second) << recipe.name;
  }
  for (const char* name : {"w2a8", "w4a8", "w8a8", "w8a16", "fp16"})
    EXPECT_TRUE(names.contains(name)) << name;
}

// Without calibrating and refining, the same size as with.
TEST_F(Recipes, BytesAreKnownBeforeTheyAreTried) {
  const Graph graph = uneven_network(3);
  const CalibrationData data = random_data(12, {1, 8, 8, 3}, 1);
  std::vector<Recipe> recipes = default_recipes();
  const size_t bench = recipes.size();
  recipes.push_back(make_recipe("codebook", {"weight-bits=3", "weight-levels=codebook"}, {"gptq"}));
  recipes.push_back(make_recipe("split", {"weight-bits=4"}, {"split-channels", "gptq"}));
  recipes.push_back(make_recipe("groups", {"scheme=w4a8", "granularity=group:4"}, {"gptq"}));
  int64_t before = 0;
  for (size_t i = 0; i < recipes.size(); ++i) {
    const Recipe& recipe = recipes[i];
    if (needs_emulation(graph, recipe.options)) continue;
    const Result<int64_t> bytes = quantized_bytes(graph, data, recipe.options);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    const Result<Graph> integer = quantize(graph, data, recipe.options);
    ASSERT_TRUE(integer.ok()) << recipe.name << ": " << integer.error().message;
    EXPECT_EQ(bytes.value(), constant_bytes(integer.value())) << recipe.name;
    if (i >= bench) continue;
    EXPECT_GE(bytes.value(), before) << recipe.name;  // from the cheapest on
    before = bytes.value();
  }
}

TEST_F(Recipes, BitsOfActivationsAreTheMostOfAnyLayer) {
  const Graph graph = uneven_network(3);
  EXPECT_EQ(activation_bits(graph, make_recipe("a", {"scheme=w4a8"}).options), 8);
  const auto recipes =
      read("[[recipe]]\nname = \"a\"\n[[recipe.layer]]\nops = [\"dense\"]\nactivation-bits = 16\n");
  ASSERT_TRUE(recipes.ok()) << recipes.error().message;
  EXPECT_EQ(activation_bits(graph, recipes.value()[0].options), 16);
}

}  // namespace
}  // namespace nibble
