// Estimates of small networks: memory is what compile would take, limits and order hold, and what
// is not known is said.
#include "pipeline/estimate.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "pipeline/pipeline.h"
#include "support/graph_text.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[7], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";

EstimatedModel small_model() {
  const Graph graph =
      graph_of("input %x : s8[1,32,32,8]" + kQuant + "\nconst %w1 : s8[16,3,3,8]" + kWeights +
               " = random\nnode \"first\" %y : s8[1,32,32,16]" + kQuant +
               " = conv2d(%x, %w1, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1\n"
               "const %w2 : s8[8,1,1,16]" +
               kWeights + " = random\nnode \"second\" %z : s8[1,32,32,8]" + kQuant +
               " = conv2d(%y, %w2, _)\noutput %z\n");
  return {"small", graph, graph, graph, graph, false, ""};
}

std::vector<Target> some_targets() {
  std::vector<Target> targets;
  for (const char* name : {"stm32l4r5", "stm32f030", "stm32h743", "rp2040", "esp32c3", "esp32",
                           "max78000", "alife3", "stm32u575"})
    targets.push_back(*find_target(name));
  return targets;
}

Estimates estimated(EstimateQuery query) {
  if (query.targets.empty()) query.targets = some_targets();
  Result<Estimates> estimates = estimate_parts(small_model(), std::move(query));
  EXPECT_TRUE(estimates.ok()) << estimates.error().message;
  return *std::move(estimates);
}

// The same plan as compile's, whoever else shares the instruction sets.
TEST(Estimate, MemoryIsWhatCompileTakes) {
  const EstimatedModel model = small_model();
  EstimateQuery query;
  query.targets = some_targets();
  // So little that only bands help, and too little for any plan.
  query.targets.push_back(query.targets[0]);
  query.targets.back().name = "short";
  query.targets.back().ram_bytes = 26'000;
  query.targets.push_back(query.targets[0]);
  query.targets.back().name = "shortest";
  query.targets.back().ram_bytes = 3'000;
  const Estimates estimates = estimated(query);
  int rows = 0;
  for (const PartEstimate& part : estimates.parts) {
    if (part.of != EstimateOf::kNibble) continue;
    ++rows;
    const Result<Planned> planned = lower_and_plan(model.integer, *part.target, {});
    ASSERT_TRUE(planned.ok());
    EXPECT_EQ(part.ram.total(), planned->plan.arena_bytes + 1024) << part.target->name;
    EXPECT_EQ(part.ram.ports, 2 * 8192);
    EXPECT_EQ(!part.notes.empty() && part.notes[0].starts_with("the caller must use"),
              part.fits() && part.ram.total() + 2 * 8192 > part.target->ram_bytes);
    EXPECT_EQ(part.fits(),
              part.target->name != "shortest" && part.ram.total() <= part.target->ram_bytes)
        << part.target->name << join(part.why_not, "; ");
    EXPECT_TRUE(part.bands > 0 || part.target->name != "short");
  }
  EXPECT_EQ(rows, 11);
}

TEST(Estimate, IsInOrderWithWhatIsOutAtTheEnd) {
  for (EstimateBy order : {EstimateBy::kLatency, EstimateBy::kEnergy}) {
    EstimateQuery query;
    query.order = order;
    query.max_latency_ms = 20;
    query.engines = {"X-CUBE-AI"};
    const Estimates estimates = estimated(query);
    double before = 0;
    bool out = false;
    for (const PartEstimate& part : estimates.parts) {
      if (!part.fits()) {
        out = true;
        continue;
      }
      EXPECT_FALSE(out) << part.target->name << " stands behind one that is out";
      ASSERT_TRUE(part.latency_ms.has_value());
      EXPECT_LE(part.latency_ms->value, 20);
      const std::optional<CostFigure>& figure =
          order == EstimateBy::kLatency ? part.latency_ms : part.energy_uj;
      if (!figure) continue;
      EXPECT_GE(figure->value, before);
      before = figure->value;
    }
    EXPECT_TRUE(out);
  }
}

TEST(Estimate, SaysWhyAPartIsOut) {
  EstimateQuery query;
  query.max_latency_ms = 1e-3;
  query.max_energy_uj = 1e-3;
  for (const PartEstimate& part : estimated(query).parts) {
    EXPECT_FALSE(part.fits());
    EXPECT_THAT(join(part.why_not, "; "), testing::HasSubstr("latency")) << part.target->name;
    EXPECT_THAT(join(part.why_not, "; "), testing::HasSubstr("energy")) << part.target->name;
  }
}

TEST(Estimate, ARateThatCannotBeKeptIsOut) {
  EstimateQuery query;
  query.duty.rate_hz = 1e6;
  for (const PartEstimate& part : estimated(query).parts) {
    if (!part.latency_ms) continue;
    EXPECT_FALSE(part.fits()) << part.target->name;
  }
}

