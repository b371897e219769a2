// Reads a .tflite file: FlatBuffers' verifier first, then every index, extent and size that it
// knows nothing of.
#include "formats/tflite/model_file.h"

#include <algorithm>

namespace nibble {

namespace file = tflite_file;

namespace {

// Bounds on what a model for a microcontroller can be; they keep hostile files from costing time or
// memory.
constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxOperators = 10'000;
constexpr size_t kMaxOperands = 500'000;
constexpr size_t kMaxName = 240;
constexpr uint32_t kVerifyDepth = 32;
constexpr uint32_t kVerifyTables = 1'000'000;

Error broken(const TfliteModel& model, const std::string& what) {
  return input_error(
      fmt::format("{}: {}; the file is damaged or not written by a TensorFlow Lite "
                  "converter: export it again",
                  model.file, what));
}

// Names end in messages, reports and text files: control characters and quotes would break their
// lines. Of the names that the converter joins for fused operators ("relu;bias_add;conv") the first
// says what comes out.
std::string printable(const flatbuffers::String* text, const std::string& otherwise) {
  if (!text || text->size() == 0) return otherwise;
  std::string name(text->c_str(), std::min<size_t>(text->size(), kMaxName));
  name = name.substr(0, name.find(';'));
  if (name.empty()) return otherwise;
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"' || c == '\\') c = '_';
  return name;
}

template <class T>
size_t length(const flatbuffers::Vector<T>* list) {
  return list ? list->size() : 0;
}

class Loader {
 public:
  Loader(std::span<const uint8_t> bytes, const std::string& name) : bytes_(bytes) {
    model_.file = name;
    model_.file_bytes = bytes.size();
  }

  Result<TfliteModel> run() {
    NIBBLE_TRY(verify());
    NIBBLE_TRY(load_tensors());
    NIBBLE_TRY(load_operators());
    NIBBLE_TRY(load_port_list(graph_->inputs(), "input", model_.inputs));
    NIBBLE_TRY(load_port_list(graph_->outputs(), "output", model_.outputs));
    return std::move(model_);
  }

