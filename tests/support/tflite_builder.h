// Writes tiny .tflite files for tests and fuzzing seeds. Every field can be set to nonsense on
// purpose: nothing is checked here. Link nibble_tflite_schema.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tflite_generated.h"

namespace nibble {

struct TfliteQuant {
  std::vector<float> scale;
  std::vector<int64_t> zero_point;
  int axis = 0;
};

class TfliteBuilder {
 public:
  using Quant = TfliteQuant;
  struct Tensor {
    std::string name;
    std::vector<int32_t> shape;
    tflite_file::ElementType type = tflite_file::ElementType_FLOAT32;
    Quant quant;
    std::vector<uint8_t> data;       // empty: not a constant
    std::vector<int32_t> signature;  // empty: as shape
    int buffer = -1;                 // set: this buffer index, whatever it is
    bool sparse = false;
    bool variable = false;
  };
  struct Operator {
    tflite_file::Builtin code = tflite_file::Builtin_ADD;
    std::vector<int32_t> inputs, outputs;
    tflite_file::Options options_type = tflite_file::Options_NONE;
    flatbuffers::Offset<void> options;
    std::string custom;
    int opcode_index = -1;  // set: this index, whatever it is
  };

  // Indices into these are tensor and operator numbers of the file.
  std::vector<Tensor> tensors;
  std::vector<Operator> operators;
  std::vector<int32_t> inputs, outputs;
  uint32_t version = 3;
  int subgraphs = 1;

  flatbuffers::FlatBufferBuilder& fbb() { return fbb_; }

  int activation(const std::string& name, std::vector<int32_t> shape,
                 tflite_file::ElementType type = tflite_file::ElementType_FLOAT32,
                 Quant quant = {}) {
    tensors.push_back({name, std::move(shape), type, std::move(quant), {}, {}});
    return static_cast<int>(tensors.size()) - 1;
  }
  template <class T>
  int constant(const std::string& name, std::vector<int32_t> shape, tflite_file::ElementType type,
               const std::vector<T>& elems, Quant quant = {}) {
    std::vector<uint8_t> data(elems.size() * sizeof(T));
    if (!data.empty()) std::memcpy(data.data(), elems.data(), data.size());
    tensors.push_back({name, std::move(shape), type, std::move(quant), std::move(data), {}});
    return static_cast<int>(tensors.size()) - 1;
  }
  int floats(const std::string& name, std::vector<int32_t> shape, const std::vector<float>& elems) {
    return constant(name, std::move(shape), tflite_file::ElementType_FLOAT32, elems);
  }
  int ints(const std::string& name, const std::vector<int32_t>& elems) {
    return constant(name, {static_cast<int32_t>(elems.size())}, tflite_file::ElementType_INT32,
                    elems);
  }
  // The one number of rank 0.
  int scalar(const std::string& name, int32_t value) {
    return constant(name, {}, tflite_file::ElementType_INT32, std::vector<int32_t>{value});
  }

  void add(tflite_file::Builtin code, std::vector<int32_t> in, std::vector<int32_t> out) {
    operators.push_back(
        {code, std::move(in), std::move(out), tflite_file::Options_NONE, 0, "", -1});
  }
  // add(Builtin_ADD, {a, b}, {c}, CreateAdd(builder.fbb(), Activation_RELU))
  template <class T>
  void add(tflite_file::Builtin code, std::vector<int32_t> in, std::vector<int32_t> out,
           flatbuffers::Offset<T> options) {
    operators.push_back({code, std::move(in), std::move(out),
                         tflite_file::OptionsTraits<T>::enum_value, options.Union(), "", -1});
  }

  // Once; the builder is spent afterwards.
  std::vector<uint8_t> finish() {
    namespace file = tflite_file;
    std::vector<flatbuffers::Offset<file::Buffer>> buffers{file::CreateBuffer(fbb_)};
    std::vector<flatbuffers::Offset<file::Tensor>> tensor_list;
    for (const Tensor& tensor : tensors) tensor_list.push_back(write(tensor, buffers));
    std::vector<flatbuffers::Offset<file::OperatorCode>> codes;
    std::vector<flatbuffers::Offset<file::Operator>> operator_list;
    for (const Operator& op : operators) {
      auto index = op.opcode_index >= 0 ? op.opcode_index : static_cast<int>(codes.size());
      auto narrow = static_cast<int8_t>(op.code < 127 ? op.code : 127);
      auto custom = op.custom.empty() ? 0 : fbb_.CreateString(op.custom);
      codes.push_back(file::CreateOperatorCode(fbb_, narrow, custom, 1, op.code));
      auto in = fbb_.CreateVector(op.inputs), out = fbb_.CreateVector(op.outputs);
      operator_list.push_back(file::CreateOperator(fbb_, static_cast<uint32_t>(index), in, out,
                                                   op.options_type, op.options));
    }
    auto tensor_vector = fbb_.CreateVector(tensor_list);
    auto in = fbb_.CreateVector(inputs), out = fbb_.CreateVector(outputs);
    auto operator_vector = fbb_.CreateVector(operator_list);
    auto graph = file::CreateSubGraph(fbb_, tensor_vector, in, out, operator_vector,
                                      fbb_.CreateString("main"));
    std::vector<flatbuffers::Offset<file::SubGraph>> graphs(static_cast<size_t>(subgraphs), graph);
    auto code_vector = fbb_.CreateVector(codes);
    auto graph_vector = fbb_.CreateVector(graphs);
    auto buffer_vector = fbb_.CreateVector(buffers);
    file::FinishModelBuffer(fbb_, file::CreateModel(fbb_, version, code_vector, graph_vector,
                                                    fbb_.CreateString("test"), buffer_vector));
    return {fbb_.GetBufferPointer(), fbb_.GetBufferPointer() + fbb_.GetSize()};
  }

 private:
  flatbuffers::Offset<tflite_file::Tensor> write(
      const Tensor& tensor, std::vector<flatbuffers::Offset<tflite_file::Buffer>>& buffers) {
    namespace file = tflite_file;
    uint32_t buffer = 0;
    if (!tensor.data.empty()) {
      buffer = static_cast<uint32_t>(buffers.size());
      fbb_.ForceVectorAlignment(tensor.data.size(), 1, 16);
      buffers.push_back(file::CreateBuffer(fbb_, fbb_.CreateVector(tensor.data)));
    }
    if (tensor.buffer >= 0) buffer = static_cast<uint32_t>(tensor.buffer);
    flatbuffers::Offset<file::Quantization> quant;
    if (!tensor.quant.scale.empty())
      quant = file::CreateQuantization(fbb_, 0, 0, fbb_.CreateVector(tensor.quant.scale),
                                       fbb_.CreateVector(tensor.quant.zero_point),
                                       file::QuantizationDetails_NONE, 0, tensor.quant.axis);
    flatbuffers::Offset<file::Opaque> sparsity;
    if (tensor.sparse) sparsity = file::CreateOpaque(fbb_);
    auto name = fbb_.CreateString(tensor.name);
    auto shape = fbb_.CreateVector(tensor.shape);
    flatbuffers::Offset<flatbuffers::Vector<int32_t>> signature;
    if (!tensor.signature.empty()) signature = fbb_.CreateVector(tensor.signature);
    return file::CreateTensor(fbb_, shape, tensor.type, buffer, name, quant, tensor.variable,
                              sparsity, signature);
  }

  flatbuffers::FlatBufferBuilder fbb_;
};

}  // namespace nibble
