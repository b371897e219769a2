// Cycles, time and energy of networks on small accelerators, worked out by hand from doc/npus.md.
#include <gmock/gmock.h>

#include <cmath>

#include "cost/npu/cycles.h"
#include "cost/npu/npu.h"
#include "cost/npu/power.h"
#include "support/small_npu.h"

namespace nibble {
namespace {

using namespace small_npu;
using F = NpuField;
using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr NpuBankRates kFast{kInf, kInf};

NpuLayer conv_layer() {
  NpuLayer layer;
  layer.op = "conv2d";
  for (const auto& [field, value] : {std::pair{F::kOutC, 20.0},
                                     {F::kInC, 3.0},
                                     {F::kOutPlane, 10.0},
                                     {F::kWeightBits, 5.0},
                                     {F::kInBytes, 64.0},
                                     {F::kOutBytes, 36.0},
                                     {F::kWeightBytes, 30.0},
                                     {F::kKH, 3.0}})
    layer.set(field, value);
  return layer;
}

constexpr const char* kWays = R"(
[parameters]
block = 8
[[variant]]
macs_per_cycle = 2
title = "wider"
parameters = { block = 32 }
source = "s"
[[way]]
name = "a"
op = ["conv2d"]
terms = [ { unit = "array", cycles = 2, of = { out_plane = 1, out_c = "block" } }, { unit = "array", cycles = 5 },
          { unit = "decoder", cycles = 1.5, of = { weight_bits = 1, in_c = 2 } }, { cycles = 7 } ]
source = "s"
[[way]]
name = "b"
op = ["conv2d"]
where = { k_h = 1 }
terms = [ { cycles = 1 } ]
source = "s"
[[way]]
name = "c"
op = ["conv2d", "dense"]
terms = [ { cycles = 100 } ]
source = "s"
)";

TEST(NpuCycles, UnitsWorkSideBySideAndSerialIsAdded) {
  // array: 2 * 10 * ceil(20 / 8) + 5 = 65; decoder: 1.5 * 5 * 2 = 15; serial 7.
  const Npu npu = npu_of(kWays);
  const auto found = npu_cycles(npu, conv_layer(), kFast);
  EXPECT_EQ(found->cycles, 72);
  EXPECT_EQ(found->way, "a");
  // With the wider block: 2 * 10 * 1 + 5 = 25.
  EXPECT_EQ(npu_cycles(with_variant(npu, 2), conv_layer(), kFast)->cycles, 32);
  NpuLayer one = conv_layer();
  one.set(F::kKH, 1);
  EXPECT_EQ(npu_cycles(npu, one, kFast)->way, "b");  // the cheapest of those that select it
  one.op = "tanh";
  EXPECT_FALSE(npu_cycles(npu, one, kFast));
}

constexpr const char* kStreams = R"(
[[stream]]
unit = "array"
op = ["conv2d"]
of = ["in_bytes", "out_bytes"]
bytes_per_cycle = 4
memory = "data"
source = "s"
[[stream]]
unit = "flash"
of = ["weight_bytes"]
bytes_per_cycle = 0.25
memory = "weights"
source = "s"
)";

TEST(NpuCycles, StreamsLoadTheirUnits) {
  const Npu npu = npu_of(std::string(kWays) + kStreams);
  // array: 65 + 100 / 4 = 90; flash: 30 / 0.25 = 120. Way c then has array 25, flash 120, serial
  // 100.
  EXPECT_EQ(npu_cycles(npu, conv_layer(), kFast)->cycles, 127);
  // A slower bank takes the place of the file's rate, a faster one does not: 30 / 0.2 = 150.
  EXPECT_EQ(npu_cycles(npu, conv_layer(), {kInf, 0.2})->cycles, 157);
  EXPECT_EQ(npu_cycles(npu, conv_layer(), {1, 0.5})->cycles, 172);  // 65 + 100 / 1, and 7
}

MemoryBank bank(MemoryKind kind, int64_t bytes, double wait = 0, int64_t line = 0) {
  return {"b", kind, bytes, wait, line, 0};
}

