// Published figures: reading, predicting, errors, tables.
#include <gmock/gmock.h>

#include <cmath>

#include "cost/npu/spread.h"
#include "support/small_npu.h"

namespace nibble {
namespace {

using testing::HasSubstr;

constexpr const char* kHeader =
    "accelerator,network,scales,macs_per_cycle,clock_mhz,weight_bits,weight_rate,figure,unit,kind,"
    "source\n";

std::vector<NpuFigure> figures_of(const std::string& rows) {
  auto figures = parse_npu_figures(kHeader + rows, "figures.csv");
  EXPECT_TRUE(figures.ok()) << figures.error().message;
  return *figures;
}

TEST(NpuFigures, ReadsARow) {
  const auto figures = figures_of(
      "ne16,kws,usual,,240,5,,0.7,ms,fit,MLPerf\n"
      "tinpu,\"ti_1k 128x1x1\",powers_of_two,4,,,0.5,100,cycles,indep,\"a, b\"\n");
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_EQ(figures[0].clock_mhz, 240);
  EXPECT_EQ(figures[0].weight_bits, 5);
  EXPECT_EQ(figures[0].weight_rate, 0);
  EXPECT_FALSE(figures[0].independent);
  EXPECT_EQ(figures[1].network, "ti_1k 128x1x1");
  EXPECT_EQ(figures[1].scales, ListedScales::kPowersOfTwo);
  EXPECT_TRUE(figures[1].independent);
  EXPECT_EQ(figures[1].source, "a, b");
  EXPECT_EQ(figures[1].line, 3);
}

TEST(NpuFigures, ErrorsNameRowAndColumn) {
  auto message = [](const std::string& row) {
    auto figures = parse_npu_figures(kHeader + row, "f.csv");
    return figures.ok() ? "" : figures.error().message;
  };
  EXPECT_EQ(message("a,n,usual,,,,,1,s,fit,x"),
            "f.csv: row 2, column 'unit': 's', expected one of cycles, us, ms, uJ");
  EXPECT_EQ(message("a,n,usual,,,,,-1,ms,fit,x"),
            "f.csv: row 2, column 'figure': '-1', expected a number above 0");
  EXPECT_EQ(message("a,n,usual,,,,,,ms,fit,x"),
            "f.csv: row 2, column 'figure': '', expected a number above 0");
  EXPECT_EQ(message("a,n,usual,,,,,1,ms,fit,"),
            "f.csv: row 2, column 'source': '', expected a word");
}

Graph pointwise() {
  auto lists = parse_layer_lists("network n 4x4x16\nconv 1x1 16\n", "lists");
  return *listed_network(*lists, "n", ListedScales::kUsual);
}

Result<std::vector<NpuCheck>> checks_of(const std::string& rows) {
  return check_npu_figures(figures_of(rows),
                           [](const NpuFigure&) -> Result<Graph> { return pointwise(); });
}

TEST(NpuFigures, UnitsAndConditionsOfOnePrediction) {
  const auto checks = checks_of(
      "ethos-u55,n,usual,128,,,,100,cycles,fit,x\n"
      "ethos-u55,n,usual,128,100,,,1,us,fit,x\n"
      "ethos-u55,n,usual,128,100,,,1,ms,fit,x\n"
      "ethos-u55,n,usual,128,,,0.01,1,cycles,fit,x\n");
  ASSERT_TRUE(checks.ok()) << checks.error().message;
  const double cycles = (*checks)[0].predicted;
  EXPECT_DOUBLE_EQ((*checks)[0].error(), cycles / 100 - 1);
  EXPECT_DOUBLE_EQ((*checks)[1].predicted, cycles / 100);
  EXPECT_DOUBLE_EQ((*checks)[2].predicted, cycles / 1e5);
  // 256 weights and 16 sums of 4 bytes at a hundredth of a byte per cycle, and the layer's 4000.
  EXPECT_DOUBLE_EQ((*checks)[3].predicted, 4000 + (256 + 64) * 100);
}

TEST(NpuFigures, WeightsOfFewerBitsAreStreamedFaster) {
  const auto checks = checks_of(
      "ethos-u55,n,usual,128,,8,0.01,1,cycles,fit,x\n"
      "ethos-u55,n,usual,128,,4,0.01,1,cycles,fit,x\n");
  ASSERT_TRUE(checks.ok()) << checks.error().message;
  EXPECT_DOUBLE_EQ((*checks)[0].predicted - (*checks)[1].predicted, 128 * 100);
}

TEST(NpuFigures, SaysWhyThereIsNoPrediction) {
  auto message = [](const std::string& row) {
    auto checks = checks_of(row);
    return checks.ok() ? "" : checks.error().message;
  };
  EXPECT_EQ(message("nobody,n,usual,,,,,1,ms,fit,x"),
            "figure in row 2 (n on nobody): no file of that accelerator");
  EXPECT_EQ(message("hwce,n,usual,,,,,1,ms,fit,x"),
            "figure in row 2 (n on hwce): its file has no model of cycles, or no clock");
  EXPECT_EQ(message("ethos-u55,n,usual,,,,,1,uJ,fit,x"),
            "figure in row 2 (n on ethos-u55): its file has no power");
}

NpuCheck check_of(double predicted, double value, bool independent) {
  NpuFigure figure;
  figure.engine = "small";
  figure.network = "n";
  figure.unit = "ms";
  figure.value = value;
  figure.independent = independent;
  figure.source = "a paper";
  return {figure, predicted};
}

TEST(NpuFigures, ErrorsAndTables) {
  const std::vector<NpuCheck> checks = {check_of(11, 10, false), check_of(6, 10, true)};
  const NpuErrors all = npu_errors(checks, [](const NpuCheck&) { return true; });
  EXPECT_EQ(all.figures, 2);
  EXPECT_DOUBLE_EQ(all.mean, 0.25);
  EXPECT_DOUBLE_EQ(all.largest, 0.4);
  Npu npu = small_npu::npu_of("");
  npu.cost.error_percent = 15;
  const NpuSpread spread{NpuSpreadBasis::kIndependent, 1, std::log(1.4), 0.5, 64.25};
  const std::string text = npu_check_tables(checks, {npu}, {spread}, {{}});
  EXPECT_THAT(text,
              HasSubstr("| small | 2 | 25.0% | 40.0% | 1 | 40.0% | 40.0% | independent checks "
                        "| 1 | 40.0% | 64.2% | 15% |"));
  EXPECT_THAT(text, HasSubstr("#### Small (`small`)"));
  EXPECT_THAT(text, HasSubstr("| n | 11 ms | 10 ms | +10.0% | fit | a paper |"));
}

}  // namespace
}  // namespace nibble
