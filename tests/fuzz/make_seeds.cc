// Writes the seeds of the fuzzers, a folder for each: nibble_make_seeds tests/fuzz/seeds
#include <cstdio>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "formats/formats.h"
#include "support/onnx_models.h"
#include "support/random_graph.h"
#include "support/tflite_models.h"

namespace nibble {
namespace {

// As nibble_fuzz takes it: no header, a zero byte between text and blob.
std::vector<uint8_t> nibble_seed(const Graph& graph) {
  std::vector<uint8_t> bytes = nibble_bytes(graph);
  uint64_t text_bytes = 0;
  for (size_t i = 0; i < 8; ++i) text_bytes |= static_cast<uint64_t>(bytes[16 + i]) << (8 * i);
  bytes.erase(bytes.begin(), bytes.begin() + 32);
  bytes.insert(bytes.begin() + static_cast<int64_t>(text_bytes), 0);
  return bytes;
}

std::map<std::string, std::vector<uint8_t>> all_seeds() {
  std::map<std::string, std::vector<uint8_t>> files;
  for (const auto& [name, bytes] : tflite_seeds())
    files[std::string("nibble_tflite_fuzz/") + name] = bytes;
  for (const auto& [name, bytes] : onnx_seeds())
    files[std::string("nibble_onnx_fuzz/") + name] = bytes;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    RandomGraphOptions options;
    options.integer = seed % 2 == 0;
    files["nibble_nibble_fuzz/random_" + std::to_string(seed)] =
        nibble_seed(random_graph(seed, options));
  }
  return files;
}

int write_seeds(const std::filesystem::path& folder) {
  for (const auto& [name, bytes] : all_seeds()) {
    std::error_code error;
    std::filesystem::create_directories((folder / name).parent_path(), error);
    if (auto status = write_file(folder / name, bytes); !status.ok()) {
      std::fprintf(stderr, "%s\n", status.error().message.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: nibble_make_seeds FOLDER\n");
    return 2;
  }
  return nibble::write_seeds(argv[1]);
}
