// Writes tiny ONNX files for tests and fuzzing seeds. Nothing is checked here: every field can be
// set to nonsense on purpose. Link onnx_proto and protobuf.
#pragma once

#include <string>
#include <vector>

#ifndef ONNX_ML
#define ONNX_ML 1
#endif
#ifndef ONNX_NAMESPACE
#define ONNX_NAMESPACE onnx
#endif
#include <onnx/onnx_pb.h>

namespace nibble {

class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset = 13) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("built");
  }

  onnx::ModelProto model;

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  // An extent of -1 has no value.
  static void set_value(onnx::ValueInfoProto& value, const std::string& name,
                        const std::vector<int64_t>& shape, int type = onnx::TensorProto::FLOAT) {
    value.set_name(name);
    auto* tensor = value.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (int64_t extent : shape) {
      auto* dim = tensor->mutable_shape()->add_dim();
      if (extent >= 0) dim->set_dim_value(extent);
    }
  }
  void input(const std::string& name, const std::vector<int64_t>& shape,
             int type = onnx::TensorProto::FLOAT) {
    set_value(*graph().add_input(), name, shape, type);
  }
  void output(const std::string& name, const std::vector<int64_t>& shape = {},
              int type = onnx::TensorProto::FLOAT) {
    set_value(*graph().add_output(), name, shape, type);
  }

  template <class T>
  onnx::TensorProto& constant(const std::string& name, const std::vector<int64_t>& shape, int type,
                              const std::vector<T>& elems) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (int64_t extent : shape) tensor.add_dims(extent);
    tensor.set_raw_data(
        std::string(reinterpret_cast<const char*>(elems.data()), elems.size() * sizeof(T)));
    return tensor;
  }
  onnx::TensorProto& floats(const std::string& name, const std::vector<int64_t>& shape,
                            const std::vector<float>& elems) {
    return constant(name, shape, onnx::TensorProto::FLOAT, elems);
  }
  onnx::TensorProto& ints(const std::string& name, const std::vector<int64_t>& elems) {
    return constant(name, {static_cast<int64_t>(elems.size())}, onnx::TensorProto::INT64, elems);
  }

  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, const std::string& name = "") {
    auto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(name);
    for (const auto& input : inputs) node.add_input(input);
    for (const auto& output : outputs) node.add_output(output);
    return node;
  }
  static void set(onnx::NodeProto& node, const std::string& name, int64_t value) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name, float value) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name, const std::string& value) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::STRING);
    attribute->set_s(value);
  }
  static void set(onnx::NodeProto& node, const std::string& name,
                  const std::vector<int64_t>& values) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (int64_t value : values) attribute->add_ints(value);
  }

  std::vector<uint8_t> bytes() const {
    std::string text = model.SerializeAsString();
    return {text.begin(), text.end()};
  }
};

}  // namespace nibble
