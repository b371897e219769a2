// Exactness and error cases of the text helpers.
#include "base/text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace nibble {
namespace {

TEST(FormatFloat, ShortestThatReadsBack) {
  EXPECT_EQ(format_float(0.1f), "0.1");
  EXPECT_EQ(format_float(-0.0f), "-0");
  EXPECT_EQ(format_float(0.00390625f), "0.00390625");
  EXPECT_EQ(format_float(std::numeric_limits<float>::infinity()), "inf");
  EXPECT_EQ(format_float(-std::numeric_limits<float>::infinity()), "-inf");
  EXPECT_EQ(format_float(-std::numeric_limits<float>::quiet_NaN()), "nan");
  EXPECT_EQ(format_double(0.1), "0.1");
}

TEST(FormatFloat, EveryBitPatternReadsBack) {
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    auto value = std::bit_cast<float>(rng.next());
    auto back = parse_float(format_float(value));
    ASSERT_TRUE(back.ok()) << format_float(value);
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(*back));
    else
      EXPECT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(*back));
  }
}

TEST(ParseNumber, WholeTextOnly) {
  EXPECT_EQ(*parse_double("-2.5e3"), -2500);
  EXPECT_EQ(*parse_double("+4"), 4);
  EXPECT_EQ(*parse_int("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  for (const char* bad : {"", "x", "1x", " 1", "1 ", "+-1", "0x10", "--1", "+"}) {
    EXPECT_FALSE(parse_double(bad).ok()) << bad;
    EXPECT_FALSE(parse_int(bad).ok()) << bad;
  }
  EXPECT_EQ(parse_int("9223372036854775808").error().message,
            "'9223372036854775808' is out of the range of a whole number");
  EXPECT_EQ(parse_int("1.5").error().message, "'1.5' is not a whole number");
  EXPECT_FALSE(parse_float("1e39").ok());
  EXPECT_TRUE(parse_double("1e39").ok());
}

TEST(ParseBytes, UnitsOf1024) {
  EXPECT_EQ(*parse_bytes("512"), 512);
  EXPECT_EQ(*parse_bytes("96KB"), 98304);
  EXPECT_EQ(*parse_bytes("96 kb"), 98304);
  EXPECT_EQ(*parse_bytes("1MB"), 1048576);
  EXPECT_EQ(*parse_bytes("1.5K"), 1536);
  EXPECT_EQ(*parse_bytes("0"), 0);
  for (const char* bad : {"", "KB", "-1", "1.5", "12QB", "1e400", "nan", "inf", "9e18GB", "1 2KB"})
    EXPECT_FALSE(parse_bytes(bad).ok()) << bad;
  EXPECT_EQ(parse_bytes("lots").error().kind, ErrorKind::kUsage);
}

TEST(ParseSeconds, NeedsAUnit) {
  EXPECT_DOUBLE_EQ(*parse_seconds("12ms"), 0.012);
  EXPECT_DOUBLE_EQ(*parse_seconds("300us"), 300e-6);
  EXPECT_DOUBLE_EQ(*parse_seconds("2s"), 2);
  EXPECT_FALSE(parse_seconds("2").ok());
  EXPECT_FALSE(parse_seconds("-2s").ok());
}

TEST(HumanNumbers, Format) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(12345678), "12,345,678");
  EXPECT_EQ(with_thousands(-123456), "-123,456");
  EXPECT_EQ(with_thousands(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KB");
  EXPECT_EQ(human_bytes(22835), "22.3 KB");
  EXPECT_EQ(human_bytes(1048575), "1.0 MB");
  EXPECT_EQ(human_bytes(-2048), "-2.0 KB");
}

TEST(SplitAndJoin, AreInverse) {
  EXPECT_EQ(split("a,b,,c", ','), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
  std::vector<std::string> parts = {"x", "", "y"};
  EXPECT_EQ(split(join(parts, ";"), ';'), parts);
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(CIdentifier, IsOneInCAndCpp) {
  EXPECT_EQ(c_identifier("conv2d_1"), "conv2d_1");
  EXPECT_EQ(c_identifier("model/conv2d/Relu;add:0"), "model_conv2d_Relu_add_0");
  EXPECT_EQ(c_identifier("1x1"), "n1x1");
  EXPECT_EQ(c_identifier("__hidden"), "n_hidden");
  EXPECT_EQ(c_identifier("class"), "class_");
  EXPECT_EQ(c_identifier("int"), "int_");
  EXPECT_EQ(c_identifier("main"), "main_");
  EXPECT_EQ(c_identifier(""), "n");
  EXPECT_EQ(c_identifier("gr\xc3\xb6\xc3\x9f"), "gr_");
}

TEST(NearestWord, OnlyTypingSlips) {
  std::vector<std::string> words = {"conv2d", "dense", "softmax", "percentile"};
  EXPECT_EQ(nearest_word("sofmax", words), "softmax");
  EXPECT_EQ(nearest_word("Conv2D", words), "conv2d");
  EXPECT_EQ(nearest_word("dnese", words), "dense");
  EXPECT_EQ(nearest_word("lstm", words), "");
  EXPECT_EQ(nearest_word("", words), "");
  EXPECT_EQ(nearest_word(std::string(100000, 'x'), words), "");
}

TEST(FormatTable, NumbersToTheRight) {
  EXPECT_EQ(format_table({{"layer", "macs", "shape"},
                          {"conv", "12,345", "1x32x32x3"},
                          {"gr\xc3\xb6\xc3\x9f"
                           "er",
                           "7"}}),
            "layer     macs  shape\n"
            "------  ------  ---------\n"
            "conv    12,345  1x32x32x3\n"
            "gr\xc3\xb6\xc3\x9f"
            "er       7\n");
  EXPECT_EQ(format_table({}), "");
}

TEST(WrapText, BreaksAtSpacesOnly) {
  EXPECT_EQ(wrap_text("", 10, 2), "");
  EXPECT_EQ(wrap_text("one two three", 10, 2), "one two\n  three");
  EXPECT_EQ(wrap_text("12345678 1 averylongword 2", 10, 2), "12345678\n  1\n  averylongword\n  2");
  EXPECT_EQ(wrap_text("1234567890 1", 10, 0), "1234567890\n1");
}

}  // namespace
}  // namespace nibble