TEST(NpuCycles, RatesOfTheBanksThatTheTargetHas) {
  Target target;
  target.clock_hz = 100;
  target.memory = {bank(MemoryKind::kFlash, 1000, 3, 16),
                   bank(MemoryKind::kExternalFlash, 9000, 31, 32), bank(MemoryKind::kRam, 500),
                   bank(MemoryKind::kTcm, 600, 1, 4)};
  // 16 bytes in 1 + 3 cycles of the core, of which the accelerator has 2 each.
  EXPECT_EQ(npu_bank_rates(target, 200, 800).weights, 2);
  EXPECT_EQ(npu_bank_rates(target, 200, 800).data, 1);      // the larger of RAM and TCM: 4 / 2 / 2
  EXPECT_EQ(npu_bank_rates(target, 100, 2000).weights, 1);  // 32 / 32, as it does not fit inside
  target.memory.push_back(bank(MemoryKind::kNpuWeights, 10));
  target.memory.push_back(bank(MemoryKind::kNpuRam, 10));
  EXPECT_EQ(npu_bank_rates(target, 200, 800).weights, kInf);
  EXPECT_EQ(npu_bank_rates(target, 200, 800).data, kInf);
}

std::string power(double mhz, double mw, const char* covers) {
  return "[[power]]\nclock_mhz = " + std::to_string(mhz) + "\nactive_mw = " + std::to_string(mw) +
         "\ncovers = \"" + covers + "\"\nsource = \"s\"\n";
}

TEST(NpuCycles, PowerBetweenAndBeyondClocks) {
  const Npu npu = npu_of(power(100, 10, "chip") + power(200, 30, "chip") + power(400, 40, "chip"));
  EXPECT_DOUBLE_EQ(*npu_power_mw(npu, 50e6), 5);
  EXPECT_DOUBLE_EQ(*npu_power_mw(npu, 100e6), 10);
  EXPECT_DOUBLE_EQ(*npu_power_mw(npu, 150e6), 20);
  EXPECT_DOUBLE_EQ(*npu_power_mw(npu, 300e6), 35);
  EXPECT_DOUBLE_EQ(*npu_power_mw(npu, 800e6), 80);
  EXPECT_FALSE(npu_power_mw(npu_of(""), 100e6));
}

// x -> conv -> max pool -> conv -> tanh -> reshape -> conv, of which tanh stays on the CPU.
Graph chain() {
  Graph graph;
  const QuantParams quant = grid(0.5f, 0);
  ValueId x = input(graph, {1, 4, 4, 2}, quant);
  graph.inputs = {{x, {}}};
  auto conv = [&](ValueId src) {
    return append(graph, Conv2d{}, {src, weights(graph, {2, 1, 1, 2}, quant)}, quant);
  };
  x = append(graph, MaxPool2d{2, 2, {.stride_h = 2, .stride_w = 2}, {}}, {conv(x)}, quant);
  x = append(graph, Tanh{}, {conv(x)}, quant);
  x = append(graph, Reshape{{1, 1, 4, 2}}, {x}, quant);
  graph.outputs = {{conv(x), {}}};
  return graph;
}

std::string network_rules(const std::string& pool_requirement) {
  return R"(
[[accept]]
name = "conv"
op = ["conv2d"]
source = "s"
[[accept]]
name = "pool"
op = ["max_pool2d"]
source = "s"
)" + pool_requirement +
         R"(
[[accept]]
name = "flat"
op = ["reshape"]
runs = "free"
source = "s"
[[refuse]]
op = ["tanh"]
reason = "no"
replacement = "relu"
source = "s"
[[join]]
first = ["max_pool2d"]
then = ["conv2d"]
source = "s"
[[way]]
name = "w"
op = ["conv2d", "max_pool2d"]
terms = [ { cycles = 1, of = { out_elems = 1 } } ]
source = "s"
)";
}

Target part(double mhz) {
  Target target;
  target.npu = NpuFacts{"small", 0, static_cast<int64_t>(mhz * 1e6)};
  return target;
}

TEST(NpuEstimate, AddsLayersHandoversAndTheCpu) {
  const Graph graph = chain();
  const NpuEstimate estimate =
      estimate_npu(graph, part(1), npu_of(network_rules("")), [](const Node&) { return 0.5; });
  // Output elements: conv 32, pool 8, conv 8, conv 8; 100 cycles for each layer but the pool, which
  // joins the convolution after it; 1000 once; two changes of 10.
  EXPECT_TRUE(estimate.layers[1].joined);
  EXPECT_EQ(estimate.layers[1].cycles, 8);
  EXPECT_EQ(estimate.layers[2].cycles, 108);
  EXPECT_EQ(estimate.layers[2].way, "w");
  EXPECT_EQ(estimate.layers[3].verdict, NpuVerdict::kCpu);
  EXPECT_EQ(estimate.layers[4].verdict, NpuVerdict::kFree);
  EXPECT_EQ(estimate.as_is->handovers, 2);
  EXPECT_EQ(estimate.as_is->cycles, 1000 + 132 + 8 + 108 + 108 + 20);
  EXPECT_DOUBLE_EQ(estimate.as_is->npu_seconds, 1376e-6);
  EXPECT_DOUBLE_EQ(estimate.as_is->seconds(), 0.501376);
  EXPECT_FALSE(estimate.as_is->energy_uj);
  EXPECT_EQ(estimate.changed->cycles, estimate.as_is->cycles);
  EXPECT_TRUE(estimate.excess.empty());
  EXPECT_EQ(estimate.count(NpuVerdict::kNpu), 4);
  EXPECT_EQ(estimate.count(NpuVerdict::kFree), 1);
  EXPECT_EQ(estimate.count(NpuVerdict::kCpu), 1);
}