 private:
  Status verify() {
    if (bytes_.size() < 8 || !file::ModelBufferHasIdentifier(bytes_.data()))
      return input_error(
          fmt::format("{}: not a TensorFlow Lite model (no TFL3 mark at byte 4)", model_.file));
    if (bytes_.size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
      return input_error(
          fmt::format("{}: larger than 2 GB; nibble reads models for "
                      "microcontrollers",
                      model_.file));
    flatbuffers::Verifier verifier(bytes_.data(), bytes_.size(), kVerifyDepth, kVerifyTables);
    if (!file::VerifyModelBuffer(verifier))
      return broken(model_,
                    "not a well-formed FlatBuffer (cut short, or offsets that lead outside)");
    raw_ = file::GetModel(bytes_.data());
    if (raw_->version() != 3)
      return input_error(
          fmt::format("{}: schema version {} of TensorFlow Lite; version 3 is read: "
                      "export it with a current converter",
                      model_.file, raw_->version()));
    model_.subgraphs = length(raw_->subgraphs());
    if (model_.subgraphs == 0) return broken(model_, "no subgraph");
    graph_ = raw_->subgraphs()->Get(0);
    if (length(graph_->tensors()) > kMaxTensors || length(graph_->operators()) > kMaxOperators)
      return input_error(fmt::format("{}: {} tensors and {} operators; at most {} and {} are read",
                                     model_.file, length(graph_->tensors()),
                                     length(graph_->operators()), kMaxTensors, kMaxOperators));
    return {};
  }

  Status load_tensors() {
    for (size_t i = 0; i < length(graph_->tensors()); ++i) {
      const file::Tensor& raw = *graph_->tensors()->Get(static_cast<uint32_t>(i));
      TfliteTensor tensor;
      tensor.index = static_cast<int>(i);
      tensor.name = printable(raw.name(), fmt::format("tensor {}", i));
      tensor.type = raw.type();
      tensor.sparse = raw.sparsity() != nullptr;
      tensor.variable = raw.is_variable();
      if (raw.quantization() && length(raw.quantization()->scale()) > 0)
        tensor.quantization = raw.quantization();
      NIBBLE_TRY(load_shape(raw, tensor));
      NIBBLE_TRY(load_data(raw, tensor));
      model_.tensors.push_back(std::move(tensor));
    }
    return {};
  }

  Status load_shape(const file::Tensor& raw, TfliteTensor& tensor) {
    size_t rank = length(raw.shape());
    if (rank > static_cast<size_t>(kMaxRank))
      return broken(model_, fmt::format("tensor '{}' has {} axes, at most {} are read", tensor.name,
                                        rank, kMaxRank));
    int64_t elems = 1;
    for (size_t axis = 0; axis < rank; ++axis) {
      int64_t extent = raw.shape()->Get(static_cast<uint32_t>(axis));
      if (extent < 0)
        return broken(
            model_, fmt::format("tensor '{}' has extent {} on axis {}", tensor.name, extent, axis));
      if (__builtin_mul_overflow(elems, extent, &elems) || elems > kMaxElems)
        return broken(model_,
                      fmt::format("tensor '{}' has more than {} elements", tensor.name, kMaxElems));
      tensor.shape.push_back(extent);
    }
    if (length(raw.shape_signature()) == rank && rank > 0) {
      std::vector<bool> dynamic(rank);
      for (size_t axis = 0; axis < rank; ++axis)
        dynamic[axis] = raw.shape_signature()->Get(static_cast<uint32_t>(axis)) < 0;
      if (std::find(dynamic.begin(), dynamic.end(), true) != dynamic.end())
        tensor.dynamic = std::move(dynamic);
    }
    return {};
  }

  // The bytes of buffer `index`: in the FlatBuffer, or behind it (files of recent converters).
  Result<std::span<const uint8_t>> buffer_bytes(uint32_t index, const TfliteTensor& tensor) {
    if (index >= length(raw_->buffers())) {
      // Buffer 0 stands for "no data" even where the file has no list of buffers.
      if (index == 0) return std::span<const uint8_t>();
      return broken(model_, fmt::format("tensor '{}' refers to buffer {} of {}", tensor.name, index,
                                        length(raw_->buffers())));
    }
    const file::Buffer& buffer = *raw_->buffers()->Get(index);
    if (length(buffer.data()) > 0)
      return std::span<const uint8_t>(buffer.data()->data(), buffer.data()->size());
    if (buffer.offset() <= 1) return std::span<const uint8_t>();
    if (buffer.offset() > bytes_.size() || buffer.size() > bytes_.size() - buffer.offset())
      return broken(model_,
                    fmt::format("the data of tensor '{}' lie outside the file", tensor.name));
    return bytes_.subspan(buffer.offset(), buffer.size());
  }

  Status load_data(const file::Tensor& raw, TfliteTensor& tensor) {
    NIBBLE_ASSIGN(tensor.data, buffer_bytes(raw.buffer(), tensor));
    int64_t elems = elem_count(tensor.shape);
    // An empty list (the axes of nothing, the shape of a scalar) is a constant without bytes.
    tensor.is_constant = !tensor.data.empty() || (elems == 0 && is_bookkeeping(tensor));
    int bits = tflite_type_bits(tensor.type);
    if (tensor.data.empty() || tensor.sparse || bits == 0) return {};
    int64_t wanted = (elems * bits + 7) / 8;
    if (wanted != static_cast<int64_t>(tensor.data.size()))
      return broken(model_, fmt::format("tensor '{}', {} of {}, needs {} bytes of data and has {}",
                                        tensor.name, format_shape(tensor.shape),
                                        tflite_type_name(tensor.type), wanted, tensor.data.size()));
    return {};
  }

  Status load_operators() {
    size_t operands = 0;
    for (size_t i = 0; i < length(graph_->operators()); ++i) {
      TfliteOperator op;
      op.index = static_cast<int>(i);
      op.raw = graph_->operators()->Get(static_cast<uint32_t>(i));
      NIBBLE_TRY(load_code(op));
      operands += length(op.raw->inputs()) + length(op.raw->outputs());
      if (operands > kMaxOperands)
        return broken(model_,
                      fmt::format("its operators have more than {} operands", kMaxOperands));
      NIBBLE_TRY(load_operands(op.raw->inputs(), op, "input", -1, op.inputs));
      NIBBLE_TRY(load_operands(op.raw->outputs(), op, "output", 0, op.outputs));
      op.name = op.outputs.empty() ? fmt::format("operator {}", i) : tensor_name(op.outputs[0]);
      model_.operators.push_back(std::move(op));
    }
    return {};
  }

  Status load_code(TfliteOperator& op) {
    uint32_t index = op.raw->opcode_index();
    if (index >= length(raw_->operator_codes()))
      return broken(model_, fmt::format("operator {} refers to operator code {} of {}", op.index,
                                        index, length(raw_->operator_codes())));
    const file::OperatorCode& code = *raw_->operator_codes()->Get(index);
    // Codes above 127 do not fit the older, one-byte field; where both are given the larger one
    // counts.
    op.code = std::max<file::Builtin>(static_cast<file::Builtin>(code.deprecated_builtin_code()),
                                      code.builtin_code());
    if (op.code == file::Builtin_CUSTOM)
      op.kind = fmt::format("custom operator '{}'", printable(code.custom_code(), ""));
    else if (std::string known = file::EnumNameBuiltin(op.code); !known.empty())
      op.kind = known;
    else
      op.kind = fmt::format("builtin operator {}", static_cast<int>(op.code));
    return {};
  }

  Status load_operands(const flatbuffers::Vector<int32_t>* raw, const TfliteOperator& op,
                       const char* what, int lowest, std::vector<int>& list) {
    for (size_t i = 0; i < length(raw); ++i) {
      int index = raw->Get(static_cast<uint32_t>(i));
      if (index < lowest || index >= static_cast<int>(model_.tensors.size()))
        return broken(model_, fmt::format("operator {} ({}) has tensor {} of {} as {} {}", op.index,
                                          op.kind, index, model_.tensors.size(), what, i));
      list.push_back(index);
    }
    return {};
  }

  Status load_port_list(const flatbuffers::Vector<int32_t>* raw, const char* what,
                        std::vector<int>& list) {
    for (size_t i = 0; i < length(raw); ++i) {
      int index = raw->Get(static_cast<uint32_t>(i));
      if (index < 0 || index >= static_cast<int>(model_.tensors.size()))
        return broken(model_, fmt::format("the graph's {} {} is tensor {} of {}", what, i, index,
                                          model_.tensors.size()));
      if (list.size() >= kMaxOperators)
        return broken(model_, fmt::format("the graph has more than {} {}s", kMaxOperators, what));
      list.push_back(index);
    }
    return {};
  }

  const std::string& tensor_name(int index) const {
    return model_.tensors[static_cast<size_t>(index)].name;
  }

  std::span<const uint8_t> bytes_;
  const file::Model* raw_ = nullptr;
  const file::SubGraph* graph_ = nullptr;
  TfliteModel model_;
};

}  // namespace

Result<TfliteModel> load_tflite_model(std::span<const uint8_t> bytes, const std::string& file) {
  return Loader(bytes, file).run();
}

Status check_tflite_order(const TfliteModel& model) {
  // -2: nobody, -1: the caller, otherwise the operator.
  constexpr int kNobody = -2;
  std::vector<int> writer(model.tensors.size(), kNobody);
  auto tensor = [&](int index) -> const TfliteTensor& {
    return model.tensors[static_cast<size_t>(index)];
  };
  for (int index : model.inputs) {
    if (tensor(index).is_constant || writer[static_cast<size_t>(index)] != kNobody)
      return broken(model, fmt::format("the graph's input '{}' is a constant or given twice",
                                       tensor(index).name));
    writer[static_cast<size_t>(index)] = -1;
  }
  auto readable = [&](int index) {
    return tensor(index).is_constant || tensor(index).variable ||
           writer[static_cast<size_t>(index)] != kNobody;
  };
  for (const TfliteOperator& op : model.operators) {
    for (int index : op.inputs)
      if (index >= 0 && !readable(index))
        return broken(
            model, fmt::format("operator {} ({}) reads tensor '{}', which has no data in the file "
                               "and which no earlier operator writes",
                               op.index, op.kind, tensor(index).name));
    if (op.outputs.empty())
      return broken(model, fmt::format("operator {} ({}) has no output", op.index, op.kind));
    for (int index : op.outputs) {
      if (tensor(index).is_constant || writer[static_cast<size_t>(index)] != kNobody)
        return broken(model, fmt::format("operator {} ({}) writes tensor '{}', which already has a "
                                         "value",
                                         op.index, op.kind, tensor(index).name));
      writer[static_cast<size_t>(index)] = op.index;
    }
  }
  for (int index : model.outputs)
    if (!readable(index))
      return broken(model,
                    fmt::format("nothing writes the graph's output '{}'", tensor(index).name));
  return {};
}

std::string tflite_type_name(file::ElementType type) {
  std::string name = file::EnumNameElementType(type);
  return name.empty() ? fmt::format("type {}", static_cast<int>(type)) : name;
}

int tflite_type_bits(file::ElementType type) {
  switch (type) {
    case file::ElementType_INT4:
      return 4;
    case file::ElementType_INT8:
    case file::ElementType_UINT8:
    case file::ElementType_BOOL:
      return 8;
    case file::ElementType_INT16:
    case file::ElementType_UINT16:
    case file::ElementType_FLOAT16:
    case file::ElementType_BFLOAT16:
      return 16;
    case file::ElementType_INT32:
    case file::ElementType_UINT32:
    case file::ElementType_FLOAT32:
      return 32;
    case file::ElementType_INT64:
    case file::ElementType_UINT64:
    case file::ElementType_FLOAT64:
    case file::ElementType_COMPLEX64:
      return 64;
    case file::ElementType_COMPLEX128:
      return 128;
    default:
      return 0;
  }
}

bool is_bookkeeping(const TfliteTensor& tensor) {
  return !tensor.quantization &&
         (tensor.type == file::ElementType_INT32 || tensor.type == file::ElementType_INT64 ||
          tensor.type == file::ElementType_BOOL);
}

}  // namespace nibble
