// layout and absorb_transposes: transposes sink, meet and vanish, in float and integers; what is
// left is needed.
#include "passes/list.h"
#include "passes/passes.h"
#include "passes/reshape_blocks.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

int transposes(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) count += std::holds_alternative<Transpose>(node.op);
  return count;
}

TEST(ReshapeBlocks, SmallestRunsOfEqualProducts) {
  auto blocks = reshape_blocks({1, 6, 4, 5}, {2, 3, 1, 20});
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].before, (std::vector<int64_t>{1}));
  EXPECT_EQ(blocks[0].after, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(blocks[1].before, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(blocks[1].after, (std::vector<int64_t>{3}));
}

// What may stand between the two transposes of an importer: C H W = 2 4 5.
TEST(Layout, PairsCancelThroughOperators) {
  struct Case {
    const char* body;  // from %t to %u
    const char* image;
    int transposes_left;
  };
  const Case cases[] = {
      {"node \"a\" %u : f32[1,2,4,5] = clamp(%t) act=[0,inf]", "1,4,5,2", 0},
      {"node \"a\" %u : f32[1,2,4,5] = hard_swish(%t)", "1,4,5,2", 0},
      {"node \"a\" %u : f32[1,2,4,5] = add(%t, %t)", "1,4,5,2", 0},
      {"const %c : f32[2,1,1] = random\nnode \"a\" %u : f32[1,2,4,5] = mul(%c, %t)", "1,4,5,2", 0},
      {"const %c : f32[5] = random\nnode \"a\" %u : f32[1,2,4,5] = sub(%t, %c)", "1,4,5,2", 0},
      {"const %c : f32[] = random\nnode \"a\" %u : f32[1,2,4,5] = add(%t, %c)", "1,4,5,2", 0},
      {"node \"a\" %u : f32[1,2,6,8] = pad(%t) before=[0,0,1,2] after=[0,0,1,1]", "1,6,8,2", 0},
      {"node \"a\" %u : f32[1,3,4,5] = pad(%t) before=[0,1,0,0] after=[0,0,0,0]", "1,4,5,3", 0},
      {"node \"a\" %u : f32[1,2,2,5] = slice(%t) begin=[0,0,3,0] extent=[1,2,2,5] step=[1,1,-2,1]",
       "1,2,5,2", 0},
      {"node \"a\" %u : f32[1,4,4,5] = concat(%t, %t) axis=1", "1,4,5,4", 0},
      {"const %c : f32[1,3,4,5] = random\nnode \"a\" %u : f32[1,5,4,5] = concat(%t, %c) axis=1",
       "1,4,5,5", 0},
      {"node \"a\" %u : f32[1,2,1,1] = mean(%t) axes=[2,3] keep_dims=true", "1,1,1,2", 0},
      // A gate of one factor per channel, as squeeze-and-excitation has it.
      {"node \"m\" %m : f32[1,2,1,1] = mean(%t) axes=[2,3] keep_dims=true\nnode \"a\" %u : "
       "f32[1,2,4,5] = mul(%t, %m)",
       "1,4,5,2", 0},
      {"node \"r\" %r : f32[1,2,4,1,5] = reshape(%t) shape=[1,2,4,1,5]\nnode \"f2\" %f : "
       "f32[1,2,4,1,5] = tanh(%r)\nnode \"a\" %u : f32[1,2,4,5] = reshape(%f) shape=[1,2,4,5]",
       "1,4,5,2", 0},
      // Softmax over what was the width cannot be had over the channels.
      {"node \"a\" %u : f32[1,2,4,5] = softmax(%t)", "1,4,5,2", 2},
  };
  for (const Case& test : cases) {
    Graph after = after_pass(
        [](Graph& graph) {
          int changes = 0;
          for (int round = 0; round < 3; ++round)
            changes += layout(graph) + simplify_reshapes(graph) + remove_noops(graph);
          return changes;
        },
        graph_of(std::string("input %x : f32[1,4,5,2]\nnode \"f\" %n : f32[1,4,5,2] = tanh(%x)\n") +
                 "node \"t\" %t : f32[1,2,4,5] = transpose(%n) perm=[0,3,1,2]\n" + test.body +
                 "\nnode \"u\" %v : f32[" + test.image + "] = transpose(%u) perm=[0,2,3,1]\n" +
                 "node \"y\" %y : f32[" + test.image + "] = sigmoid(%v)\noutput %y\n"));
    EXPECT_EQ(transposes(after), test.transposes_left) << test.body << "\n" << skeleton(after);
  }
}

TEST(Layout, MeanWithoutItsAxes) {
  expect_becomes(layout, R"(input %x : f32[1,4,5,2]
node "t" %t : f32[1,2,4,5] = transpose(%x) perm=[0,3,1,2]
node "m" %y : f32[1,2] = mean(%t) axes=[2,3]
output %y
)",
                 R"(input %x : f32[1,4,5,2]
node "m" %y : f32[1,2] = mean(%x) axes=[1,2]
output %y
)");
}

