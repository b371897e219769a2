// Files of accelerators: every section is read, every mistake is told with file, line and field,
// and the shipped files and the engines that targets name belong together.
#include "target/npu.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/file.h"
#include "base/rng.h"
#include "target/target.h"

namespace nibble {
namespace {

using testing::HasSubstr;

constexpr const char* kGood = R"(name = "engine-1"
title = "An engine"
vendor = "Someone"
compiler = "enginec"
legality = "rules"
clock_mhz = 200.5
macs_per_cycle = 64

[sources]
clock = { confidence = "high", source = "a" }
peak = { confidence = "medium", source = "b" }
manual = { confidence = "high", source = "c" }

[parameters]
block = 8
rate = 0.5

[[variant]]
macs_per_cycle = 128
title = "the larger one"
parameters = { block = 16 }
source = "manual"

[[require]]
op = ["conv2d", "dense"]
when = { in_bits = 8 }
that = { weight_bits = { one_of = [4, 8] }, act = "relu", weight_symmetric = true }
fix = "rewrite"
reason = "weights of {weight_bits} bits"
replacement = "{weight_bits.legal} bits"
source = "manual"
confidence = "low"

[[accept]]
name = "convolution"
op = ["conv2d"]
where = { stride_w = "stride_h", k_h = { min = 1, max = "block", not_multiple_of = 2, none_of = [5] }, axes = { none_of = ["hw"] } }
source = "manual"
[[accept.require]]
any = [ { groups = 1 }, { in_c = { multiple_of = "groups" } } ]
reason = "groups"
replacement = "none"
source = "manual"

[[accept]]
name = "flattening"
op = ["reshape"]
runs = "free"
source = "manual"

[[refuse]]
op = ["softmax"]
reason = "no"
replacement = "leave it out"
source = "manual"

[[join]]
first = ["max_pool2d"]
then = ["conv2d"]
where = { k_h = 2 }
free = "then"
source = "manual"

[[limit]]
name = "weights"
over = "sum"
terms = [ { times = 0.25, of = { weight_bytes = 4 } } ]
max = "block"
unit = "words"
reason = "too many"
replacement = "fewer"
source = "manual"

[[limit]]
name = "layers"
over = "count"
terms = []
max = 3
unit = "layers"
reason = "too many"
replacement = "fewer"
source = "manual"

[[way]]
name = "plain"
op = ["conv2d"]
terms = [ { unit = "array", cycles = 4, of = { out_c = "block" } }, { cycles = 0 } ]
source = "manual"

[[stream]]
unit = "bus"
of = ["in_bytes", "out_bytes"]
bytes_per_cycle = "rate"
memory = "data"
source = "manual"

[[power]]
clock_mhz = 200
active_mw = 20
supply_v = 1.2
covers = "npu"
source = "manual"
[[power]]
clock_mhz = 100
active_mw = 8
covers = "npu"
source = "manual"

[cost]
inference_cycles = 1
layer_cycles = 2
handover_cycles = 3
error_percent = 15
source = "manual"
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kGood;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  auto npu = parse_npu(text, "e.toml");
  EXPECT_FALSE(npu.ok());
  return npu.ok() ? "" : npu.error().message;
}

std::string error_with(const std::string& from, const std::string& to) {
  return error_of(replaced(from, to));
}

TEST(NpuFile, ReadsEverySection) {
  auto npu = parse_npu(kGood, "e.toml");
  ASSERT_TRUE(npu.ok()) << npu.error().message;
  EXPECT_EQ(npu->name, "engine-1");
  EXPECT_TRUE(npu->rules_known);
  EXPECT_EQ(npu->clock_hz, 200500000);
  EXPECT_EQ(npu->macs_per_cycle, 64);
  ASSERT_EQ(npu->require.size(), 1u);
  const NpuRequirement& require = npu->require[0];
  EXPECT_EQ(require.ops, (std::vector<std::string>{"conv2d", "dense"}));
  EXPECT_EQ(require.confidence, Confidence::kLow);  // its own goes before its source's
  EXPECT_EQ(require.text.fix, NpuFix::kRewrite);
  ASSERT_EQ(require.any.size(), 1u);
  EXPECT_EQ(require.any[0].size(), 3u);
  ASSERT_EQ(npu->accept.size(), 2u);
  EXPECT_EQ(npu->accept[0].confidence, Confidence::kHigh);
  EXPECT_EQ(npu->accept[0].require[0].any.size(), 2u);
  EXPECT_EQ(npu->accept[0].require[0].text.fix, NpuFix::kRedesign);
  EXPECT_TRUE(npu->accept[1].free);
  EXPECT_FALSE(npu->joins[0].first_is_free);
  EXPECT_EQ(npu->limits[0].over, NpuLimit::Over::kSum);
  EXPECT_EQ(std::get<NpuParameter>(npu->limits[0].max).index, 0u);
  EXPECT_EQ(npu->ways[0].terms[0].unit, "array");
  EXPECT_EQ(npu->ways[0].terms[1].unit, "serial");
  EXPECT_EQ(std::get<double>(npu->ways[0].terms[1].times), 0);
  EXPECT_EQ(npu->streams[0].of, (std::vector<NpuField>{NpuField::kInBytes, NpuField::kOutBytes}));
  EXPECT_EQ(npu->power[0].clock_hz, 100e6);  // sorted
  EXPECT_FALSE(npu->power[0].covers_chip);
  EXPECT_EQ(npu->cost.handover_cycles, 3);
  EXPECT_EQ(npu->cost.error_percent, 15);
  EXPECT_FALSE(npu->cost.energy_error_percent);
}

TEST(NpuFile, VariantsReplaceParametersByTheNearestSize) {
  const Npu npu = *parse_npu(replaced("[[require]]", R"([[variant]]
macs_per_cycle = 64
title = "this one"
parameters = { rate = 2 }
source = "manual"
[[require]])"),
                             "e.toml");
  EXPECT_EQ(with_variant(npu, 120).parameters[0].second, 16);
  EXPECT_EQ(with_variant(npu, 120).macs_per_cycle, 128);
  EXPECT_EQ(with_variant(npu, 65).parameters[0].second, 8);
  EXPECT_EQ(with_variant(npu, 0).parameters[1].second, 2);  // the file's own size: 64
}

TEST(NpuFile, ErrorsOfTheHead) {
  EXPECT_THAT(error_with("name = \"engine-1\"", ""), HasSubstr("name is missing"));
  EXPECT_THAT(error_with("engine-1", "Engine"), HasSubstr("e.toml:1: name is 'Engine'; it has"));
  EXPECT_THAT(error_with("title =", "titel ="), HasSubstr("title is missing"));
  EXPECT_THAT(error_with("\"rules\"", "\"none\""),
              HasSubstr("e.toml:5: legality is 'none'; known: rules, unknown"));
  EXPECT_THAT(error_with("\"rules\"", "\"unknown\""), HasSubstr("legality_reason is missing"));
  EXPECT_THAT(error_with("\"rules\"", "\"unknown\"\nlegality_reason = \"x\""),
              HasSubstr("require stands beside legality = \"unknown\""));
  EXPECT_THAT(error_with("\"rules\"", "\"rules\"\nlegality_reason = \"x\""),
              HasSubstr("e.toml:6: legality_reason stands beside legality = \"rules\""));
  EXPECT_THAT(error_with("200.5", "-1"), HasSubstr("e.toml:6: clock_mhz is -1"));
  EXPECT_THAT(error_with("macs_per_cycle = 64", "macs_per_cycle = inf"),
              HasSubstr("macs_per_cycle is inf"));
  EXPECT_THAT(error_with("[[require]]", "[[requier]]"),
              HasSubstr("requier is not a field of an accelerator; did you mean 'require'?"));
}

TEST(NpuFile, ErrorsOfSources) {
  EXPECT_THAT(error_with("[sources]", "[source]"), HasSubstr("sources is missing"));
  EXPECT_THAT(error_with("clock = {", "clocks = {"),
              HasSubstr("clock_mhz has no source: [sources] needs the key 'clock'"));
  EXPECT_THAT(error_with("\"b\" }", "\"b\" }\nidle = { confidence = \"low\", source = \"d\" }"),
              HasSubstr("sources has 'idle', which no entry names"));
  EXPECT_THAT(error_with("confidence = \"medium\"", "confidence = \"sure\""),
              HasSubstr("sources.peak.confidence is 'sure'; known: high, medium, low"));
  EXPECT_THAT(error_with("peak = { confidence = \"medium\", source = \"b\" }", "peak = \"b\""),
              HasSubstr("sources has 'peak', which is no {"));
  EXPECT_THAT(
      error_with("then\"\nsource = \"manual\"", "then\"\nsource = \"manaul\""),
      HasSubstr("join.source has source 'manaul', which is not known; did you mean 'manual'?"));
  EXPECT_THAT(error_with("then\"\nsource = \"manual\"", "then\""),
              HasSubstr("join.source is missing"));
  EXPECT_THAT(error_with("confidence = \"low\"", "confidence = 3"),
              HasSubstr("require.confidence must be a string"));
}

TEST(NpuFile, ErrorsOfParametersAndVariants) {
  EXPECT_THAT(error_with("block = 8", "block = \"8\""),
              HasSubstr("parameters.block must be a number"));
  EXPECT_THAT(error_with("block = 8", "in_c = 8"),
              HasSubstr("parameters.in_c is called like a field of a layer"));
  EXPECT_THAT(error_with("block = 8", "Block = 8"), HasSubstr("parameters.Block is no name"));
  EXPECT_THAT(error_with("block = 8", "block = nan"), HasSubstr("it must be from 0 to"));
  EXPECT_THAT(error_with("block = 8", "block = 0"),
              HasSubstr("parameters has block = 0, by which an entry divides"));
  EXPECT_THAT(error_with("block = 16", "block = 0"),
              HasSubstr("parameters has block = 0, by which an entry divides"));
  EXPECT_THAT(
      error_with("{ block = 16 }", "{ blok = 16 }"),
      HasSubstr("variant.parameters.blok is not a field of this table; did you mean 'block'?"));
  EXPECT_THAT(error_with("macs_per_cycle = 128", ""),
              HasSubstr("variant.macs_per_cycle is missing"));
}

TEST(NpuFile, ErrorsOfRanges) {
  EXPECT_THAT(
      error_with("{ in_bits = 8 }", "{ in_bit = 8 }"),
      HasSubstr("e.toml:26: require.when has field 'in_bit', which is not known; did you mean "
                "'in_bits'?"));
  EXPECT_THAT(error_with("{ in_bits = 8 }", "{}"),
              HasSubstr("require.when must be a table of fields"));
  EXPECT_THAT(error_with("{ in_bits = 8 }", "{ in_bits = {} }"),
              HasSubstr("require.when.in_bits is an empty range"));
  EXPECT_THAT(error_with("{ in_bits = 8 }", "{ in_bits = true }"),
              HasSubstr("must be a number or the name of a parameter"));
  EXPECT_THAT(error_with("one_of = [4, 8]", "oneof = [4, 8]"),
              HasSubstr("require.that.weight_bits.oneof is no part of a range; known: min"));
  EXPECT_THAT(error_with("one_of = [4, 8]", "one_of = []"),
              HasSubstr("must be a list of numbers, one at least"));
  EXPECT_THAT(
      error_with("act = \"relu\"", "act = \"rely\""),
      HasSubstr("require.that.act has word 'rely', which is not known; did you mean 'relu'?"));
  EXPECT_THAT(error_with("act = \"relu\"", "act = { min = 3 }"),
              HasSubstr("is no part of a range of words; known: one_of, none_of"));
  EXPECT_THAT(error_with("act = \"relu\"", "act = { one_of = [3] }"),
              HasSubstr("must be a list of words"));
  EXPECT_THAT(error_with("weight_symmetric = true", "weight_symmetric = 1"),
              HasSubstr("require.that.weight_symmetric is a flag: it must be true or false"));
  EXPECT_THAT(error_with("[\"hw\"]", "[\"xy\"]"), HasSubstr("axes are letters of n, h, w and c"));
  EXPECT_THAT(error_with("stride_w = \"stride_h\"", "stride_w = \"stride\""),
              HasSubstr("accept.where.stride_w has parameter or number field 'stride'"));
  EXPECT_THAT(error_with("not_multiple_of = 2", "not_multiple_of = 0"),
              HasSubstr("not_multiple_of is 0; it must be above 0"));
  EXPECT_THAT(error_with("max = \"block\", not", "max = 1e300, not"), HasSubstr("is allowed"));
}

TEST(NpuFile, ErrorsOfRules) {
  EXPECT_THAT(error_with("op = [\"conv2d\", \"dense\"]", "op = [\"conv\"]"),
              HasSubstr("require.op has operator 'conv', which is not known"));
  EXPECT_THAT(error_with("op = [\"conv2d\", \"dense\"]", "op = []"),
              HasSubstr("require.op is empty"));
  EXPECT_THAT(error_with("that = { weight_bits", "some = { weight_bits"),
              HasSubstr("require.that is missing: a requirement has `that` or `any`"));
  EXPECT_THAT(error_with("any = [", "that = { groups = 1 }\nany = ["),
              HasSubstr("accept.require.that stands beside `any`"));
  EXPECT_THAT(
      error_with("any = [ { groups = 1 }, { in_c = { multiple_of = \"groups\" } } ]", "any = []"),
      HasSubstr("accept.require.any must be a list of tables"));
  EXPECT_THAT(error_with("\"rewrite\"", "\"rewritten\""),
              HasSubstr("require.fix is 'rewritten'; known: redesign, requantize, rewrite"));
  EXPECT_THAT(error_with("reason = \"no\"", ""), HasSubstr("refuse.reason is missing"));
  EXPECT_THAT(error_with("runs = \"free\"", "runs = \"fast\""),
              HasSubstr("accept.runs is 'fast'; known: npu, free"));
  EXPECT_THAT(error_with("name = \"flattening\"", ""), HasSubstr("accept.name is missing"));
  EXPECT_THAT(error_with("op = [\"softmax\"]", ""), HasSubstr("refuse.op is missing"));
  EXPECT_THAT(error_with("free = \"then\"", "free = \"both\""),
              HasSubstr("join.free is 'both'; known: first, then"));
  EXPECT_THAT(error_with("then = [\"conv2d\"]", ""), HasSubstr("join.then is missing"));
  EXPECT_THAT(error_with("free = \"then\"", "fre = \"then\""),
              HasSubstr("join.fre is not a field of this table; did you mean 'free'?"));
}

TEST(NpuFile, ErrorsOfTexts) {
  EXPECT_THAT(error_with("{weight_bits} bits", "{weight_bit} bits"),
              HasSubstr("require.reason has field 'weight_bit', which is not known"));
  EXPECT_THAT(error_with("{weight_bits} bits", "{weight_bits bits"),
              HasSubstr("require.reason has a '{' or '}' without the other"));
  EXPECT_THAT(error_with("{weight_bits} bits", "weight_bits} bits"),
              HasSubstr("require.reason has a '{' or '}' without the other"));
  EXPECT_THAT(
      error_with("{weight_bits.legal}", "{out_c.legal}"),
      HasSubstr("require.replacement has {out_c.legal}, but the requirement gives that field "
                "no range"));
  EXPECT_THAT(error_with("one_of = [4, 8]", "none_of = [4, 8]"),
              HasSubstr("no range with a nearest value"));
  EXPECT_THAT(error_with("leave it out", "{out_c.legal}"), HasSubstr("{out_c.legal}"));
  EXPECT_THAT(error_with("too many", "{out_c} are too many"),
              HasSubstr("limit.reason has {out_c}, but it does not speak of a single layer"));
}

TEST(NpuFile, ErrorsOfCost) {
  EXPECT_THAT(error_with("over = \"sum\"", "over = \"all\""),
              HasSubstr("limit.over is 'all'; known: each, sum, count"));
  EXPECT_THAT(error_with("over = \"sum\"", "over = \"count\""),
              HasSubstr("limit.terms stand beside over = \"count\""));
  EXPECT_THAT(error_with("over = \"count\"", "over = \"each\""),
              HasSubstr("limit.terms must be a list of tables, one at least"));
  EXPECT_THAT(error_with("max = 3", ""), HasSubstr("limit.max is missing"));
  EXPECT_THAT(error_with("max = 3", "max = -3"),
              HasSubstr("limit.max is -3; it must not be negative"));
  EXPECT_THAT(error_with("times = 0.25", "cycles = 0.25"),
              HasSubstr("terms.cycles is not a field of this table"));
  EXPECT_THAT(error_with("cycles = 4, of", "of"), HasSubstr("terms.cycles is missing"));
  EXPECT_THAT(error_with("{ out_c = \"block\" }", "{ act = 1 }"),
              HasSubstr("terms.of has number field 'act', which is not known"));
  EXPECT_THAT(error_with("{ out_c = \"block\" }", "{ out_c = 0 }"),
              HasSubstr("terms.of.out_c is 0; a granule must be above 0"));
  EXPECT_THAT(error_with("{ out_c = \"block\" }", "{ out_c = \"in_c\" }"),
              HasSubstr("terms.of.out_c has parameter 'in_c', which is not known"));
  EXPECT_THAT(
      error_with("terms = [ { unit = \"array\", cycles = 4, of = { out_c = \"block\" } }, { "
                 "cycles = 0 } ]",
                 "terms = [ 3 ]"),
      HasSubstr("way.terms must be a list of tables"));
  EXPECT_THAT(error_with("\"in_bytes\", \"out_bytes\"", "\"bytes\""),
              HasSubstr("stream.of has number field 'bytes'"));
  EXPECT_THAT(error_with("\"in_bytes\", \"out_bytes\"", ""), HasSubstr("stream.of is empty"));
  EXPECT_THAT(error_with("= \"rate\"", "= 0"), HasSubstr("stream.bytes_per_cycle is 0"));
  EXPECT_THAT(error_with("bytes_per_cycle = \"rate\"", ""),
              HasSubstr("stream.bytes_per_cycle is missing"));
  EXPECT_THAT(error_with("memory = \"data\"", "memory = \"flash\""),
              HasSubstr("stream.memory is 'flash'; known: data, weights"));
  EXPECT_THAT(error_with("clock_mhz = 100", "clock_mhz = 200"),
              HasSubstr("power.clock_mhz is that of another [[power]]"));
  EXPECT_THAT(error_with("8\ncovers = \"npu\"", "8\ncovers = \"chip\""),
              HasSubstr("power.covers differs from another [[power]]"));
  EXPECT_THAT(error_with("active_mw = 8", ""), HasSubstr("power.active_mw is missing"));
  EXPECT_THAT(error_with("layer_cycles = 2", "layer_cycles = -2"),
              HasSubstr("cost.layer_cycles is -2; it must be from 0"));
  EXPECT_THAT(
      error_with("layer_cycles = 2", "layers_cycles = 2"),
      HasSubstr("cost.layers_cycles is not a field of this table; did you mean 'layer_cycles'"));
}

TEST(NpuFile, IsFoundInFoldersOfTargets) {
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  const std::filesystem::path npus = dir->path() / "npus";
  std::filesystem::create_directory(npus);
  ASSERT_TRUE(write_text_file(npus / "engine-1.toml", kGood).ok());
  ASSERT_TRUE(write_text_file(npus / "other.toml", kGood).ok());
  ::setenv("NIBBLE_TARGETS", dir->path().c_str(), 1);
  auto own = find_npu("engine-1");
  auto other = find_npu("other");
  auto shipped = find_npu("ethos-u55");
  auto none = find_npu("nnlite");
  auto outside = find_npu("../npus/engine-1");
  ::unsetenv("NIBBLE_TARGETS");
  ASSERT_TRUE(own.ok()) << own.error().message;
  EXPECT_TRUE(own->has_value());
  EXPECT_THAT(other.error().message, HasSubstr("call the file 'engine-1.toml'"));
  EXPECT_TRUE(shipped.ok() && shipped->has_value());
  EXPECT_TRUE(none.ok() && !none->has_value());
  EXPECT_TRUE(outside.ok() && !outside->has_value());
}

// A shipped file says something of every operator whatever its fields, and can price whatever it
// accepts.
TEST(NpuFile, ShippedFilesAreWhole) {
  const auto npus = all_npus();
  ASSERT_TRUE(npus.ok()) << npus.error().message;
  EXPECT_GE(npus->size(), 18u);
  for (const Npu& npu : *npus) {
    SCOPED_TRACE(npu.name);
    if (!npu.rules_known) continue;
    std::set<std::string> ruled, priced;
    for (const NpuWay& way : npu.ways) priced.insert(way.ops.begin(), way.ops.end());
    for (const NpuRefusal& refusal : npu.refuse)
      ruled.insert(refusal.ops.begin(), refusal.ops.end());
    for (const NpuAccept& accept : npu.accept)
      for (const std::string& op : accept.ops) {
        if (accept.where.empty()) ruled.insert(op);
        EXPECT_TRUE(accept.free || npu.ways.empty() || priced.contains(op)) << op << " has no way";
      }
    for (std::string_view op : npu_operators())
      EXPECT_TRUE(ruled.contains(std::string(op))) << op << " is neither accepted nor refused";
  }
}

TEST(NpuFile, EveryEngineOfAShippedTargetHasAFile) {
  const auto targets = all_targets();
  ASSERT_TRUE(targets.ok()) << targets.error().message;
  for (const Target& target : *targets) {
    if (!target.npu) continue;
    const auto npu = find_npu(target.npu->engine);
    ASSERT_TRUE(npu.ok()) << npu.error().message;
    EXPECT_TRUE(npu->has_value()) << target.name << " names " << target.npu->engine;
  }
}

// Bytes changed, cut, doubled and moved about: an error or a file, never an end of the program.
TEST(NpuFile, HostileTextIsAnError) {
  for (const char* text : {"", "name = ", "name = 3", "[[accept]]", "sources = 3",
                           "name = \"a\"\n[sources]\n[[sources.x]]"})
    error_of(text);
  error_of(std::string("\0\xff\xfe", 3));
  error_of(std::string(100000, '['));
  const std::string good = kGood;
  Rng rng(7);
  auto below = [&](size_t end) {
    return static_cast<size_t>(rng.integer(0, static_cast<int64_t>(end) - 1));
  };
  int read = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (int edit = 0; edit <= round % 3; ++edit) {
      const size_t at = below(text.size()), length = 1 + below(40);
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(below(256));
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, good.substr(below(good.size()), length));
          break;
        default:
          text.insert(at, "9999999999");
      }
    }
    auto npu = parse_npu(text, "e.toml");
    if (npu.ok())
      ++read;
    else
      EXPECT_THAT(npu.error().message, HasSubstr("e.toml"));
  }
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace nibble
