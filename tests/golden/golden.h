// Recorded outputs of other engines (../shared/data/golden, ../shared/baseline) against ours:
// reading them, running a model on the references of ops/, and the verdict in words. Used by
// golden_test and by the table of all models.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble::golden {

// What is compared with what: integers exactly, floats within a tolerance.
struct Verdict {
  bool equal = false;
  std::string text;  // "equal, 4 samples" or the first difference
};

// --- Models ---

// Paths below data/models without their root ("tflm/person_detect.tflite"), sorted. `extension`
// ".tflite", ".onnx", or "" for all.
std::vector<std::string> model_files(const std::string& extension);
// The name of its recordings: "tflm__person_detect_tflite".
std::string golden_key(const std::string& model_file);

// As the file has it, or after simplify().
Result<Graph> load_model(const std::string& model_file, bool simplified);
// Whether some activation is an integer that stands for a real number.
bool is_integer_model(const Graph& graph);

// --- Running ---

// Tensors in the layout and with the values of the file's own inputs and outputs: permuted where a
// pass moved a transpose out, quantized and dequantized where it moved the border.
using Sample = std::vector<Tensor>;
std::vector<Sample> run_samples(const Graph& graph, const std::vector<Sample>& inputs);
// Extent i of the result is extent perm[i] of `src`; no perm, no change.
Tensor permute(const Tensor& src, const std::vector<int64_t>& perm);

// --- Recordings ---

struct Recording {
  std::vector<Sample> inputs;
  std::vector<Sample> outputs;
};
// Seeded random inputs of a model; nullopt if nothing was recorded for it.
Result<std::optional<Recording>> random_recording(const std::string& model_file);
// A file name below data/golden/eval without ".npy" ("kws__kws_dscnn_int8_tflite"), with the whole
// evaluation set as its inputs; `graph` gives the type of the input.
Result<Recording> eval_recording(const std::string& name, const Graph& graph);
std::vector<std::string> eval_names(const std::string& extension);
// The model file that belongs to an evaluation recording.
std::string eval_model(const std::string& name);

// Floats: the largest difference over a tensor is within `relative` of its largest value.
inline constexpr double kRelative = 1e-4;
Verdict compare(const std::vector<Sample>& got, const std::vector<Sample>& expected, bool exact,
                double relative = kRelative);

// --- Every operator's output, by checksum (baseline/outputs.json) ---

struct OperatorRecording {
  std::string model_file;
  Sample input;
  std::vector<uint32_t> crc;  // by operator
};
// `name` "ad", "kws", "resnet", "vww"; pattern "A" or "B".
Result<OperatorRecording> operator_recording(const std::string& name, const std::string& pattern);
uint32_t crc_of(std::span<const uint8_t> bytes);
// Names the first operator that differs.
Verdict compare_operators(const Graph& graph, const OperatorRecording& recording);

}  // namespace nibble::golden