TEST(Layout, ColumnsOfADenseLayer) {
  Graph after = after_pass(layout, graph_of(R"(input %x : f32[1,4,5,2]
node "t" %t : f32[1,2,4,5] = transpose(%x) perm=[0,3,1,2]
node "flat" %f : f32[1,40] = reshape(%t) shape=[1,40]
node "relu" %r : f32[1,40] = clamp(%f) act=[0,inf]
const %w : f32[3,40] = random
node "fc" %y : f32[1,3] = dense(%r, %w, _)
output %y
)"));
  EXPECT_EQ(transposes(after), 0);
  const std::string quant = " {scale=[0.1], zero_point=[3], bits=8, range=[-128,127]}";
  const std::string body = "input %x : s8[1,4,5,2]" + quant + "\nnode \"t\" %t : s8[1,2,4,5]" +
                           quant + " = transpose(%x) perm=[0,3,1,2]\nnode \"flat\" %f : s8[1,40]" +
                           quant +
                           " = reshape(%t) shape=[1,40]\nconst %w : s8[2,40] "
                           "{scale=[0.01,0.02], zero_point=[0,0], axis=0, bits=8, "
                           "range=[-127,127]} = random\nnode \"fc\" %y : s8[1,2]" +
                           quant + " = dense(%f, %w, _)\noutput %y\n";
  EXPECT_EQ(transposes(after_pass(layout, graph_of(body))), 0);
}

TEST(Layout, ATransposeThatIsNeededStays) {
  // Depth to space: H and W are interleaved with parts of C.
  expect_untouched(layout, R"(input %x : f32[1,4,5,2,2]
node "t" %t : f32[1,4,2,5,2] = transpose(%x) perm=[0,1,3,2,4]
node "r" %y : f32[1,8,10] = reshape(%t) shape=[1,8,10]
output %y
)");
}

TEST(AbsorbTransposes, InputsAndOutputsTakeTheGraphsOrder) {
  Graph before = graph_of(R"(input %x : f32[1,3,6,6]
const %s : f32[] = random
node "scale" %a : f32[1,3,6,6] = mul(%x, %s)
node "t" %t : f32[1,6,6,3] = transpose(%a) perm=[0,2,3,1]
const %w : f32[4,3,3,3] = random
node "conv" %c : f32[1,4,4,4] = conv2d(%t, %w, _)
node "u" %y : f32[1,4,4,4] = transpose(%c) perm=[0,3,1,2]
output %y
)");
  Graph after = before;
  SimplifyOptions options;
  options.verify_each = true;
  ASSERT_TRUE(simplify(after, options).ok());
  expect_same_function(before, after);
  EXPECT_EQ(skeleton(after), R"(input %x : f32[1,6,6,3] source_perm=[0,2,3,1]
node "conv" %y : f32[1,4,4,4] = conv2d(%x, %w_2, %conv_bias)
output %y source_perm=[0,2,3,1]
)");
}

TEST(AbsorbTransposes, OneDimensionalConvolution) {
  Graph before = graph_of(R"(input %x : f32[1,3,8]
node "r" %r : f32[1,3,1,8] = reshape(%x) shape=[1,3,1,8]
node "t" %t : f32[1,1,8,3] = transpose(%r) perm=[0,2,3,1]
const %w : f32[4,1,3,3] = random
node "conv" %c : f32[1,1,6,4] = conv2d(%t, %w, _)
node "u" %u : f32[1,4,1,6] = transpose(%c) perm=[0,3,1,2]
node "s" %s : f32[1,4,6] = reshape(%u) shape=[1,4,6]
node "relu" %y : f32[1,4,6] = clamp(%s) act=[0,inf]
output %y
)");
  Graph after = before;
  ASSERT_TRUE(simplify(after).ok());
  expect_same_function(before, after);
  EXPECT_EQ(transposes(after), 0) << skeleton(after);
  EXPECT_EQ(after.inputs[0].source_perm, (std::vector<int64_t>{0, 2, 1}));
}

// The input is wanted in both orders, and one of its readers cannot change.
TEST(AbsorbTransposes, AnInputWithOtherReaders) {
  Graph before = graph_of(R"(input %x : f32[1,3,6,6]
node "t" %t : f32[1,6,6,3] = transpose(%x) perm=[0,2,3,1]
const %w : f32[4,3,3,3] = random
node "conv" %a : f32[1,4,4,4] = conv2d(%t, %w, _)
node "soft" %b : f32[1,3,6,6] = softmax(%x)
output %a
output %b
)");
  Graph after = before;
  ASSERT_TRUE(simplify(after).ok());
  expect_same_function(before, after);
  EXPECT_LE(transposes(after), 1) << skeleton(after);
}

TEST(AbsorbTransposes, InFrontOfTheLastDequantize) {
  const std::string quant = " {scale=[0.1], zero_point=[3], bits=8, range=[-128,127]}";
  Graph before =
      graph_of("input %x : s8[1,4,5,2]" + quant + "\nnode \"p\" %p : s8[1,3,4,2]" + quant +
               " = max_pool2d(%x) k_h=2 k_w=2\nnode \"t\" %t : s8[1,2,3,4]" + quant +
               " = transpose(%p) perm=[0,3,1,2]\nnode \"dq\" %y : f32[1,2,3,4] "
               "= dequantize(%t)\noutput %y\n");
  Graph after = before;
  ASSERT_TRUE(simplify(after).ok());
  expect_same_function(before, after, 1, 0);
  EXPECT_EQ(transposes(after), 0) << skeleton(after);
}

}  // namespace
}  // namespace nibble
