#include "cost/rows.h"

#include <gtest/gtest.h>

#include "cost/csv.h"

namespace nibble {
namespace {

TEST(Csv, ReadsQuotedCells) {
  const Result<CsvTable> table =
      parse_csv_table("a,b\r\n\"1, \"\"x\"\"\nline\",2\n\n3,\n", "t.csv", {"b", "a"});
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->rows().size(), 2u);
  EXPECT_EQ(table->rows()[0]["a"], "1, \"x\"\nline");
  EXPECT_EQ(table->rows()[0]["b"], "2");
  EXPECT_EQ(table->rows()[1]["b"], "");
  EXPECT_EQ(table->rows()[1].line(), 3);
}

TEST(Csv, SaysWhatIsWrong) {
  EXPECT_EQ(parse_csv_table("a,b\n1\n", "t.csv", {"a"}).error().message,
            "t.csv: row 2 has 1 cells, its header 2");
  EXPECT_NE(parse_csv_table("", "t.csv", {"a"}).error().message.find("no column 'a'"),
            std::string::npos);
}

constexpr const char* kHeader =
    "round,system_id,board,soc,core,clock_mhz,accelerator,software,model,dtype,latency_ms,"
    "energy_uJ,avg_power_mW,repeat_of,hw_notes\n";

CostRow only_row(const std::string& line) {
  Result<std::vector<CostRow>> rows = read_mlperf(std::string(kHeader) + line + "\n");
  EXPECT_TRUE(rows.ok() && rows->size() == 1);
  return rows->front();
}

TEST(Rows, UnderstandsASubmission) {
  const CostRow row = only_row(
      "v1.3,N,NUCLEO_L4R5ZI-P,STM32L4R5ZIT6P,cortex-m4,120,,X-CUBE-AI v10.2.0,kws,int8,43.5,1430.7,"
      "32.9,,Operating at 3 V with external SMPS / Single Bank Mode Activated");
  EXPECT_EQ(row.reason, "");
  EXPECT_EQ(row.use, RowUse::kFit);
  EXPECT_EQ(row.board, "stm32l4r5");
  EXPECT_EQ(row.stack, "X-CUBE-AI 10.2");
  EXPECT_EQ(row.supply_v, 3);
  EXPECT_TRUE(row.external_smps);
  EXPECT_DOUBLE_EQ(row.cycles(), 43.5 * 120e3);
  EXPECT_TRUE(is_headline(row));
  EXPECT_TRUE(has_power(row));
}

TEST(Rows, SayWhyTheyAreOut) {
  const auto reason = [](const std::string& line) {
    const CostRow row = only_row(line);
    EXPECT_EQ(row.use, RowUse::kOut);
    return row.reason;
  };
  EXPECT_EQ(reason("v1,a,b,c,cortex-m4,80,,ONNC,ad,int8,1,,,v0.7/x,"), "repeats v0.7/x");
  EXPECT_EQ(reason("v1,a,b,c,cortex-m33,80,MVP,ONNC,ad,int8,1,,,,"), "accelerator: MVP");
  EXPECT_EQ(reason("v1,a,b,c,cortex-m4,80,,ONNC,ad,fp32,1,,,,"), "computes in fp32");
  EXPECT_EQ(reason("v1,a,b,c,cortex-a72,80,,ONNC,ad,int8,1,,,,"),
            "core without kernels that work is counted for: cortex-a72");
  EXPECT_EQ(reason("v1,a,b,c,cortex-m4,80,,ONNC,ad,int8,,5,,,"),
            "no time (an energy run at another clock)");
  EXPECT_EQ(reason("v1,x_min_ram,b,c,cortex-m4,80,,ONNC,ad,int8,1,,,,"), "built for least RAM");
  EXPECT_EQ(reason("v1,a,b,c,cortex-m4,80,,Other,ad,int8,1,,,,"), "engine not in the table: Other");
}

TEST(Rows, NameTheEngineByWhatItIs) {
  EXPECT_EQ(only_row("v0.5,a,b,c,cortex-m4,80,,TFLM 2.3.1 (ref),ad,int8,1,,,,").stack,
            "TFLM 2.3.1 + CMSIS-NN");
  EXPECT_EQ(only_row("v0.5,a,b,RV32-A,rv32imacf,80,,TFLM 2.3.1,ad,int8,1,,,,").stack,
            "TFLM 2.3.1 reference");
  EXPECT_EQ(only_row("v0.7,a,b,c,cortex-m4,80,,Plumerai Inference Engine,ad,int8,1,,,,").stack,
            "Plumerai 0.7");
  EXPECT_EQ(only_row("v0.7,a,b,c,renesas-rxv2,80,,TFLM + CMSIS-NN,ad,int8,1,,,,").stack,
            "TFLM + CMSIS-NN (RX)");
}

TEST(Rows, ReadBackAsPrinted) {
  std::vector<CostRow> rows = single_measurements();
  rows.push_back(only_row("v1,a,NUCLEO-H7A3ZI-Q,STM32U575,cortex-m7,280,,ONNC,ad,int8,1.25,,,,"));
  EXPECT_EQ(rows.back().board, "stm32h7a3");
  const Result<std::vector<CostRow>> back = parse_rows(print_rows(rows));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(*back, rows);
  CostNetworks networks = described_networks();
  networks["resnet32"].live[0].macs = 7;
  const Result<CostNetworks> networks_back = parse_networks(print_networks(networks));
  ASSERT_TRUE(networks_back.ok()) << networks_back.error().message;
  EXPECT_EQ(*networks_back, networks);
}

// MACs of the papers: 41 M of MobileNetV1 0.25 and 569 M of 1.0 at 224 pixels, 69 M of ResNet-32.
TEST(Rows, DescribedNetworksHaveThePapersSize) {
  const CostNetworks networks = described_networks();
  auto macs = [&](const std::string& name) {
    double sum = 0;
    for (const OpTotals& totals : networks.at(name).all) sum += totals.macs;
    return sum / 1e6;
  };
  EXPECT_NEAR(macs("mobilenet_v1 0.25 224x224x3 1000"), 41, 0.5);
  EXPECT_NEAR(macs("mobilenet_v1 1.0 224x224x3 1000"), 569, 1);
  EXPECT_NEAR(macs("resnet32"), 69, 0.5);
}

}  // namespace
}  // namespace nibble