TEST(NpuEstimate, LayersToRewriteRunOnTheCpuUntilTheyAre) {
  const Npu npu = npu_of(network_rules(R"([[accept.require]]
that = { k_h = 3 }
fix = "rewrite"
reason = "kernel {k_h}"
replacement = "{k_h.legal}"
source = "s"
)"));
  const NpuEstimate estimate = estimate_npu(chain(), part(1), npu, [](const Node&) { return 0.5; });
  EXPECT_EQ(estimate.layers[1].verdict, NpuVerdict::kRewrite);
  EXPECT_EQ(estimate.as_is->handovers, 4);
  EXPECT_EQ(estimate.as_is->cycles, 1000 + 132 + 108 + 108 + 40);
  EXPECT_EQ(estimate.as_is->cpu_seconds, 1);
  EXPECT_EQ(estimate.changed->cycles, 1376);
  EXPECT_EQ(estimate.changed->cpu_seconds, 0.5);
}

// The pooling runs only in front of a convolution, and that one's image of 2x2 is too small.
TEST(NpuEstimate, NothingJoinsALayerThatStaysOnTheCpu) {
  const std::string rules = R"(
[[accept]]
name = "conv"
op = ["conv2d"]
source = "s"
[[accept.require]]
that = { in_h = { min = MIN } }
reason = "small"
replacement = "large"
source = "s"
[[accept]]
name = "pool"
op = ["max_pool2d"]
source = "s"
[[accept.require]]
that = { joins_next = true }
reason = "alone"
replacement = "put it before a convolution"
source = "s"
[[join]]
first = ["max_pool2d"]
then = ["conv2d"]
source = "s"
)";
  auto verdicts = [&](const std::string& min) {
    std::string text = rules;
    text.replace(text.find("MIN"), 3, min);
    const NpuEstimate estimate =
        estimate_npu(chain(), part(1), npu_of(text), [](const Node&) { return 0.5; });
    std::string letters;
    for (const NpuLayerEstimate& layer : estimate.layers)
      letters += npu_verdict_name(layer.verdict)[0];
    return letters + (estimate.layers[1].joined ? " joined" : "");
  };
  EXPECT_EQ(verdicts("1"), "nnnccn joined");
  EXPECT_EQ(verdicts("4"), "nccccc");
}

TEST(NpuEstimate, EnergyOfAcceleratorAndChip) {
  Target known = part(1);
  known.power.active_mw = 4;
  auto estimate = [](const Target& target, const std::string& rules) {
    return estimate_npu(chain(), target, npu_of(network_rules("") + rules),
                        [](const Node&) { return 0.5; });
  };
  auto energy = [&](const Target& target, const std::string& rules) {
    return estimate(target, rules).as_is->energy_uj;
  };
  // mW times seconds are millijoules.
  const double on_core = 0.5 * 4;
  EXPECT_NEAR(*energy(known, power(1, 20, "chip")), (1376e-6 * 20 + on_core) * 1e3, 1e-9);
  EXPECT_NEAR(*energy(known, power(1, 20, "npu")), (1376e-6 * 24 + on_core) * 1e3, 1e-9);
  EXPECT_FALSE(energy(part(1), power(1, 20, "chip")));  // the CPU's share is not known
  EXPECT_FALSE(estimate(known, power(1, 20, "chip")).power_is_guess);

  // Nobody has published it.
  EXPECT_FALSE(energy(part(1), ""));
  const NpuEstimate guess = estimate(known, "");
  EXPECT_TRUE(guess.power_is_guess);
  const double ratio = std::exp(npu_power_ratio().log);
  EXPECT_NEAR(*guess.as_is->energy_uj, (1376e-6 * 4 * ratio + on_core) * 1e3, 1e-9);
  // The range of time, 50 % without a figure, and of the power together.
  EXPECT_GT(*guess.energy_error_percent,
            *npu_chip_power(npu_of(network_rules("")), known, 1e6).guess_percent);
}

