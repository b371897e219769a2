// Operators that move elements as ONNX has them: padding, joining, slicing, reshaping, resizing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/exporter.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// The source position of each result of one axis of a Resize, by ONNX's rules in float, as ONNX
// Runtime computes them, or in double, as the specification reads.
template <class Real>
std::vector<int16_t> onnx_positions(int64_t in, int64_t out, bool half_pixel, bool corners) {
  std::vector<int16_t> positions;
  const Real scale = static_cast<Real>(out) / static_cast<Real>(in);
  for (int64_t i = 0; i < out; ++i) {
    const auto at = static_cast<Real>(i);
    Real place = at / scale;
    if (half_pixel) place = (at + Real(0.5)) / scale - Real(0.5);
    if (corners) place = out > 1 ? at * static_cast<Real>(in - 1) / static_cast<Real>(out - 1) : 0;
    const bool floors = !half_pixel && !corners;
    const Real nearest = floors ? std::floor(place) : std::floor(place + Real(0.5));
    positions.push_back(
        static_cast<int16_t>(std::clamp<int64_t>(static_cast<int64_t>(nearest), 0, in - 1)));
  }
  return positions;
}

bool fits(int64_t in, int64_t out, const ResizeNearest& op, bool half_pixel, bool corners) {
  const std::vector<int16_t> own = source_positions(op, in, out);
  return onnx_positions<float>(in, out, half_pixel, corners) == own &&
         onnx_positions<double>(in, out, half_pixel, corners) == own;
}

}  // namespace

Status export_pad(ExportNode& node, const Pad& op) {
  const Perm axes = node.held_axes(0);
  std::vector<int64_t> pads = permuted(op.before, axes);
  for (int64_t after : permuted(op.after, axes)) pads.push_back(after);
  float fill = op.value;
  // The border is the nearest step that the value's grid has.
  if (const auto& quant = node.out_type().quant) {
    auto real = [&](int32_t q) {
      return quant->scale[0] * static_cast<float>(q - quant->zero_point[0]);
    };
    fill = std::clamp(fill, real(quant->q_min), real(quant->q_max));
  }
  const std::vector<std::string> inputs = {node.input(0, axes), node.integers("pads", pads),
                                           node.floats("value", {}, std::span(&fill, 1))};
  set_attribute(node.add("Pad", inputs), "mode", std::string("constant"));
  return node.finish(axes);
}

Status export_concat(ExportNode& node, const Concat& op) {
  const Perm axes = node.common_axes(node.out_type().shape.size());
  std::vector<std::string> inputs;
  for (size_t i = 0; i < node.node().inputs.size(); ++i) inputs.push_back(node.input(i, axes));
  const auto place = std::ranges::find(axes, op.axis);
  set_attribute(node.add("Concat", inputs), "axis", int64_t{place - axes.begin()});
  return node.finish(axes);
}

Status export_reshape(ExportNode& node, const Reshape& op) {
  const std::string src = node.flat_input(0);
  // A shape without axes has no entries, which ONNX takes for a scalar.
  node.add("Reshape", {src, node.integers("shape", op.shape)});
  return node.finish(identity_perm(op.shape.size()));
}

Status export_slice(ExportNode& node, const Slice& op) {
  const Perm axes = node.held_axes(0);
  const Shape shape = permuted(node.shape(0), axes);
  std::vector<int64_t> begin = permuted(op.begin, axes), step = permuted(op.step, axes), end, all;
  const std::vector<int64_t> extent = permuted(op.extent, axes);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t stop = begin[i] + extent[i] * step[i];
    // In front of the first element: a negative bound counts from the end.
    end.push_back(stop < 0 ? -shape[i] - 1 : stop);
    all.push_back(static_cast<int64_t>(i));
  }
  node.add("Slice",
           {node.input(0, axes), node.integers("starts", begin), node.integers("ends", end),
            node.integers("axes", all), node.integers("steps", step)});
  return node.finish(axes);
}

Status export_resize(ExportNode& node, const ResizeNearest& op) {
  const Perm image = channels_first(4);
  const Shape& src = node.shape(0);
  const Shape& dst = node.out_type().shape;
  struct Rule {
    const char *coordinates, *rounding;
    bool half_pixel, corners;
  };
  constexpr Rule kRules[] = {{"asymmetric", "floor", false, false},
                             {"half_pixel", "round_prefer_ceil", true, false},
                             {"align_corners", "round_prefer_ceil", false, true}};
  for (const Rule& rule : kRules) {
    if (!fits(src[1], dst[1], op, rule.half_pixel, rule.corners) ||
        !fits(src[2], dst[2], op, rule.half_pixel, rule.corners))
      continue;
    onnx::NodeProto& proto = node.add(
        "Resize", {node.input(0, image), "", "", node.integers("sizes", permuted(dst, image))});
    set_attribute(proto, "mode", std::string("nearest"));
    set_attribute(proto, "coordinate_transformation_mode", std::string(rule.coordinates));
    set_attribute(proto, "nearest_mode", std::string(rule.rounding));
    return node.finish(image);
  }
  return input_error(fmt::format(
      "resizes {} to {} by pixels that none of ONNX's rules picks; write the model as .nibble, or "
      "resize by a whole factor",
      format_shape(src), format_shape(dst)));
}

}  // namespace nibble
