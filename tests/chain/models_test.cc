// The chain on the int8 models beside the repository, from golden outputs to the emulated core; and
// their arenas beside the peer's (../shared/baseline).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

struct Model {
  std::string path;  // below data/models, without .tflite
  std::string peer;  // key in the baseline, or empty
};

void PrintTo(const Model& model, std::ostream* out) { *out << model.path; }

Graph read_simplified(const std::string& path) {
  Result<Graph> graph = read_model(shared_path("data/models/" + path + ".tflite"));
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  Status simplified = simplify(*graph);
  EXPECT_TRUE(simplified.ok()) << simplified.error().message;
  return *graph;
}

// Samples one after another, each input after the other.
std::vector<std::vector<Tensor>> cut(const std::vector<uint8_t>& bytes,
                                     const std::vector<TensorType>& types) {
  std::vector<std::vector<Tensor>> samples;
  for (size_t at = 0; at < bytes.size();) {
    std::vector<Tensor>& sample = samples.emplace_back();
    for (const TensorType& type : types) {
      Tensor& tensor = sample.emplace_back(type);
      std::span<uint8_t> dst = tensor.mutable_bytes();
      NIBBLE_CHECK(at + dst.size() <= bytes.size());
      std::memcpy(dst.data(), bytes.data() + at, dst.size());
      at += dst.size();
    }
  }
  return samples;
}

std::vector<TensorType> types_of(const Graph& graph, const std::vector<Port>& ports) {
  std::vector<TensorType> types;
  for (const Port& port : ports) types.push_back(graph.type(port.value));
  return types;
}

int64_t peer_arena(const std::string& key) {
  std::ifstream file(shared_path("baseline/tflm_cmsis_nn.json"));
  nlohmann::json json = nlohmann::json::parse(file);
  return json["best"]["cortex-m4"][key]["arena_bytes"].get<int64_t>();
}

class ChainModel : public testing::TestWithParam<Model> {};

TEST_P(ChainModel, FromGoldenOutputsToTheEmulatedCore) {
  const Model& model = GetParam();
  NIBBLE_NEED_SHARED("data/models/" + model.path + ".tflite");
  Graph graph = read_simplified(model.path);
  std::string golden = model.path;
  golden.replace(golden.find('/'), 1, "__");
  auto in = read_file(shared_path("data/golden/random/" + golden + "_tflite.in.bin"));
  auto out = read_file(shared_path("data/golden/random/" + golden + "_tflite.out.bin"));
  ASSERT_TRUE(in.ok() && out.ok());
  auto samples = cut(*in, types_of(graph, graph.inputs));
  auto expected = cut(*out, types_of(graph, graph.outputs));
  samples.resize(std::min<size_t>(samples.size(), 4));

  ChainOptions options;
  options.targets = chain_targets();
  options.target_samples = 4;
  Result<ChainReport> report = check_chain(graph, samples, options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (size_t s = 0; s < samples.size(); ++s)
    for (size_t i = 0; i < expected[s].size(); ++i)
      EXPECT_TRUE(std::ranges::equal(report->outputs[s][i].bytes(), expected[s][i].bytes()))
          << "golden output " << i << " of sample " << s;
  std::string peer;
  if (!model.peer.empty()) {
    EXPECT_LT(report->plan.arena_bytes, peer_arena(model.peer));
    peer = ", peer " + with_thousands(peer_arena(model.peer));
  }
  std::string instructions;
  for (int64_t count : report->instructions_per_inference)
    instructions += ", instructions " + with_thousands(count);
  fmt::print("{}: arena {} (bound {}, {}{}), weights {}{}\n", model.path,
             with_thousands(report->plan.arena_bytes),
             with_thousands(report->plan.lower_bound_bytes), report->plan.method, peer,
             with_thousands(report->weight_bytes), instructions);
  NIBBLE_NEED_CORE(cortex_m4());
}

INSTANTIATE_TEST_SUITE_P(
    Int8, ChainModel,
    testing::Values(
        Model{"mlperf_tiny/kws_dscnn_int8", "kws"}, Model{"mlperf_tiny/ic_resnet8_int8", "ic"},
        Model{"mlperf_tiny/vww_mobilenetv1_int8", "vww"}, Model{"mlperf_tiny/ad01_int8", "ad"},
        Model{"mlperf_tiny/ic_resnet8_large_int8", ""}, Model{"mlperf_tiny/sww_int8", ""},
        Model{"tflm/hello_world_int8", ""}, Model{"tflm/micro_speech_quantized", ""},
        Model{"tflm/person_detect", ""}, Model{"tinymaix/cifar10_int8", ""},
        Model{"tinymaix/mbnet96_0.25_int8", ""}, Model{"tinymaix/vww96_int8", ""},
        Model{"tinyengine/vww_80_mcunet_int8", ""}, Model{"tinyengine/detection_int8", ""}),
    [](const auto& instance) {
      std::string name = c_identifier(instance.param.path);
      std::erase(name, '_');
      return name;
    });

}  // namespace
}  // namespace nibble