std::string limit(const std::string& over, const std::string& terms, int max) {
  return "[[limit]]\nname = \"l\"\nover = \"" + over +
         "\"\nop = [\"conv2d\", \"max_pool2d\"]\nterms = [" + terms +
         "]\nmax = " + std::to_string(max) +
         "\nunit = \"u\"\nreason = \"too much\"\nreplacement = \"less\"\nsource = \"s\"\n";
}

TEST(NpuEstimate, LimitsOfTheNetwork) {
  auto excess = [](const std::string& rule) {
    return estimate_npu(chain(), part(1), npu_of(network_rules("") + rule),
                        [](const Node&) { return 0.0; })
        .excess;
  };
  // 32 + 8 + 8 + 8 elements in fours: 14. Three layers that count, as the pool is joined.
  const std::string fours = "{ of = { out_elems = 4 } }";
  EXPECT_TRUE(excess(limit("sum", fours, 14)).empty());
  EXPECT_TRUE(excess(limit("count", "", 3)).empty());
  const auto sum = excess(limit("sum", fours, 13));
  ASSERT_EQ(sum.size(), 1u);
  EXPECT_EQ(sum[0].amount, 14);
  EXPECT_EQ(sum[0].max, 13);
  EXPECT_EQ(sum[0].why.reason, "too much");
  EXPECT_EQ(excess(limit("count", "", 2)).at(0).amount, 3);
}

TEST(NpuEstimate, TheTargetsClockGoesBeforeTheFiles) {
  Npu npu = npu_of(network_rules(""));
  auto none = [](const Node&) { return 0.0; };
  EXPECT_FALSE(estimate_npu(chain(), part(0), npu, none).as_is);  // nobody says the clock
  npu.clock_hz = 2'000'000;
  EXPECT_EQ(estimate_npu(chain(), part(0), npu, none).clock_hz, 2'000'000);
  EXPECT_EQ(estimate_npu(chain(), part(1), npu, none).clock_hz, 1'000'000);
  npu.ways.clear();
  EXPECT_FALSE(estimate_npu(chain(), part(1), npu, none).as_is);
}

TEST(NpuEstimate, UnknownEnginesAndUnknownRules) {
  auto none = [](const Node&) { return 0.0; };
  const NpuEstimate nothing = estimate_npu(chain(), part(1), std::nullopt, none);
  EXPECT_EQ(nothing.count(NpuVerdict::kUnknown), 6);
  EXPECT_FALSE(nothing.as_is);
  EXPECT_THAT(nothing.layers[0].reasons[0].reason,
              HasSubstr("nothing is known of the accelerator 'small': no target folder has "
                        "npus/small.toml"));
  const auto closed = parse_npu(
      "name = \"a\"\ntitle = \"t\"\nvendor = \"v\"\ncompiler = \"c\"\nlegality = \"unknown\"\n"
      "legality_reason = \"closed\"\n[sources]\ns = { confidence = \"low\", source = \"x\" }\n"
      "[[way]]\nname = \"w\"\nop = [\"conv2d\"]\nterms = [ { cycles = 5 } ]\nsource = \"s\"\n",
      "a.toml");
  ASSERT_TRUE(closed.ok()) << closed.error().message;
  const NpuEstimate estimate = estimate_npu(chain(), part(1), *closed, none);
  EXPECT_EQ(estimate.count(NpuVerdict::kUnknown), 6);
  EXPECT_EQ(estimate.layers[0].reasons[0].reason, "closed");
  EXPECT_EQ(estimate.as_is->cycles, 15);   // its three convolutions
  EXPECT_EQ(estimate.as_is->unpriced, 3);  // what no way selects
  EXPECT_EQ(estimate.as_is->unpriced_weighted, 0);
  EXPECT_EQ(estimate.error_source, "");  // it has no [cost]
}

// A convolution at a width that the file has no figure of: the network has none.
TEST(NpuEstimate, LayersThatMultiplyWithoutAFigureAreCounted) {
  Npu npu = *find_npu("syntiant-core2").value();
  auto none = [](const Node&) { return 0.0; };
  EXPECT_THAT(estimate_npu(chain(), part(1), npu, none).error_source,
              HasSubstr("left out of the fit"));
  NpuRange narrow;
  narrow.field = NpuField::kInBits;
  narrow.max = 4.0;
  for (NpuWay& way : npu.ways) way.where = {narrow};
  EXPECT_EQ(estimate_npu(chain(), part(1), npu, none).as_is->unpriced_weighted, 3);
}

}  // namespace
}  // namespace nibble
