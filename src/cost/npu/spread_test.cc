// Ranges by checks: Student's t, refits without a network, what counts and what does not.
#include "cost/npu/spread.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/small_npu.h"

namespace nibble {
namespace {

using testing::HasSubstr;

NpuConstant constant_of(const std::string& row) {
  auto constants = parse_npu_constants("accelerator,entry,name,term\n" + row, "fits.csv");
  EXPECT_TRUE(constants.ok()) << constants.error().message;
  return constants->at(0);
}

// 2 cycles per product, 100 per layer, 1000 per inference, at 1 MHz.
Npu small() {
  Npu npu = small_npu::npu_of(R"(
[[accept]]
name = "all"
op = ["conv2d"]
source = "s"
[[way]]
name = "products"
op = ["conv2d"]
source = "s"
terms = [ { cycles = 2, of = { macs = 1 } } ]
)");
  npu.clock_hz = 1'000'000;
  return npu;
}

// "pointwise N": N channels to N on one position, so N^2 products.
Result<Graph> network(const NpuFigure& figure) {
  const std::string c = figure.network.substr(figure.network.find('_') + 1);
  NIBBLE_ASSIGN(const LayerLists lists,
                parse_layer_lists("network n 1x1x" + c + "\nconv 1x1 " + c + "\n", "lists"));
  return listed_network(lists, "n", ListedScales::kUsual);
}

// What an accelerator of `rate` cycles per product takes, off by `factor`.
NpuCheck check_of(int channels, double rate, double factor, bool independent) {
  NpuCheck check;
  check.figure.engine = "small";
  check.figure.network = "net_" + std::to_string(channels);
  check.figure.unit = "cycles";
  check.figure.independent = independent;
  check.figure.value = (1100 + rate * channels * channels) * factor;
  check.predicted = *predict_npu_figure(check.figure, small(), *network(check.figure));
  return check;
}

TEST(NpuSpread, StudentsT) {
  EXPECT_NEAR(student_t90(1), 3.078, 1e-3);
  EXPECT_NEAR(student_t90(10), 1.372, 1e-3);
  EXPECT_NEAR(student_t90(30), 1.310, 1e-3);
  EXPECT_NEAR(student_t90(1'000'000), 1.2816, 1e-4);
  for (int n = 1; n < 40; ++n) EXPECT_GT(student_t90(n), student_t90(n + 1)) << n;
}

TEST(NpuSpread, OneIndependentNetworkIsThreeTimesItsError) {
  const auto spread = npu_spread(
      small(), false, {check_of(64, 2, 1.1, true), check_of(32, 2, 1.02, false)}, {}, network);
  ASSERT_TRUE(spread.ok()) << spread.error().message;
  EXPECT_EQ(spread->basis, NpuSpreadBasis::kIndependent);
  EXPECT_EQ(spread->networks, 1);
  EXPECT_NEAR(spread->percent, 100 * std::expm1(3.078 * std::log(1.1)), 1e-6);
}

TEST(NpuSpread, IsNeverNarrowerThanTheLargestErrorSeen) {
  std::vector<NpuCheck> checks;
  for (int channels : {16, 24, 32, 48, 64}) checks.push_back(check_of(channels, 2, 1, true));
  checks.push_back(check_of(96, 2, 1.3, false));
  const auto spread = npu_spread(small(), false, checks, {}, network);
  ASSERT_TRUE(spread.ok());
  EXPECT_EQ(spread->networks, 5);
  EXPECT_NEAR(spread->percent, 30, 1e-6);
}

// One of three takes twice the cycles per product. Without it the others' rate is right for them
// and off by log 2 for it; with it in the fit, the rate is about the root of two times theirs. The
// start of an inference and of a layer, 1100 cycles, makes it a little less.
TEST(NpuSpread, ANetworkLeftOutIsPredictedByTheOthers) {
  const std::vector<NpuConstant> constants = {constant_of("small,way,products,1\n")};
  const std::vector<NpuCheck> checks = {check_of(256, 2, 1, false), check_of(384, 2, 1, false),
                                        check_of(512, 4, 1, false)};
  const auto spread = npu_spread(small(), false, checks, constants, network);
  ASSERT_TRUE(spread.ok()) << spread.error().message;
  EXPECT_EQ(spread->basis, NpuSpreadBasis::kLeftOut);
  EXPECT_EQ(spread->networks, 3);
  EXPECT_NEAR(spread->mean, std::log(2) * std::sqrt((0.25 + 0.25 + 1) / 3), 0.01);
  EXPECT_NEAR(spread->percent, 100 * std::expm1(1.638 * spread->mean), 1e-6);
}

// All take 3 cycles per product, which a fit without any of them finds; but the file says 2.
TEST(NpuSpread, TheFileAsItIsCountsToo) {
  const std::vector<NpuConstant> constants = {constant_of("small,way,products,1\n")};
  const auto spread = npu_spread(
      small(), false,
      {check_of(256, 3, 1, false), check_of(384, 3, 1, false), check_of(512, 3, 1, false)},
      constants, network);
  ASSERT_TRUE(spread.ok());
  EXPECT_EQ(spread->basis, NpuSpreadBasis::kLeftOut);
  EXPECT_NEAR(spread->mean, std::log(1.5), 0.01);
}

TEST(NpuSpread, AsManyConstantsAsFiguresIsAGuess) {
  const std::vector<NpuConstant> constants = {constant_of("small,way,products,1\n"),
                                              constant_of("small,cost,layer_cycles,\n")};
  const auto spread = npu_spread(
      small(), false, {check_of(64, 2, 1, false), check_of(96, 2, 1, false)}, constants, network);
  ASSERT_TRUE(spread.ok());
  EXPECT_EQ(spread->basis, NpuSpreadBasis::kGuess);
  EXPECT_EQ(spread->percent, kGuessPercent);
  EXPECT_EQ(npu_spread(small(), true, {}, {}, network)->percent, kGuessPercent);
}

TEST(NpuSpread, ConstantsAreFoundByName) {
  Npu npu = small();
  ASSERT_TRUE(scale_constant(npu, constant_of("small,way,products,1\n"), 1.5).ok());
  EXPECT_EQ(std::get<double>(npu.ways[0].terms[0].times), 3);
  ASSERT_TRUE(scale_constant(npu, constant_of("small,cost,inference_cycles,\n"), 2).ok());
  EXPECT_EQ(npu.cost.inference_cycles, 2000);
  for (const char* row : {"small,way,products,2\n", "small,way,none,1\n", "small,stream,data,\n",
                          "small,power,50,\n", "small,cost,price,\n", "small,parameter,x,\n"}) {
    const Status status = scale_constant(npu, constant_of(row), 2);
    ASSERT_FALSE(status.ok()) << row;
    EXPECT_THAT(status.error().message, HasSubstr("fits.csv: small has no ")) << row;
  }
}

TEST(NpuSpread, ErrorsOfTheListNameRowAndColumn) {
  auto message = [](const std::string& row) {
    return parse_npu_constants("accelerator,entry,name,term\n" + row, "f.csv").error().message;
  };
  EXPECT_EQ(message("a,wey,n,1\n"),
            "f.csv: row 2, column 'entry': 'wey', expected one of cost, way, stream, power, "
            "parameter");
  EXPECT_EQ(message("a,way,n,\n"),
            "f.csv: row 2, column 'term': '', expected which term of the way it is, from 1");
  EXPECT_EQ(message("a,cost,n,1\n"),
            "f.csv: row 2, column 'term': '1', expected nothing but of a way");
}

}  // namespace
}  // namespace nibble
