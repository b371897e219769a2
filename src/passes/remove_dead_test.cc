// remove_dead: what reaches no output goes, with everything that only it needed.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

TEST(RemoveDead, WholeBranches) {
  expect_becomes(remove_dead, R"(input %x : f32[1,4]
node "a" %a : f32[1,4] = tanh(%x)
node "b" %b : f32[1,4] = sigmoid(%a)
node "c" %c : f32[1,4] = tanh(%b)
node "y" %y : f32[1,4] = tanh(%a)
output %y
)",
                 R"(input %x : f32[1,4]
node "a" %a : f32[1,4] = tanh(%x)
node "y" %y : f32[1,4] = tanh(%a)
output %y
)");
}

TEST(RemoveDead, AnUnusedInputStays) {
  expect_untouched(remove_dead, R"(input %x : f32[1,4]
input %unused : f32[1]
node "y" %y : f32[1,4] = tanh(%x)
output %y
)");
}

}  // namespace
}  // namespace nibble
