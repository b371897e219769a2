// TensorFlow Lite Micro's single-operator models of the 16x8 scheme: what the reader accepts must
// give their recorded outputs byte for byte, on the references and on the portable kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/file.h"
#include "formats/formats.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

// NAME_WHAT_TYPE.csv: integers between commas. Empty if there is no such file.
std::vector<int64_t> read_csv(const fs::path& model, const std::string& what) {
  std::vector<int64_t> values;
  for (const char* type : {"int16", "int32"}) {
    std::ifstream file(model.parent_path() /
                       (model.stem().string() + "_" + what + "_" + type + ".csv"));
    std::string cell;
    while (std::getline(file, cell, ',')) values.push_back(std::stoll(cell));
  }
  return values;
}

std::vector<int64_t> integers(const Tensor& tensor) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < tensor.size(); ++i) values.push_back(tensor.integer_at(i));
  return values;
}

// The first difference, or nothing.
std::string compare(const std::vector<int64_t>& expected, const std::vector<int64_t>& got) {
  if (expected.size() != got.size())
    return fmt::format("{} elements, {} are recorded", got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != expected[i])
      return fmt::format("element {} is {}, {} is recorded", i, got[i], expected[i]);
  return "";
}

// What the reader refuses, or what differs; nothing if the model gives its recorded output.
struct CaseResult {
  std::string refused, wrong;
};

CaseResult run_case(const fs::path& path) {
  CaseResult result;
  Result<Graph> read = read_model(path);
  if (!read.ok()) return {read.error().message, ""};
  Graph graph = std::move(read).value();
  if (Status simplified = simplify(graph); !simplified.ok())
    return {"", simplified.error().message};
  std::vector<Tensor> inputs;
  size_t file_input = 0;
  for (const Port& port : graph.inputs) {
    Tensor tensor(graph.type(port.value));
    // Inputs that the graph does not have (shapes) have files too.
    std::vector<int64_t> values;
    while (values.size() != static_cast<size_t>(tensor.size()) && file_input < 4)
      values = read_csv(path, "input" + std::to_string(file_input++));
    if (values.size() != static_cast<size_t>(tensor.size())) return {"", "no input of its size"};
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.set_integer_at(i, values[static_cast<size_t>(i)]);
    inputs.push_back(std::move(tensor));
  }
  const std::vector<int64_t> expected = read_csv(path, "golden");
  result.wrong = compare(expected, integers(Interpreter(graph).run(inputs)[0]));
  if (!result.wrong.empty()) return result;
  Result<Program> program = lower(graph, LowerOptions{});
  if (!program.ok()) return {"", program.error().message};
  result.wrong = compare(expected, integers(HostProgram(*program).run(inputs)[0]));
  return result;
}

TEST(TflmSeanetInt16, BitForBit) {
  const std::string archive = "data/conformance/tflm_seanet_int16.tar.gz";
  NIBBLE_NEED_SHARED(archive);
  auto temp = TempDir::create();
  ASSERT_TRUE(temp.ok());
  std::string command =
      "tar xzf '" + shared_path(archive).string() + "' -C '" + temp->path().string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  std::set<fs::path> models;
  for (const auto& entry : fs::recursive_directory_iterator(temp->path()))
    if (entry.path().extension() == ".tflite") models.insert(entry.path());
  std::map<std::string, int> passed, refused;
  for (const fs::path& path : models) {
    const std::string op = path.parent_path().filename().string();
    CaseResult result = run_case(path);
    EXPECT_EQ(result.wrong, "") << path.filename();
    if (result.refused.empty())
      ++passed[op];
    else if (++refused[op] == 1)
      std::printf("%s: %s\n", path.filename().c_str(), result.refused.c_str());
  }
  for (const auto& [op, count] : passed) std::printf("%s: %d passed\n", op.c_str(), count);
  for (const auto& [op, count] : refused) std::printf("%s: %d not supported\n", op.c_str(), count);
  EXPECT_EQ(passed["add"], 17);
  EXPECT_EQ(passed["sub"], 5);
  EXPECT_EQ(passed["conv"], 22);
  EXPECT_EQ(passed["leaky_relu"], 23);
  EXPECT_EQ(passed["pad"], 19);
  EXPECT_EQ(passed["quantize"], 2);
  EXPECT_EQ(passed["strided_slice"], 34);
}

}  // namespace
}  // namespace nibble
