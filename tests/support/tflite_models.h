// Small .tflite models made in code: for unit tests where the real models are missing, and as seeds
// for fuzzing.
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "support/tflite_builder.h"

namespace nibble {

// x[1,2] -> y = relu(x * [[1,2],[3,4],[5,6]]^T + [0.5,-20,1])
inline std::vector<uint8_t> tflite_float_dense() {
  namespace file = tflite_file;
  TfliteBuilder b;
  int x = b.activation("x", {1, 2});
  int w = b.floats("w", {3, 2}, {1, 2, 3, 4, 5, 6});
  int c = b.floats("c", {3}, {0.5f, -20, 1});
  int y = b.activation("y", {1, 3});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w, c}, {y},
        file::CreateFullyConnected(b.fbb(), file::Activation_RELU));
  b.inputs = {x};
  b.outputs = {y};
  return b.finish();
}

// An image of 5x5x2 through a strided SAME convolution, depthwise, addition, pools, mean and
// softmax, int8, per channel.
inline std::vector<uint8_t> tflite_int8_net() {
  namespace file = tflite_file;
  TfliteBuilder b;
  auto s8 = file::ElementType_INT8;
  auto s32 = file::ElementType_INT32;
  TfliteBuilder::Quant quant{{0.05f}, {3}};
  int x = b.activation("x", {1, 5, 5, 2}, s8, {{0.1f}, {-1}});
  std::vector<int8_t> taps(4 * 3 * 3 * 2);
  for (size_t i = 0; i < taps.size(); ++i)
    taps[i] = static_cast<int8_t>(static_cast<int>(i * 37 % 255) - 127);
  int w1 = b.constant("conv/w", {4, 3, 3, 2}, s8, taps,
                      {{0.01f, 0.02f, 0.005f, 0.0125f}, {0, 0, 0, 0}, 0});
  int b1 = b.constant<int32_t>("conv/b", {4}, s32, {100, -200, 0, 7});
  int conv = b.activation("conv", {1, 3, 3, 4}, s8, quant);
  b.add(file::Builtin_CONV_2D, {x, w1, b1}, {conv},
        file::CreateConv2D(b.fbb(), file::Padding_SAME, 2, 2, file::Activation_RELU6));
  int w2 =
      b.constant("dw/w", {1, 3, 3, 4}, s8, std::vector<int8_t>(taps.begin(), taps.begin() + 36),
                 {{0.01f, 0.02f, 0.005f, 0.0125f}, {0, 0, 0, 0}, 3});
  int b2 = b.constant<int32_t>("dw/b", {4}, s32, {1, 2, 3, 4});
  int depthwise = b.activation("dw", {1, 3, 3, 4}, s8, quant);
  b.add(file::Builtin_DEPTHWISE_CONV_2D, {conv, w2, b2}, {depthwise},
        file::CreateDepthwiseConv2D(b.fbb(), file::Padding_SAME, 1, 1, 1, file::Activation_RELU));
  int sum = b.activation("sum", {1, 3, 3, 4}, s8, {{0.1f}, {-20}});
  b.add(file::Builtin_ADD, {conv, depthwise}, {sum}, file::CreateAdd(b.fbb()));
  int pool = b.activation("pool", {1, 2, 2, 4}, s8, {{0.1f}, {-20}});
  b.add(file::Builtin_MAX_POOL_2D, {sum}, {pool},
        file::CreatePool2D(b.fbb(), file::Padding_SAME, 2, 2, 2, 2));
  int axes = b.ints("axes", {1, 2});
  int mean = b.activation("mean", {1, 4}, s8, {{0.1f}, {-20}});
  b.add(file::Builtin_MEAN, {pool, axes}, {mean}, file::CreateReducer(b.fbb(), false));
  int y = b.activation("y", {1, 4}, s8, {{1.0f / 256}, {-128}});
  b.add(file::Builtin_SOFTMAX, {mean}, {y}, file::CreateSoftmax(b.fbb(), 1));
  b.inputs = {x};
  b.outputs = {y};
  return b.finish();
}