// An Xtensa core: memory is known, time is not, and the reason stands there.
TEST(Estimate, OfACoreWithoutRulesTimeIsMissingWithTheReason) {
  const Estimates estimates = estimated({});
  const auto part = std::ranges::find_if(
      estimates.parts, [](const PartEstimate& each) { return each.target->name == "esp32"; });
  ASSERT_NE(part, estimates.parts.end());
  EXPECT_FALSE(part->latency_ms.has_value());
  EXPECT_GT(part->flash_bytes, 0);
  EXPECT_THAT(join(part->notes, "; "), testing::HasSubstr("xtensa"));
}

TEST(Estimate, AcceleratorsHaveARowOfTheirOwn) {
  EstimateQuery query;
  query.only_npu = true;
  const Estimates estimates = estimated(query);
  ASSERT_FALSE(estimates.parts.empty());
  for (const PartEstimate& part : estimates.parts) {
    EXPECT_EQ(part.of, EstimateOf::kNpu);
    ASSERT_TRUE(part.npu.has_value());
    EXPECT_EQ(part.npu->layers.size(), 2u);
    EXPECT_FALSE(part.npu->error_source.empty());
    if (!part.latency_ms) continue;
    EXPECT_THAT(part.provenance, testing::HasSubstr("80 of 100 within"));
    EXPECT_THAT(part.provenance, testing::HasSubstr("Range"));
  }
}

TEST(Estimate, LayersAddUpToTheWhole) {
  EstimateQuery query;
  query.targets = {*find_target("stm32l4r5"), *find_target("rp2040")};
  query.focus = "stm32l4r5";
  const nlohmann::ordered_json json = estimates_json(estimated(query));
  double cycles = 0, share = 0;
  for (const auto& layer : json["layers"]) {
    cycles += layer["cycles"]["value"].get<double>();
    share += layer["share"].get<double>();
  }
  EXPECT_NEAR(share, 1, 1e-9);
  const auto whole = std::ranges::find_if(
      json["targets"], [](const auto& part) { return part["name"] == "stm32l4r5"; });
  ASSERT_NE(whole, json["targets"].end());
  EXPECT_NEAR(cycles, (*whole)["cycles"]["value"].get<double>(), 1);
}

// Each reason with what is needed, what is there, and how far that is.
TEST(Estimate, SaysByHowMuchAPartMisses) {
  EstimateQuery query;
  query.max_latency_ms = 5;
  query.max_energy_uj = 50;
  const Estimates estimates = estimated(query);
  int out = 0;
  for (const PartEstimate& part : estimates.parts) {
    ASSERT_EQ(part.shortfalls.size(), part.why_not.size());
    out += part.fits() ? 0 : 1;
    for (size_t i = 0; i < part.shortfalls.size(); ++i) {
      const Shortfall& lacking = part.shortfalls[i];
      EXPECT_TRUE(part.why_not[i].starts_with(lacking.of + ": ")) << part.why_not[i];
      EXPECT_GT(lacking.ratio.value_or(2), 1) << part.why_not[i];
      EXPECT_THAT(part.why_not[i], testing::HasSubstr(lacking.needs));
    }
  }
  ASSERT_GT(out, 2);
  const nlohmann::ordered_json json = estimates_json(estimates);
  const std::string text = format_estimates(json, 100);
  EXPECT_THAT(text, testing::HasSubstr(
                        fmt::format("{} of {} ways are out: ", out, json["targets"].size())));
  EXPECT_THAT(text, testing::HasSubstr("> 5.00 ms"));
  EXPECT_THAT(text, testing::HasSubstr("> 50.0 uJ"));
  EXPECT_THAT(format_estimates(json, 1), testing::HasSubstr("--top N shows them"));
}

TEST(Estimate, AnEngineOfOtherCoresHasItsReason) {
  EstimateQuery query;
  query.engines = {"TFLM + CMSIS-NN (Helium)", "X-CUBE-AI", "X-CUBE-AI 10.2"};
  int with = 0, without = 0;
  for (const PartEstimate& part : estimated(query).parts) {
    if (part.of != EstimateOf::kPeer || part.target->core.starts_with("xtensa")) continue;
    if (part.latency_ms) {
      ++with;
      // Its maker licenses it for its own parts: figures to compare, no choice.
      const bool foreign =
          part.engine.starts_with("X-CUBE-AI") && part.target->vendor != "STMicroelectronics";
      EXPECT_EQ(join(part.why_not, "; ").find("licence: only for parts of") != std::string::npos,
                foreign)
          << part.target->name << " " << part.engine;
      continue;
    }
    ++without;
    EXPECT_FALSE(part.fits());
    EXPECT_THAT(join(part.why_not, "; "), testing::HasSubstr("runs on Cortex-M"));
  }
  EXPECT_GE(with, 7);
  EXPECT_GE(without, 7);
  query.targets = {*find_target("stm32l4r5")};
  const Result<Estimates> one = estimate_parts(small_model(), query);
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.error().kind, ErrorKind::kUsage);
  query.engines = {"X-CUBE-AI", "X-CUBE-AI 10.2"};  // one engine, one row
  EXPECT_EQ(estimated(query).parts.size(), 2u);
}

