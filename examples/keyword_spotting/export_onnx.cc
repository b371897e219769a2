// See export_onnx.h. The messages are those of onnx.proto (ONNX IR version 7).
#include "export_onnx.h"

#include <fmt/format.h>

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/onnx_pb.h>

#include "base/file.h"
#include "corpus.h"
#include "front_end.h"

namespace nibble::kws {
namespace {

class Exporter {
 public:
  explicit Exporter(onnx::GraphProto& graph) : graph_(graph) {}

  std::string constant(const std::string& name, const std::vector<int64_t>& shape,
                       const std::vector<float>& values) {
    onnx::TensorProto* tensor = graph_.add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : shape) tensor->add_dims(extent);
    tensor->set_raw_data(values.data(), values.size() * sizeof(float));
    return name;
  }

  std::string channels(const std::string& name, const std::vector<float>& values) {
    return constant(name, {static_cast<int64_t>(values.size())}, values);
  }

  // Appends a node with one output and returns the output's name, which is also the node's.
  std::string node(const std::string& type, const std::string& name,
                   const std::vector<std::string>& inputs) {
    node_ = graph_.add_node();
    node_->set_op_type(type);
    node_->set_name(name);
    for (const std::string& input : inputs) node_->add_input(input);
    node_->add_output(name);
    return name;
  }

  // Attributes of the node appended last.
  void attribute(const std::string& name, int64_t value) {
    onnx::AttributeProto* item = add_attribute(name, onnx::AttributeProto::INT);
    item->set_i(value);
  }
  void attribute(const std::string& name, float value) {
    onnx::AttributeProto* item = add_attribute(name, onnx::AttributeProto::FLOAT);
    item->set_f(value);
  }
  void attribute(const std::string& name, const std::vector<int64_t>& values) {
    onnx::AttributeProto* item = add_attribute(name, onnx::AttributeProto::INTS);
    for (int64_t value : values) item->add_ints(value);
  }

  std::string layer(const ConvLayer& layer, const std::string& input) {
    std::string name = node("Conv", layer.name + "/conv",
                            {input, constant(layer.name + "/weights", layer.shape, layer.weights)});
    attribute("kernel_shape", std::vector<int64_t>{layer.shape[2], layer.shape[3]});
    attribute("strides", std::vector<int64_t>{layer.stride, layer.stride});
    attribute("pads", layer.pads);
    attribute("group", layer.groups);
    name = node(
        "BatchNormalization", layer.name + "/bn",
        {name, channels(layer.name + "/gamma", layer.gamma),
         channels(layer.name + "/beta", layer.beta), channels(layer.name + "/mean", layer.mean),
         channels(layer.name + "/variance", layer.variance)});
    attribute("epsilon", layer.epsilon);
    return node("Relu", layer.name + "/relu", {name});
  }

 private:
  onnx::AttributeProto* add_attribute(const std::string& name,
                                      onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto* item = node_->add_attribute();
    item->set_name(name);
    item->set_type(type);
    return item;
  }

  onnx::GraphProto& graph_;
  onnx::NodeProto* node_ = nullptr;
};

void declare(onnx::ValueInfoProto* value, const std::string& name,
             const std::vector<int64_t>& shape) {
  value->set_name(name);
  auto* type = value->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (int64_t extent : shape) type->mutable_shape()->add_dim()->set_dim_value(extent);
}

}  // namespace

Status write_onnx(const DsCnnParameters& parameters, const std::filesystem::path& path) {
  onnx::ModelProto model;
  model.set_ir_version(7);
  model.set_producer_name("nibble keyword spotting example");
  auto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(13);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("kws_ds_cnn");
  declare(graph.add_input(), "mfcc", {1, 1, kFrames, kCoefficients});

  Exporter exporter(graph);
  std::string value = "mfcc";
  for (const ConvLayer& layer : parameters.layers) value = exporter.layer(layer, value);
  value = exporter.node("GlobalAveragePool", "pool", {value});
  value = exporter.node("Flatten", "flatten", {value});
  int64_t channels = parameters.layers.back().shape[0];
  value = exporter.node(
      "Gemm", "logits",
      {value,
       exporter.constant("dense/weights", {parameters.classes, channels}, parameters.dense_weights),
       exporter.channels("dense/bias", parameters.dense_bias)});
  exporter.attribute("transB", int64_t{1});
  value = exporter.node("Softmax", "probabilities", {value});
  exporter.attribute("axis", int64_t{1});
  declare(graph.add_output(), value, {1, parameters.classes});

  std::string names;
  for (std::string_view label : kLabels) names += (names.empty() ? "" : ",") + std::string(label);
  auto* metadata = model.add_metadata_props();
  metadata->set_key("labels");
  metadata->set_value(names);

  std::string bytes;
  if (!model.SerializeToString(&bytes))
    return input_error(fmt::format("{}: the model cannot be encoded", path.string()));
  return write_file(path, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace nibble::kws
