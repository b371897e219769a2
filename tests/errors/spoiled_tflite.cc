// nibble_spoiled_tflite HOW: a dense layer as .tflite on stdout, spoiled in one place, for the
// error cases. What the reader checks in detail stands in src/formats/tflite; here is what users
// meet.
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "support/tflite_builder.h"

namespace nibble {
namespace {

namespace file = tflite_file;

// y[1,3] = x[1,2] * w[3,2]^T + c[3]
struct Model {
  TfliteBuilder b;
  int x, w, c, y;
  Model() {
    x = b.activation("x", {1, 2});
    w = b.floats("w", {3, 2}, {1, 2, 3, 4, 5, 6});
    c = b.floats("c", {3}, {0, 1, 2});
    y = b.activation("y", {1, 3});
    b.add(file::Builtin_FULLY_CONNECTED, {x, w, c}, {y}, file::CreateFullyConnected(b.fbb()));
    b.inputs = {x};
    b.outputs = {y};
  }
  TfliteBuilder::Tensor& tensor(int index) { return b.tensors[static_cast<size_t>(index)]; }
  void make_weights_int8(TfliteQuant quant) {
    tensor(w).type = file::ElementType_INT8;
    tensor(w).data.resize(6);
    tensor(w).quant = std::move(quant);
  }
};

const std::map<std::string, std::function<void(Model&)>>& ways() {
  static const std::map<std::string, std::function<void(Model&)>> kWays = {
      {"unsupported",
       [](Model& m) {
         int sine = m.b.activation("sine", {1, 3}), found = m.b.activation("found", {1, 3});
         m.b.add(file::Builtin_SIN, {m.y}, {sine});
         m.b.add(file::Builtin_CUSTOM, {sine}, {found});
         m.b.operators.back().custom = "TFLite_Detection_PostProcess";
       }},
      {"cycle",
       [](Model& m) {
         int back = m.b.activation("back", {1, 2});
         m.b.operators[0].inputs[0] = back;
         m.b.add(file::Builtin_RELU, {m.y}, {back});
       }},
      {"absent_buffer", [](Model& m) { m.tensor(m.w).buffer = 99; }},
      {"no_data", [](Model& m) { m.tensor(m.w).buffer = 0; }},
      {"size_lies",
       [](Model& m) {
         m.tensor(m.w).shape = {3000, 2000};
       }},
      {"absurd_extent",
       [](Model& m) {
         m.tensor(m.y).shape = {1 << 30, 1 << 30, 1 << 30};
       }},
      {"wrong_type", [](Model& m) { m.tensor(m.x).type = file::ElementType_STRING; }},
      {"index_outside", [](Model& m) { m.b.operators[0].inputs[1] = 77; }},
      {"scale_zero",
       [](Model& m) {
         m.make_weights_int8({{0}, {0}});
       }},
      {"scale_nan",
       [](Model& m) {
         m.make_weights_int8({{NAN}, {0}});
       }},
      {"scales_count",
       [](Model& m) {
         m.make_weights_int8({{1, 1}, {0, 0}});
       }},
      {"dynamic",
       [](Model& m) {
         m.tensor(m.x).signature = {-1, -1};
       }},
      {"batch",
       [](Model& m) {
         m.tensor(m.x).shape = {8, 2};
       }},
      {"subgraphs", [](Model& m) { m.b.subgraphs = 2; }},
  };
  return kWays;
}

int write_model(const std::string& how) {
  auto way = ways().find(how);
  if (way == ways().end()) {
    std::fprintf(stderr, "'%s' is no way to spoil a model; known:", how.c_str());
    for (const auto& [name, unused] : ways()) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  Model model;
  way->second(model);
  std::vector<uint8_t> bytes = model.b.finish();
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() ? 0 : 1;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::write_model(argc == 2 ? argv[1] : ""); }