// What Keras makes of Flatten: the shape is computed at run time by SHAPE, STRIDED_SLICE and PACK;
// the batch is dynamic.
inline std::vector<uint8_t> tflite_flatten() {
  namespace file = tflite_file;
  TfliteBuilder b;
  auto s32 = file::ElementType_INT32;
  int x = b.activation("x", {1, 2, 3, 4});
  b.tensors.back().signature = {-1, 2, 3, 4};
  int shape = b.activation("shape", {4}, s32);
  int zero = b.ints("zero", {0}), one = b.ints("one", {1});
  int batch = b.activation("batch", {}, s32);
  int rest = b.scalar("rest", 24);
  int wanted = b.activation("wanted", {2}, s32);
  int y = b.activation("y", {1, 24});
  b.tensors.back().signature = {-1, 24};
  b.add(file::Builtin_SHAPE, {x}, {shape}, file::CreateShapeOf(b.fbb(), s32));
  b.add(file::Builtin_STRIDED_SLICE, {shape, zero, one, one}, {batch},
        file::CreateStridedSlice(b.fbb(), 0, 0, 0, 0, 1));
  b.add(file::Builtin_PACK, {batch, rest}, {wanted}, file::CreatePack(b.fbb(), 2, 0));
  b.add(file::Builtin_RESHAPE, {x, wanted}, {y});
  b.inputs = {x};
  b.outputs = {y};
  return b.finish();
}

// Operators that only move elements, over a 1x4x4x2 image.
inline std::vector<uint8_t> tflite_movers() {
  namespace file = tflite_file;
  TfliteBuilder b;
  int x = b.activation("x", {1, 4, 4, 2});
  int pads = b.constant<int32_t>("pads", {4, 2}, file::ElementType_INT32, {0, 0, 1, 0, 0, 1, 0, 0});
  int value = b.floats("value", {1}, {-1.5f});
  int padded = b.activation("padded", {1, 5, 5, 2});
  b.add(file::Builtin_PADV2, {x, pads, value}, {padded});
  int begin = b.ints("begin", {0, 0, 4, 0}), end = b.ints("end", {0, 4, 0, 0});
  int step = b.ints("step", {1, 1, -1, 1});
  int sliced = b.activation("sliced", {1, 4, 4, 2});
  b.add(file::Builtin_STRIDED_SLICE, {padded, begin, end, step}, {sliced},
        file::CreateStridedSlice(b.fbb(), 9, 9));
  int joined = b.activation("joined", {1, 4, 4, 4});
  b.add(file::Builtin_CONCATENATION, {x, sliced}, {joined}, file::CreateConcatenation(b.fbb(), -1));
  int perm = b.ints("perm", {0, 3, 1, 2});
  int turned = b.activation("turned", {1, 4, 4, 4});
  b.add(file::Builtin_TRANSPOSE, {joined, perm}, {turned});
  int axis = b.scalar("axis", 3);
  int left = b.activation("left", {1, 4, 4, 2}), right = b.activation("right", {1, 4, 4, 2});
  b.add(file::Builtin_SPLIT, {axis, turned}, {left, right}, file::CreateSplit(b.fbb(), 2));
  int product = b.activation("product", {1, 4, 4, 2});
  b.add(file::Builtin_MUL, {left, right}, {product}, file::CreateMul(b.fbb()));
  int size = b.ints("size", {8, 2});
  int resized = b.activation("resized", {1, 8, 2, 2});
  b.add(file::Builtin_RESIZE_NEAREST_NEIGHBOR, {product, size}, {resized},
        file::CreateResizeNearestNeighbor(b.fbb(), false, true));
  b.inputs = {x};
  b.outputs = {resized};
  return b.finish();
}

// By file name.
inline std::vector<std::pair<const char*, std::vector<uint8_t>>> tflite_seeds() {
  return {{"float_dense.tflite", tflite_float_dense()},
          {"int8_net.tflite", tflite_int8_net()},
          {"flatten.tflite", tflite_flatten()},
          {"movers.tflite", tflite_movers()}};
}

}  // namespace nibble
