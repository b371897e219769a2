// remove_identities: what changes nothing for the values that can arrive.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = "{scale=[0.05], zero_point=[-28], bits=8, range=[-128,127]}";

std::string behind_relu(const std::string& node) {
  return "input %x : s8[1,8] " + kQuant + "\nconst %zero : s8[1,1] " + kQuant +
         " = hex:e4\nconst %one : s8[8] {scale=[0.125], zero_point=[0], bits=8, range=[-128,127]} "
         "= hex:0808080808080808\nnode \"relu\" %r : s8[1,8] " +
         kQuant + " = clamp(%x) act=[0,5]\nnode \"y\" %y : s8[1,8] " + kQuant + " = " + node +
         "\nnode \"z\" %z : s8[1,8] " + kQuant + " = add(%y, %x)\noutput %z\n";
}

TEST(RemoveIdentities, EachKind) {
  for (const char* node : {"clamp(%r) act=[-1,5]", "leaky_relu(%r) alpha=0.1", "add(%r, %zero)",
                           "sub(%r, %zero)", "add(%zero, %r)", "mul(%r, %one)", "quantize(%r)"})
    EXPECT_EQ(after_pass(remove_identities, graph_of(behind_relu(node))).nodes.size(), 2u) << node;
}

TEST(RemoveIdentities, WhatDoesSomethingStays) {
  for (const char* node : {"clamp(%r) act=[0,4.9]", "leaky_relu(%x) alpha=0.1", "sub(%zero, %r)",
                           "add(%r, %r)", "hard_swish(%r)", "mul(%zero, %r)"})
    expect_untouched(remove_identities, behind_relu(node));
}

}  // namespace
}  // namespace nibble
