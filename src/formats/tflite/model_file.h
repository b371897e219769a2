// A .tflite file, checked: every index, extent and buffer that the importer will touch has been
// proved to lie inside the file. First step of the TFLite reader; inside formats/tflite only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "tflite_generated.h"

namespace nibble {

struct TfliteTensor {
  int index = 0;
  std::string name;  // printable and of bounded length; "tensor 7" where the file gives none
  tflite_file::ElementType type = tflite_file::ElementType_FLOAT32;
  Shape shape;
  // -1 in the signature, by axis; empty if nothing is dynamic.
  std::vector<bool> dynamic;
  bool is_constant = false;       // its elements are in the file
  std::span<const uint8_t> data;  // of a constant; its size fits shape and type
  const tflite_file::Quantization* quantization = nullptr;  // null if it has no scale
  bool sparse = false;
  bool variable = false;  // state that lives from one inference to the next
};

struct TfliteOperator {
  int index = 0;
  tflite_file::Builtin code = tflite_file::Builtin_ADD;
  std::string kind;  // "CONV_2D", or the custom code
  std::string name;  // of its first output tensor
  const tflite_file::Operator* raw = nullptr;
  std::vector<int> inputs;  // tensor indices, -1 for an absent operand
  std::vector<int> outputs;
};

// The first subgraph. Points into the bytes it was read from.
struct TfliteModel {
  std::string file;  // for messages
  size_t file_bytes = 0;
  size_t subgraphs = 1;
  std::vector<TfliteTensor> tensors;
  std::vector<TfliteOperator> operators;
  std::vector<int> inputs, outputs;
};

// `bytes` must be aligned to 8 and outlive the result. Errors name the file and the tensor or
// operator.
Result<TfliteModel> load_tflite_model(std::span<const uint8_t> bytes, const std::string& file);

// Data flow: everything that is read has been written before, by one writer (so there are no
// cycles).
Status check_tflite_order(const TfliteModel& model);

// "INT8", or "type 42" for what the format did not have when this was written.
std::string tflite_type_name(tflite_file::ElementType type);
// Bits of one element in the file; 0 for strings and other things that have no fixed size.
int tflite_type_bits(tflite_file::ElementType type);

// Integers without a scale: shapes, axes and other bookkeeping.
bool is_bookkeeping(const TfliteTensor& tensor);

}  // namespace nibble
