// The chain on random networks, and that it finds and names the layer where a link breaks.
#include "chain/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/chain_targets.h"
#include "chain/host_trace.h"
#include "chain/random_networks.h"
#include "emit/emit.h"
#include "lower/lower.h"

namespace nibble {
namespace {

TEST(Chain, RandomNetworksOnTheHost) {
  for (uint64_t seed = 100; seed < 200; ++seed) {
    Graph graph = random_integer_graph(seed);
    ChainOptions options;
    options.sanitized = false;
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 2, seed), options);
    EXPECT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
  }
}

class ChainRandom : public testing::TestWithParam<uint64_t> {};

TEST_P(ChainRandom, HoldsToTheEmulatedCore) {
  Graph graph = random_integer_graph(GetParam());
  ChainOptions options;
  options.targets = chain_targets();
  Result<ChainReport> report = check_chain(graph, random_samples(graph, 4, GetParam()), options);
  EXPECT_TRUE(report.ok()) << report.error().message;
  NIBBLE_NEED_CORE(cortex_m4());
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChainRandom, testing::Range<uint64_t>(1, 13));

// x → dense "first" → dense "second" → dense "third"
Graph three_dense() {
  Graph graph;
  graph.name = "three";
  QuantParams quant{{0.5f}, {3}, -1, 8, -128, 127};
  ValueId value = append_input(graph, "x", {{1, 4}, DType::kS8, quant});
  int8_t start = 10;
  for (const char* name : {"first", "second", "third"}) {
    std::vector<int8_t> elems(16);
    for (int8_t& elem : elems) elem = start += 3;
    Tensor tensor = Tensor::of<int8_t>({4, 4}, DType::kS8, elems);
    tensor.set_quant(QuantParams{{0.004f}, {0}, -1, 8, -127, 127});
    ValueId filter = append_constant(graph, "w", tensor);
    value = *append_node(graph, Dense{}, name, {value, filter, kNoValue}, quant);
  }
  graph.outputs.push_back({value, {}});
  return graph;
}

TEST(Chain, BrokenLinkNamesTheFirstLayerThatDiffers) {
  Graph graph = three_dense();
  ChainOptions options;
  options.tamper = [](Library& library) {
    for (EmittedFile& file : library.files) {
      if (file.path != "three_weights.h") continue;
      // Whatever the target's kernel calls its weights, they come first.
      size_t at = file.text.find("three_second_");
      ASSERT_NE(at, std::string::npos);
      at = file.text.find_first_of("0123456789", file.text.find('{', at));
      if (file.text.compare(at, 2, "0x") == 0)
        file.text[at + 2] = file.text[at + 2] == '1' ? '3' : '1';
      else
        file.text.insert(at, "-");
    }
  };
  Result<ChainReport> report = check_chain(graph, random_samples(graph, 4, 1), options);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, testing::HasSubstr("on the host under sanitizers"));
  EXPECT_THAT(report.error().message, testing::HasSubstr("layer \"second\""));
  NIBBLE_NEED_CORE(cortex_m4());
  options.sanitized = false;
  options.targets = chain_targets();
  report = check_chain(graph, random_samples(graph, 4, 1), options);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, testing::HasSubstr("generated C on mps2-an386"));
  EXPECT_THAT(report.error().message, testing::HasSubstr("layer \"second\""));
}

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
