// The chain on random networks, and that it finds and names the layer where a link breaks.
#include "chain/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/chain_targets.h"
#include "chain/host_trace.h"
#include "emit/emit.h"
#include "lower/lower.h"
#include "support/random_graph.h"

namespace nibble {
namespace {

Graph random_integer_graph(uint64_t seed) {
  RandomGraphOptions options;
  options.integer = true;
  options.nodes = 4 + static_cast<int>(seed % 20);
  options.unfolded = seed % 3 != 0;
  options.dense_head = seed % 4 != 0;
  Graph graph = random_graph(seed, options);
  if (seed % 2) graph.rounding = Rounding::kSingle;
  return graph;
}

TEST(Chain, RandomNetworksOnTheHost) {
  for (uint64_t seed = 100; seed < 200; ++seed) {
    Graph graph = random_integer_graph(seed);
    if (!verify_graph(graph, VerifyLevel::kImported).ok()) continue;
    ChainOptions options;
    options.sanitized = false;
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 2, seed), options);
    EXPECT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
  }
}

class ChainRandom : public testing::TestWithParam<uint64_t> {};

TEST_P(ChainRandom, HoldsToTheEmulatedCore) {
  Graph graph = random_integer_graph(GetParam());
  if (!verify_graph(graph, VerifyLevel::kImported).ok()) GTEST_SKIP();
  ChainOptions options;
  options.targets = chain_targets();
  Result<ChainReport> report = check_chain(graph, random_samples(graph, 4, GetParam()), options);
  EXPECT_TRUE(report.ok()) << report.error().message;
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChainRandom, testing::Range<uint64_t>(1, 13));

// A kernel that computes something else is not needed to see a trace: the trace of a sound library
// equals the program's own buffers, so that a difference would be seen at its layer.
TEST(HostTrace, EqualsTheProgramsBuffers) {
  Graph graph = random_integer_graph(8);
  Result<Program> program = lower(graph);
  ASSERT_TRUE(program.ok());
  MemoryPlan planned = *plan(*program);
  Library library = *emit(*program, planned);
  std::vector<Tensor> sample = random_samples(graph, 1, 3)[0];
  auto trace = trace_on_host(library, *program, planned, sample);
  ASSERT_TRUE(trace.ok()) << trace.error().message;
  HostProgram host(*program, planned.offsets, planned.arena_bytes);
  size_t compared = 0;
  host.set_observer([&](size_t call) {
    for (const Operand& operand : program->calls[call].operands)
      if (operand.role == Operand::Role::kDst) {
        EXPECT_TRUE(std::ranges::equal((*trace)[call], host.buffer(operand.buffer))) << call;
        ++compared;
      }
  });
  host.run(sample);
  EXPECT_EQ(compared, program->calls.size());
  EXPECT_EQ(trace->size(), program->calls.size());
}

}  // namespace
}  // namespace nibble
