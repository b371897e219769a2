// Damaged .tflite files: cut short anywhere, with random bytes changed. Any of them gives an error
// or a graph that verifies, never a crash; run under the sanitizers this is what proves the
// reader's checks.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "support/shared_data.h"
#include "support/tflite_models.h"

namespace nibble {
namespace {

// 1 if the bytes are a model, 0 if the reader refuses them with a message that names the file.
int parse(std::span<const uint8_t> bytes) {
  auto graph = parse_tflite(bytes, "damaged.tflite");
  if (!graph.ok()) {
    EXPECT_EQ(graph.error().message.rfind("damaged.tflite: ", 0), 0u) << graph.error().message;
    return 0;
  }
  auto status = verify_graph(*graph, VerifyLevel::kImported);
  EXPECT_TRUE(status.ok()) << status.error().message;
  return 1;
}

void cut_everywhere(const std::vector<uint8_t>& bytes, size_t step) {
  for (size_t length = 0; length < bytes.size(); length += step) {
    std::vector<uint8_t> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    parse(part);
  }
}

void flip_bytes(const std::vector<uint8_t>& bytes, int rounds, uint64_t seed) {
  Rng rng(seed);
  int accepted = 0;
  for (int i = 0; i < rounds; ++i) {
    auto damaged = bytes;
    int64_t flips = rng.integer(1, 8);
    for (int64_t flip = 0; flip < flips; ++flip) {
      auto place = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bytes.size()) - 1));
      // Half of them small changes, which more often pass the first checks.
      damaged[place] = static_cast<uint8_t>(
          rng.integer(0, 1) ? damaged[place] ^ (1 << rng.integer(0, 7)) : rng.integer(0, 255));
    }
    accepted += parse(damaged);
  }
  // Changes in weights and names are harmless, so some must get through: the test reaches the whole
  // reader.
  EXPECT_GT(accepted, 0);
}

std::vector<uint8_t> shared_model(const std::string& name) {
  auto bytes = read_file(shared_path("data/models/" + name));
  EXPECT_TRUE(bytes.ok());
  return bytes.ok() ? *bytes : std::vector<uint8_t>();
}

TEST(TfliteHostile, TinyModelsCutShort) {
  for (const auto& [name, bytes] : tflite_seeds()) {
    EXPECT_EQ(parse(bytes), 1) << name;
    cut_everywhere(bytes, 1);
  }
}

TEST(TfliteHostile, TinyModelsWithBytesChanged) {
  uint64_t seed = 1;
  for (const auto& [name, bytes] : tflite_seeds()) flip_bytes(bytes, 5000, seed++);
}

TEST(TfliteHostile, HelloWorldCutShort) {
  NIBBLE_NEED_SHARED("data/models");
  cut_everywhere(shared_model("tflm/hello_world_int8.tflite"), 97);
}

TEST(TfliteHostile, HelloWorldWithBytesChanged) {
  NIBBLE_NEED_SHARED("data/models");
  flip_bytes(shared_model("tflm/hello_world_int8.tflite"), 20'000, 11);
}

TEST(TfliteHostile, KeywordSpottingWithBytesChangedSlow) {
  NIBBLE_NEED_SHARED("data/models");
  flip_bytes(shared_model("mlperf_tiny/kws_dscnn_int8.tflite"), 20'000, 12);
}

// A view into a larger buffer need not be aligned.
TEST(TfliteHostile, UnalignedBytes) {
  auto bytes = tflite_int8_net();
  std::vector<uint8_t> shifted(bytes.size() + 1);
  std::copy(bytes.begin(), bytes.end(), shifted.begin() + 1);
  EXPECT_EQ(parse(std::span(shifted).subspan(1)), 1);
}

// Thousands of tensors that share one buffer must not unfold to gigabytes.
TEST(TfliteHostile, SharedBuffersAreBounded) {
  namespace file = tflite_file;
  TfliteBuilder b;
  constexpr int kRows = 2000;
  int x = b.activation("x", {1, kRows});
  int w = b.floats("w", {kRows, 1, kRows / 100}, std::vector<float>(kRows * kRows / 100, 1));
  b.tensors[static_cast<size_t>(w)].shape = {kRows / 100, kRows};
  b.inputs = {x};
  int last = x;
  for (int i = 0; i < 5000; ++i) {
    auto copy = b.tensors[static_cast<size_t>(w)];
    copy.data.clear();
    copy.buffer = 1;
    b.tensors.push_back(copy);
    int weights = static_cast<int>(b.tensors.size()) - 1;
    last = b.activation("y", {1, kRows / 100});
    b.add(file::Builtin_FULLY_CONNECTED, {x, weights}, {last}, file::CreateFullyConnected(b.fbb()));
  }
  b.outputs = {last};
  auto graph = parse_tflite(b.finish(), "shared.tflite");
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.error().message.find("many times the size of the file"), std::string::npos)
      << graph.error().message;
}

}  // namespace
}  // namespace nibble
