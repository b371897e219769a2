// ONNX Runtime as judge of what nibble writes and computes: running it, and counting how far its
// integers are from nibble's. Used by the tests of this folder and by the table of counts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "benchmark_models.h"
#include "formats/formats.h"
#include "graph/graph.h"

namespace nibble::judges {

// $NIBBLE_JUDGES, or ~/.cache/nibble/judges, where `tools/setup test` installs it.
std::filesystem::path judges_folder();
// What is missing to run ONNX Runtime, and how to get it; empty if all is there.
std::string missing_onnx_runtime();
// Whether this host multiplies 8-bit integers without saturating sums of 16 bits; on others ONNX
// Runtime's integer kernels lose large sums (its documentation asks for weights of 7 bits there).
bool has_exact_products();

// kDefined: node by node, as ONNX defines the model. kFast: as users run it, with the kernels that
// QuantizeLinear and DequantizeLinear become.
enum class Level { kDefined, kFast };
const char* level_name(Level level);

// Samples, N first, through the model; outputs by name, N first.
using Arrays = std::vector<NamedTensor>;
Result<Arrays> run_onnx_runtime(std::span<const uint8_t> model, const Arrays& inputs, Level level);
const Tensor* find_array(const Arrays& arrays, const std::string& name);

// Elements whose integers are equal, one step apart, or more.
struct Counts {
  int64_t equal = 0, one_step = 0, more = 0, largest = 0;
  int64_t total() const { return equal + one_step + more; }
  void add(int64_t difference);
  void add(const Counts& other);
};
Counts count_steps(const Tensor& own, const Tensor& other);

// Steps of a type that a runtime gave as real numbers.
Tensor steps_of(std::span<const float> real, const TensorType& type);
// The samples as the file has them, where the graph's order of axes is another.
Tensor in_file_order(const Tensor& samples, const Port& port);

// An integer model as ONNX Runtime and nibble compute it.
struct OutputCounts {
  int64_t samples = 0;
  Counts steps;
  int64_t other_argmax = 0;
};
// `file` (QDQ) in ONNX Runtime against the graph that nibble makes of it. `real`: f32 samples for
// that graph's input.
Result<OutputCounts> judge_outputs(std::span<const uint8_t> file, const Tensor& real, Level level);

// Every node of an integer graph on ONNX Runtime's own integers.
struct LayerCounts {
  std::string node, op;
  bool exact = false;  // ONNX defines its result to the last bit
  Counts steps;
  int64_t ties = 0;  // of quantize: differences where the real number is between two steps
};
Result<std::vector<LayerCounts>> judge_layers(Graph graph, const Tensor& real, Level level);

// nibble's int8 of a float model, as `nibble quantize` writes it.
Result<Graph> own_quantized(const std::filesystem::path& shared, const ModelPair& pair,
                            const QuantizeOptions& options = {});
// A softmax that ends the graph is left off: behind it one step of the logits is no longer one
// step. False: there is none.
bool cut_softmax(Graph& graph);
// The QDQ models of ../shared that other tools quantized; `real` is their file.
std::vector<ModelPair> quantized_by_others();
// An ONNX file, its output in front of the softmax that ends it, if there is one.
Result<std::vector<uint8_t>> file_without_softmax(const std::filesystem::path& path);
// f32 samples of a task's evaluation part for the model `real`; at most `limit`, 0: all.
Result<Tensor> real_samples(const std::filesystem::path& shared, const ModelPair& pair,
                            int64_t limit);

}  // namespace nibble::judges
