// Inputs that once made a fuzzer fail, and the fuzzers' seeds, as tests of any build: each goes
// through the code of its fuzzer, which aborts where something is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/shared_data.h"

extern "C" {
int nibble_onnx_fuzz(const uint8_t* data, size_t size);
int nibble_tflite_fuzz(const uint8_t* data, size_t size);
int nibble_data_fuzz(const uint8_t* data, size_t size);
int nibble_nibble_fuzz(const uint8_t* data, size_t size);
}

namespace nibble {
namespace {

namespace fs = std::filesystem;

struct Fuzzer {
  const char* name;  // of its program and of its folder
  int (*run)(const uint8_t* data, size_t size);
};
void PrintTo(const Fuzzer& fuzzer, std::ostream* out) { *out << fuzzer.name; }

const std::vector<Fuzzer> kFuzzers = {{"nibble_onnx_fuzz", nibble_onnx_fuzz},
                                      {"nibble_tflite_fuzz", nibble_tflite_fuzz},
                                      {"nibble_data_fuzz", nibble_data_fuzz},
                                      {"nibble_nibble_fuzz", nibble_nibble_fuzz}};

class Reproducers : public testing::TestWithParam<Fuzzer> {};

TEST_P(Reproducers, AllRun) {
  int files = 0;
  for (const char* folder : {"tests/reproducers", "tests/fuzz/seeds"}) {
    fs::path path = source_path(folder) / GetParam().name;
    if (!fs::exists(path)) continue;
    for (const auto& entry : fs::directory_iterator(path)) {
      auto bytes = read_file(entry.path());
      ASSERT_TRUE(bytes.ok()) << bytes.error().message;
      std::cout << entry.path().filename().string() << std::endl;  // the last one before an abort
      GetParam().run(bytes->data(), bytes->size());
      ++files;
    }
  }
  EXPECT_GT(files, 0) << "no reproducer and no seed for " << GetParam().name;
}

INSTANTIATE_TEST_SUITE_P(Fuzzers, Reproducers, testing::ValuesIn(kFuzzers),
                         [](const auto& fuzzer) { return std::string(fuzzer.param.name); });

// A folder of another name would never be run.
TEST(ReproducerFolders, EveryFolderHasItsFuzzer) {
  for (const char* folder : {"tests/reproducers", "tests/fuzz/seeds"})
    for (const auto& entry : fs::directory_iterator(source_path(folder))) {
      if (!entry.is_directory()) continue;
      EXPECT_TRUE(std::ranges::any_of(kFuzzers, [&](const Fuzzer& fuzzer) {
        return entry.path().filename() == fuzzer.name;
      })) << entry.path();
    }
}

}  // namespace
}  // namespace nibble
