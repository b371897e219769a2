// Writes the trained network as an ONNX file. libtorch has no exporter, so the graph is spelled out
// here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace nibble::kws {

// A convolution without bias, its batch normalization and a ReLU.
struct ConvLayer {
  std::string name;
  std::vector<int64_t> shape;  // output channels, input channels per group, height, width
  int64_t groups = 1;
  int64_t stride = 1;
  std::vector<int64_t> pads;  // top, left, bottom, right
  std::vector<float> weights;
  std::vector<float> gamma, beta, mean, variance;  // per output channel
  float epsilon = 1e-5f;
};

struct DsCnnParameters {
  std::vector<ConvLayer> layers;
  int64_t classes = 0;
  std::vector<float> dense_weights;  // classes x channels
  std::vector<float> dense_bias;
};

// Opset 13: input 1x1x49x10 "mfcc", Conv, BatchNormalization and Relu as separate nodes,
// GlobalAveragePool, Flatten, Gemm, Softmax, output 1x12 "probabilities".
Status write_onnx(const DsCnnParameters& parameters, const std::filesystem::path& path);

}  // namespace nibble::kws
