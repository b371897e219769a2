// The first layer that differs, and what is said where layers could not be compared.
#include "pipeline/first_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nibble {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Trace = std::vector<std::vector<uint8_t>>;

// Layers a, b (two calls) and c, of two bytes each.
Difference first_layer(const Trace& trace) {
  std::vector<KernelCall> calls(4);
  const char* layers[] = {"a", "b", "b", "c"};
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i].layer = layers[i];
    calls[i].op = "op";
    calls[i].kernel = "kernel";
  }
  Difference difference;
  std::vector<const KernelCall*> pointers;
  for (const KernelCall& call : calls) pointers.push_back(&call);
  name_first_layer(pointers, trace, {{"a", {1, 2}}, {"b", {3, 4}}, {"c", {5, 6}}}, difference);
  return difference;
}

std::string text(const Difference& difference) {
  return format_difference(run_json({}, {}, difference)["first_difference"]);
}

TEST(FirstLayer, IsComparedAfterItsLastCall) {
  Difference difference = first_layer({{1, 2}, {9, 9}, {3, 9}, {9, 9}});
  EXPECT_EQ(difference.layer, "b");
  EXPECT_EQ(difference.differing_bytes, 1);
  EXPECT_EQ(difference.bytes, 2);
  EXPECT_THAT(difference.not_compared, IsEmpty());
  EXPECT_THAT(text(difference), HasSubstr("the first layer of it that differs is 'b'"));
}

TEST(FirstLayer, NoneDiffers) {
  Difference difference = first_layer({{1, 2}, {9, 9}, {3, 4}, {5, 6}});
  EXPECT_EQ(difference.layer, "");
  EXPECT_THAT(text(difference), HasSubstr("computes each of them as the host does"));
}

TEST(FirstLayer, AResultOfAnotherSizeIsNotCalledEqual) {
  for (const Trace& trace : {Trace{{1, 2}, {}, {3, 4, 5}, {5, 6}}, Trace{{1, 2}, {}, {}, {5, 6}}}) {
    Difference difference = first_layer(trace);
    EXPECT_EQ(difference.layer, "");
    EXPECT_THAT(difference.not_compared, ElementsAre("b"));
    EXPECT_THAT(text(difference), HasSubstr("2 of its 3 layers could be compared"));
    EXPECT_THAT(text(difference), HasSubstr("results: 'b'"));
    EXPECT_THAT(text(difference), Not(HasSubstr("each of them")));
  }
}

TEST(FirstLayer, SaysWhatWasNotComparedBeforeIt) {
  Difference difference = first_layer({{}, {}, {3, 4}, {5, 7}});
  EXPECT_EQ(difference.layer, "c");
  EXPECT_THAT(text(difference), HasSubstr("the first layer of it that differs is 'c'"));
  EXPECT_THAT(text(difference), HasSubstr("not compared before it: 'a'"));
}

}  // namespace
}  // namespace nibble
