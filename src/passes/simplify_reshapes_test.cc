// simplify_reshapes: chains merge, reshapes sink below what works element by element.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(SimplifyReshapes, SinkAndMerge) {
  expect_becomes(simplify_reshapes, R"(input %x : f32[1,2,3,4]
node "r1" %r1 : f32[6,4] = reshape(%x) shape=[6,4]
node "relu" %a : f32[6,4] = clamp(%r1) act=[0,inf]
node "r2" %r2 : f32[24] = reshape(%a) shape=[24]
node "r3" %y : f32[1,24] = reshape(%r2) shape=[1,24]
output %y
)",
                 R"(input %x : f32[1,2,3,4]
node "relu" %a : f32[1,2,3,4] = clamp(%x) act=[0,inf]
node "r3" %y : f32[1,24] = reshape(%a) shape=[1,24]
output %y
)");
}

TEST(SimplifyReshapes, BothOperandsOfAnAddition) {
  expect_becomes(simplify_reshapes, R"(input %x : f32[1,1,3,4]
node "f" %f : f32[1,1,3,4] = tanh(%x)
node "r1" %r1 : f32[1,3,4] = reshape(%x) shape=[1,3,4]
node "r2" %r2 : f32[1,3,4] = reshape(%f) shape=[1,3,4]
node "add" %s : f32[1,3,4] = add(%r1, %r2)
const %c : f32[4] = random
node "mul" %m : f32[1,3,4] = mul(%s, %c)
node "back" %y : f32[1,1,3,4] = reshape(%m) shape=[1,1,3,4]
output %y
)",
                 R"(input %x : f32[1,1,3,4]
node "f" %f : f32[1,1,3,4] = tanh(%x)
node "add" %s : f32[1,1,3,4] = add(%x, %f)
node "mul" %y : f32[1,1,3,4] = mul(%s, %c)
output %y
)");
}

TEST(SimplifyReshapes, AConstantThatFitsOnlyTheNewShapeHoldsIt) {
  expect_untouched(simplify_reshapes, R"(input %x : f32[1,12]
node "r" %r : f32[3,4] = reshape(%x) shape=[3,4]
const %c : f32[4] = random
node "add" %y : f32[3,4] = add(%r, %c)
output %y
)");
}

}  // namespace
}  // namespace nibble
