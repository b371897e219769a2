// The public header of formats/: model files to and from a Graph, and data files to tensors.
// Every reader treats its file as hostile: no size in it is believed before it is checked.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// --- Models. The kind is told by content first, then by name. Result: an imported graph (static
// shapes, our operators only, batch 1), verified. Unsupported operators are reported all at once,
// each with its type, its node and the file.

// What could not be imported, beside the error that says the same in words.
struct UnsupportedNode {
  int64_t index = 0;  // position in the file
  std::string op;     // the file's word for it
  std::string node;   // its name; a TFLite operator has that of its first output
  std::string why;
};
struct ImportProblems {
  int64_t node_count = 0;                    // of the file, where any is unsupported
  std::vector<UnsupportedNode> unsupported;  // in the order of the file
};
// `problems`, if not null, is filled where unsupported nodes are the error.
Result<Graph> read_model(const std::filesystem::path& path, ImportProblems* problems = nullptr);
Result<Graph> read_tflite(const std::filesystem::path& path);
Result<Graph> read_onnx(const std::filesystem::path& path);
Result<Graph> read_nibble(const std::filesystem::path& path);
// From memory, for fuzzers and tests; `name` stands for the file in messages, `folder` is where
// side files of ONNX external data may be (they must not leave it).
Result<Graph> parse_tflite(std::span<const uint8_t> bytes, const std::string& name,
                           ImportProblems* problems = nullptr);
Result<Graph> parse_onnx(std::span<const uint8_t> bytes, const std::string& name,
                         const std::filesystem::path& folder = {},
                         ImportProblems* problems = nullptr);
Result<Graph> parse_nibble(std::span<const uint8_t> bytes, const std::string& name);

Status write_nibble(const Graph& graph, const std::filesystem::path& path);
// The bytes of such a file.
std::vector<uint8_t> nibble_bytes(const Graph& graph);

struct OnnxOptions {
  // Every activation is an output of the file too, under its value's name (a quantized input under
  // its name and "_output") and in the graph's own order of axes, to compare layer by layer.
  bool activations = false;
};
// A verified graph as ONNX, opset 17, or 21 where something has 16 bits. Inputs and outputs are
// real numbers, under their values' names, in the order of axes of the file that the graph came
// from (Port::source_perm). Inside, images are N C H W. Quantized values go through QuantizeLinear
// and DequantizeLinear around float operators (QDQ); weights are integers behind a
// DequantizeLinear, biases 32-bit ones of scale (source's) * (weight's). The file says neither how
// a graph rounds nor what is keep_float. Error: a node or value that ONNX has no form for, with its
// name.
Status write_onnx(const Graph& graph, const std::filesystem::path& path,
                  const OnnxOptions& options = {});
Result<std::vector<uint8_t>> onnx_bytes(const Graph& graph, const OnnxOptions& options = {});

// Error: no model can be written under this name; .nibble and .onnx can.
Status check_model_name(const std::filesystem::path& path);
// In the form that the name's ending says.
Status write_model(const Graph& graph, const std::filesystem::path& path);

// --- Data.

// Named arrays of one .npz file, or the one array ("x") of a .npy file. f16, f64 become f32; i64,
// u8, i8, i16, i32, bool keep their element type (kS64, kU8, ...). Fortran order is transposed.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};
Result<std::vector<NamedTensor>> read_npz(const std::filesystem::path& path);
Result<Tensor> read_npy(const std::filesystem::path& path);
Result<Tensor> parse_npy(std::span<const uint8_t> bytes, const std::string& name);
Result<std::vector<NamedTensor>> parse_npz(std::span<const uint8_t> bytes, const std::string& name);
Status write_npz(const std::filesystem::path& path, const std::vector<NamedTensor>& arrays);
Status write_npy(const std::filesystem::path& path, const Tensor& tensor);

struct DataOptions {
  std::filesystem::path labels;  // --labels Y.npy
  double input_scale =
      1;  // --input-scale: real = raw * input_scale + input_mean is what the model sees
  double input_mean = 0;  // --input-mean
  bool input_scale_given = false;
  int64_t max_samples = 0;  // 0: all
};

// A data set that fits one model input. `samples` has a leading axis N; the other extents are those
// of the model's input in the graph's layout, and the element type is either f32 (real numbers) or
// the input's own integer type (already quantized). Of labels in the file or beside it one of three
// is made: class indices; targets, the real numbers that the first output is to equal; or a reason
// why they are neither. class_names: from a folder of subfolders.
struct Dataset {
  Tensor samples;
  std::vector<int64_t> labels;  // N, or empty
  Tensor targets;               // N x elements of the first output, f32, in the graph's layout
  std::string not_scored;
  std::string note;  // what looks wrong about the samples though they can be computed; or empty
  std::vector<std::string> class_names;
  bool has_targets() const { return targets.shape().size() == 2; }
  int64_t size() const { return samples.shape().empty() ? 0 : samples.shape()[0]; }
};

// Reads .npz (x, y), .npy, a folder with a subfolder per class (PNG, JPEG, WAV) or CSV (last column
// `label` or `y` if the header says so) for this model. Labels of the first output's shape are
// targets, unless they are one-hot; so is a real number per sample where that output has one
// element, unless all are 0 or 1; other whole numbers are classes. Accepts the file's own layout or
// the graph's (Port::source_perm), and any grouping of the same elements per sample (490 for
// 49x10x1). Errors: wrong extents, wrong type, NaN or infinity (with the sample's index), labels of
// another length or negative, no samples.
Result<Dataset> read_dataset(const std::filesystem::path& path, const Graph& graph,
                             const DataOptions& options = {});

// Sample `index` as the tensor that graph.inputs[0] takes, quantized if the input is an integer and
// the data are real.
Tensor dataset_sample(const Dataset& data, int64_t index, const Graph& graph);

}  // namespace nibble