// A layer that stays on the core is as uncertain there as nibble's own code.
TEST(Estimate, LayersLeftOnTheCoreWidenTheRange) {
  EstimateQuery query;
  query.targets = {*find_target("gap9")};
  EstimatedModel model = small_model();
  for (const bool narrow : {false, true}) {
    // A convolution of two groups is no work for NE16 as it stands.
    if (narrow) std::get<Conv2d>(model.handed_over.nodes[0].op).groups = 2;
    const Result<Estimates> estimates = estimate_parts(model, query);
    ASSERT_TRUE(estimates.ok());
    const PartEstimate& there = estimates->parts[estimates->parts[0].npu ? 0 : 1];
    const PartEstimate& own = estimates->parts[estimates->parts[0].npu ? 1 : 0];
    const double npu = there.latency_ms->high80 / there.latency_ms->value;
    const double core = own.latency_ms->high80 / own.latency_ms->value;
    ASSERT_TRUE(there.npu && !own.npu);
    if (!narrow) {
      EXPECT_NEAR(npu, 1.25, 1e-9);
      continue;
    }
    EXPECT_GT(npu, 1.3);
    EXPECT_LT(npu, core);
    EXPECT_THAT(there.provenance, testing::HasSubstr("layers on the core as nibble's"));
  }
}

// What the accelerator does not take is named, a dozen at most, with the reason and what helps.
TEST(Estimate, LayersThatStayOnTheCoreAreNamed) {
  EstimateQuery query;
  query.targets = {*find_target("max78000")};
  query.focus = "max78000";
  nlohmann::ordered_json json = estimates_json(estimated(query));
  const std::string text = format_estimates(json, 20);
  EXPECT_THAT(text, testing::HasSubstr("first"));
  EXPECT_THAT(text, testing::HasSubstr("(conv2d), if quantized otherwise: "));
  EXPECT_THAT(text, testing::HasSubstr("instead: "));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("more; --json")));
  const nlohmann::ordered_json layer = json["npu_layers"][0];
  for (int i = 0; i < 20; ++i) json["npu_layers"].push_back(layer);
  EXPECT_THAT(format_estimates(json, 20), testing::HasSubstr("and 10 more; --json lists all"));
}

// What is recommended keeps to the limits, and the first is the best of its kind.
TEST(Recommend, KeepsToTheLimits) {
  EstimateQuery query;
  query.max_latency_ms = 50;
  const Estimates estimates = estimated(query);
  for (const Application& application : all_applications()) {
    const Recommendation found = recommend(estimates, "small.onnx", &application);
    ASSERT_FALSE(found.choices.empty());
    std::set<size_t> parts;
    for (const Choice& choice : found.choices) {
      EXPECT_TRUE(parts.insert(choice.part).second) << "named twice";
      const PartEstimate& part = estimates.parts[choice.part];
      EXPECT_TRUE(part.fits());
      EXPECT_LE(part.latency_ms->value, 50);
      EXPECT_FALSE(choice.because.empty());
      EXPECT_FALSE(choice.how.empty());
    }
  }
  EXPECT_EQ(find_application("cooking"), nullptr);
}

TEST(Recommend, SaysWhatWasLeftOutAndWithWhichToolchain) {
  EstimateQuery query;
  query.max_latency_ms = 5;
  const Estimates estimates = estimated(query);
  const Recommendation found = recommend(estimates, "small.onnx", nullptr);
  ASSERT_FALSE(found.choices.empty());
  for (const Choice& choice : found.choices)
    EXPECT_THAT(choice.toolchain,
                testing::HasSubstr(estimates.parts[choice.part].of == EstimateOf::kNibble
                                       ? "nibble writes C"
                                       : "makes the accelerator's program"));
  const nlohmann::ordered_json json = recommendation_json(estimates, found);
  const std::string text = format_recommendation(json);
  EXPECT_THAT(text, testing::HasSubstr("   toolchain: "));
  EXPECT_THAT(text, testing::HasSubstr("Left out      "));
  EXPECT_THAT(text, testing::HasSubstr("latency "));
  EXPECT_THAT(text, testing::HasSubstr("at most 5.00 ms asked"));
}

TEST(Recommend, SaysWhatWouldHelpWhereNothingIsLeft) {
  EstimateQuery query;
  query.max_latency_ms = 1e-3;
  const Recommendation found = recommend(estimated(query), "small.onnx", nullptr);
  EXPECT_TRUE(found.choices.empty());
  EXPECT_THAT(found.advice, testing::HasSubstr("miss the limits"));
}

}  // namespace
}  // namespace nibble
