// Operators that move elements: shapes, axes, slices, padding. All that they need besides their
// data is constant.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

// Axes from an attribute (older opsets) or an operand (newer ones), counted from the front.
Result<std::vector<size_t>> read_axes(OnnxNode& node, size_t operand, size_t rank) {
  auto stated = node.integers("axes");
  if (node.has_input(operand)) {
    NIBBLE_ASSIGN(stated, node.constant_integers(operand, "the input 'axes'"));
  }
  std::vector<size_t> axes;
  for (int64_t axis : stated) {
    NIBBLE_ASSIGN(size_t place, checked_axis(axis, rank));
    if (std::find(axes.begin(), axes.end(), place) != axes.end())
      return input_error(fmt::format("names axis {} twice", axis));
    axes.push_back(place);
  }
  return axes;
}

Status set_reshaped(OnnxNode& node, const Shape& shape) {
  NIBBLE_ASSIGN(OnnxOperand result, node.reshape(node.input(0), shape));
  node.set_output(0, std::move(result));
  return {};
}

// The bounds that Slice gives one axis, after clamping as ONNX (and NumPy) do.
void slice_axis(int64_t start, int64_t end, int64_t step, int64_t extent, size_t axis,
                Slice& slice) {
  if (extent == 0) return;
  auto from_end = [&](int64_t index) { return index < 0 ? index + extent : index; };
  if (step > 0) {
    start = std::clamp<int64_t>(from_end(start), 0, extent);
    end = std::clamp<int64_t>(from_end(end), 0, extent);
    slice.extent[axis] = end > start ? (end - start + step - 1) / step : 0;
  } else {
    start = std::clamp<int64_t>(from_end(start), 0, extent - 1);
    end = std::clamp<int64_t>(from_end(end), -1, extent - 1);
    slice.extent[axis] = start > end ? (start - end - step - 1) / -step : 0;
  }
  slice.begin[axis] = std::min(start, std::max<int64_t>(extent - 1, 0));
  slice.step[axis] = step;
}

Slice whole(const Shape& shape) { return {Shape(shape.size(), 0), shape, Shape(shape.size(), 1)}; }

// Absurd bounds mean "to the end"; limiting them keeps the arithmetic in range.
int64_t limited_bound(int64_t value) {
  constexpr int64_t kLimit = int64_t{1} << 40;
  return std::clamp(value, -kLimit, kLimit);
}

struct SliceLists {
  std::vector<int64_t> starts, ends, steps;
  std::vector<size_t> axes;
};

Result<SliceLists> read_slice(OnnxNode& node, size_t rank) {
  SliceLists lists;
  if (node.opset() < 10) {
    lists.starts = node.wide_integers("starts");
    lists.ends = node.wide_integers("ends");
  } else {
    if (!node.has_input(1) || !node.has_input(2)) return input_error("has no starts or ends");
    NIBBLE_ASSIGN(lists.starts, node.constant_integers(1, "the input 'starts'"));
    NIBBLE_ASSIGN(lists.ends, node.constant_integers(2, "the input 'ends'"));
  }
  NIBBLE_ASSIGN(lists.axes, read_axes(node, 3, rank));
  bool all_axes = lists.axes.empty() && !node.has_input(3) && !node.has_attribute("axes");
  if (all_axes)
    for (size_t i = 0; i < lists.starts.size(); ++i) lists.axes.push_back(i);
  lists.steps.assign(lists.axes.size(), 1);
  if (node.has_input(4)) {
    NIBBLE_ASSIGN(lists.steps, node.constant_integers(4, "the input 'steps'"));
  }
  size_t count = lists.axes.size();
  if (lists.starts.size() != count || lists.ends.size() != count || lists.steps.size() != count ||
      count > rank)
    return input_error("its starts, ends, axes and steps are not equally many");
  for (int64_t step : lists.steps)
    if (step == 0) return input_error("has a step of zero");
  return lists;
}

Result<std::vector<int64_t>> split_extents(OnnxNode& node, int64_t extent) {
  auto sizes = node.integers("split");
  if (node.has_input(1)) {
    NIBBLE_ASSIGN(sizes, node.constant_integers(1, "the input 'split'"));
  }
  auto count = static_cast<int64_t>(node.output_count());
  if (node.integer("num_outputs", count) != count)
    return input_error("attribute 'num_outputs' differs from its outputs");
  if (sizes.empty()) {
    // Equal parts; the last is smaller where they do not divide.
    int64_t part = (extent + count - 1) / count;
    for (int64_t i = 0; i < count; ++i)
      sizes.push_back(std::clamp<int64_t>(extent - i * part, 0, part));
  }
  int64_t total = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > extent) return input_error(fmt::format("splits off {} elements", size));
    total += size;
  }
  if (static_cast<int64_t>(sizes.size()) != count || total != extent)
    return input_error(fmt::format("splits {} elements into parts that do not fit", extent));
  return sizes;
}

// before..., after... over all axes of the operand.
Result<std::vector<int64_t>> read_pads(OnnxNode& node, size_t rank) {
  auto pads = node.integers("pads");
  if (node.has_input(1)) {
    NIBBLE_ASSIGN(pads, node.constant_integers(1, "the input 'pads'"));
  }
  std::vector<int64_t> all(2 * rank, 0);
  std::vector<size_t> axes;
  if (node.has_input(3)) {
    NIBBLE_ASSIGN(axes, read_axes(node, 3, rank));
  } else {
    for (size_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  if (pads.size() != 2 * axes.size())
    return input_error(fmt::format("has {} paddings for {} axes", pads.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    all[axes[i]] = pads[i];
    all[rank + axes[i]] = pads[axes.size() + i];
  }
  for (int64_t pad : all)
    if (pad < -kMaxElems || pad > kMaxElems) return input_error(fmt::format("pads by {}", pad));
  return all;
}

// The border of integers is given in steps; nibble's pad has it as the real number that they stand
// for. Steps of an unsigned type are held lower by half its range.
float real_fill(float steps, bool is_lowered, const TensorType& src) {
  if (!src.quant) return steps;
  if (is_lowered) steps -= static_cast<float>(int64_t{1} << (dtype_bits(src.dtype) - 1));
  return src.quant->scale[0] * (steps - static_cast<float>(src.quant->zero_point[0]));
}

}  // namespace

Status import_identity(OnnxNode& node) {
  node.ignore("ratio");  // Dropout at inference
  node.ignore("seed");
  if (node.has_input(2)) {
    NIBBLE_ASSIGN(auto training, node.constant_integers(2, "the input 'training_mode'"));
    if (!training.empty() && training[0] != 0)
      return input_error("is in training mode; export the model for inference");
  }
  node.set_output(0, node.input(0));
  return {};
}

// 0 keeps the operand's extent (unless allowzero), -1 takes what is left.
Status import_reshape(OnnxNode& node) {
  bool zero_is_zero = node.integer("allowzero", 0) != 0;
  NIBBLE_ASSIGN(auto stated, node.constant_integers(1, "its shape"));
  const Shape src = node.shape(0);
  Shape shape;
  int64_t known = 1;
  std::optional<size_t> open;
  for (size_t i = 0; i < stated.size(); ++i) {
    int64_t extent = stated[i];
    if (extent == 0 && !zero_is_zero) {
      if (i >= src.size())
        return input_error(fmt::format("keeps extent {} of {}", i, format_shape(src)));
      extent = src[i];
    }
    if (extent == -1 && !open) {
      open = i;
      shape.push_back(1);
      continue;
    }
    if (extent < 0 || extent > kMaxElems || (extent != 0 && known > kMaxElems / extent))
      return input_error(fmt::format("its shape holds {}", extent));
    known *= extent;
    shape.push_back(extent);
  }
  if (open) {
    if (known == 0 || elem_count(src) % known != 0)
      return input_error(fmt::format("{} elements do not divide by {}", elem_count(src), known));
    shape[*open] = elem_count(src) / known;
  }
  return set_reshaped(node, shape);
}

Status import_flatten(OnnxNode& node) {
  const Shape src = node.shape(0);
  int64_t stated = node.integer("axis", 1), rank = static_cast<int64_t>(src.size());
  if (stated < -rank || stated > rank)
    return input_error(fmt::format("axis {} is outside the {} axes of its operand", stated, rank));
  if (stated < 0) stated += rank;
  int64_t outer = 1;
  for (int64_t i = 0; i < stated; ++i) outer *= src[static_cast<size_t>(i)];
  return set_reshaped(node, {outer, outer == 0 ? 0 : elem_count(src) / outer});
}

Status import_squeeze(OnnxNode& node) {
  const Shape src = node.shape(0);
  NIBBLE_ASSIGN(auto axes, read_axes(node, 1, src.size()));
  bool all = axes.empty() && !node.has_input(1) && !node.has_attribute("axes");
  Shape shape;
  for (size_t i = 0; i < src.size(); ++i) {
    bool named = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (named && src[i] != 1)
      return input_error(
          fmt::format("removes axis {} of {}, whose extent is not one", i, format_shape(src)));
    if (!named && !(all && src[i] == 1)) shape.push_back(src[i]);
  }
  return set_reshaped(node, shape);
}

Status import_unsqueeze(OnnxNode& node) {
  const Shape src = node.shape(0);
  size_t added = node.has_attribute("axes") ? node.integers("axes").size() : 0;
  if (node.has_input(1)) added = static_cast<size_t>(elem_count(node.shape(1)));
  if (added == 0 || added + src.size() > 16)
    return input_error(fmt::format("adds {} axes to {}", added, format_shape(src)));
  NIBBLE_ASSIGN(auto axes, read_axes(node, 1, src.size() + added));
  Shape shape;
  auto next = src.begin();
  for (size_t i = 0; i < src.size() + added; ++i)
    shape.push_back(std::find(axes.begin(), axes.end(), i) != axes.end() ? 1 : *next++);
  return set_reshaped(node, shape);
}

Status import_transpose(OnnxNode& node) {
  size_t rank = node.shape(0).size();
  std::vector<int64_t> perm;
  for (size_t i = 0; i < rank; ++i) perm.push_back(static_cast<int64_t>(rank - 1 - i));
  perm = node.integers("perm", perm);
  auto sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool valid = perm.size() == rank;
  for (size_t i = 0; i < sorted.size(); ++i) valid = valid && sorted[i] == static_cast<int64_t>(i);
  if (!valid) return input_error("attribute 'perm' is not a permutation of its operand's axes");
  NIBBLE_ASSIGN(OnnxOperand result, node.transpose(node.input(0), perm));
  node.set_output(0, std::move(result));
  return {};
}

Status import_concat(OnnxNode& node) {
  if (!node.has_attribute("axis")) return input_error("attribute 'axis' is missing");
  const Shape first = node.shape(0);
  NIBBLE_ASSIGN(size_t axis, checked_axis(node.integer("axis", 0), first.size()));
  for (size_t i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i)) return input_error(fmt::format("input {} is missing", i));
    Shape shape = node.shape(i);
    bool fits = shape.size() == first.size();
    if (fits) shape[axis] = first[axis];
    if (!fits || shape != first || node.type(i).dtype != node.type(0).dtype)
      return input_error(
          fmt::format("joins {} and {}", format_shape(first), format_shape(node.shape(i))));
  }
  if (node.all_constant()) {
    std::vector<Tensor> parts;
    Shape joined = first;
    for (size_t i = 0; i < node.input_count(); ++i) {
      parts.push_back(*node.input(i).constant);
      if (i > 0) joined[axis] += node.shape(i)[axis];
    }
    NIBBLE_TRY(node.reserve(joined, parts[0].dtype()));
    OnnxOperand result;
    result.constant = concat_constants(parts, axis);
    node.set_output(0, std::move(result));
    return {};
  }
  std::vector<ValueId> parts;
  for (size_t i = 0; i < node.input_count(); ++i) {
    NIBBLE_ASSIGN(ValueId part, node.value(i));
    parts.push_back(part);
  }
  const TensorType type = node.type_of(parts[0]);
  for (ValueId part : parts)
    if (node.type_of(part).quant != type.quant || (is_integer(type.dtype) && !type.quant))
      return input_error(
          "joins integers of different or unknown scales; put it between DequantizeLinear and "
          "QuantizeLinear");
  NIBBLE_ASSIGN(ValueId result, node.add(Concat{static_cast<int64_t>(axis)}, std::move(parts), "",
                                         type.quant, type.dtype));
  node.set_output(0, result);
  return {};
}

Status import_slice(OnnxNode& node) {
  const Shape src = node.shape(0);
  NIBBLE_ASSIGN(SliceLists lists, read_slice(node, src.size()));
  Slice slice = whole(src);
  for (size_t i = 0; i < lists.axes.size(); ++i)
    slice_axis(limited_bound(lists.starts[i]), limited_bound(lists.ends[i]),
               limited_bound(lists.steps[i]), src[lists.axes[i]], lists.axes[i], slice);
  NIBBLE_ASSIGN(OnnxOperand result, node.slice(node.input(0), slice));
  node.set_output(0, std::move(result));
  return {};
}

Status import_split(OnnxNode& node) {
  const Shape src = node.shape(0);
  NIBBLE_ASSIGN(size_t axis, checked_axis(node.integer("axis", 0), src.size()));
  NIBBLE_ASSIGN(auto sizes, split_extents(node, src[axis]));
  const OnnxOperand operand = node.input(0);
  Slice slice = whole(src);
  for (size_t i = 0; i < sizes.size(); ++i) {
    slice.extent[axis] = sizes[i];
    NIBBLE_ASSIGN(OnnxOperand part, node.slice(operand, slice, fmt::format("part_{}", i)));
    slice.begin[axis] += sizes[i];
    node.set_output(i, std::move(part));
  }
  return {};
}

// Constant padding; negative amounts cut off.
Status import_pad(OnnxNode& node) {
  std::string mode = node.text("mode", "constant");
  if (mode != "constant")
    return input_error(fmt::format("mode '{}' is not supported; constant is", mode));
  const Shape shape = node.shape(0);
  size_t rank = shape.size();
  NIBBLE_ASSIGN(auto pads, read_pads(node, rank));
  float fill = node.real("value", 0);
  if (node.has_input(2) && is_integer(node.type(2).dtype)) {
    NIBBLE_ASSIGN(auto values, node.constant_integers(2, "the padding value"));
    if (values.size() != 1) return input_error("its padding value is not one number");
    fill = static_cast<float>(values[0]);
  } else if (node.has_input(2)) {
    NIBBLE_ASSIGN(auto values, node.constant_reals(2, "the padding value"));
    if (values.size() != 1) return input_error("its padding value is not one number");
    fill = values[0];
  }
  const int type_in_file = node.input(node.has_input(2) ? 2 : 0).onnx_type;
  const bool is_unsigned =
      type_in_file == onnx::TensorProto::UINT8 || type_in_file == onnx::TensorProto::UINT16;
  fill = real_fill(fill, is_unsigned && node.type(0).dtype != DType::kU8, node.type(0));
  Slice cut = whole(shape);
  Pad pad{Shape(rank, 0), Shape(rank, 0), fill};
  for (size_t i = 0; i < rank; ++i) {
    int64_t before = pads[i], after = pads[rank + i];
    cut.begin[i] = std::max<int64_t>(-before, 0);
    cut.extent[i] -= cut.begin[i] + std::max<int64_t>(-after, 0);
    if (cut.extent[i] < 1) return input_error("cuts off more than there is");
    pad.before[i] = std::max<int64_t>(before, 0);
    pad.after[i] = std::max<int64_t>(after, 0);
  }
  OnnxOperand result = node.input(0);
  if (cut.extent != shape) {
    NIBBLE_ASSIGN(result, node.slice(result, cut, "cut"));
  }
  if (pad.before != Shape(rank, 0) || pad.after != Shape(rank, 0)) {
    NIBBLE_ASSIGN(ValueId value, node.value_of(result));
    NIBBLE_ASSIGN(value, add_move(node, std::move(pad), {value}, ""));
    result = node.operand_of(value);
  }
  node.set_output(0, std::move(result));
  return {};
}

// Blocks of channels become blocks of pixels: DCR splits C as [b][b][C'], CRD as [C'][b][b].
Status import_depth_to_space(OnnxNode& node) {
  const Shape shape = node.shape(0);
  int64_t block = node.integer("blocksize", 0);
  std::string mode = node.text("mode", "DCR");
  if (shape.size() != 4 || block < 1 || block > 256 || shape[1] % (block * block) != 0 ||
      (mode != "DCR" && mode != "CRD"))
    return input_error(fmt::format("cannot turn {} into blocks of {} (mode {})",
                                   format_shape(shape), block, mode));
  int64_t channels = shape[1] / (block * block), h = shape[2], w = shape[3];
  bool blocks_first = mode == "DCR";
  Shape split = blocks_first ? Shape{shape[0], block, block, channels, h, w}
                             : Shape{shape[0], channels, block, block, h, w};
  std::vector<int64_t> perm = blocks_first ? std::vector<int64_t>{0, 3, 4, 1, 5, 2}
                                           : std::vector<int64_t>{0, 1, 4, 2, 5, 3};
  NIBBLE_ASSIGN(OnnxOperand result, node.reshape(node.input(0), split, "split"));
  NIBBLE_ASSIGN(result, node.transpose(result, perm, "interleave"));
  NIBBLE_ASSIGN(result, node.reshape(result, {shape[0], channels, h * block, w * block}));
  node.set_output(0, std::move(result));
  return {};
}

Status import_space_to_depth(OnnxNode& node) {
  const Shape shape = node.shape(0);
  int64_t block = node.integer("blocksize", 0);
  if (shape.size() != 4 || block < 1 || shape[2] % block != 0 || shape[3] % block != 0)
    return input_error(fmt::format("cannot turn {} into blocks of {}", format_shape(shape), block));
  int64_t h = shape[2] / block, w = shape[3] / block;
  NIBBLE_ASSIGN(OnnxOperand result,
                node.reshape(node.input(0), {shape[0], shape[1], h, block, w, block}, "split"));
  NIBBLE_ASSIGN(result, node.transpose(result, {0, 3, 5, 1, 2, 4}, "gather"));
  NIBBLE_ASSIGN(result, node.reshape(result, {shape[0], shape[1] * block * block, h, w}));
  node.set_output(0, std::move(result));
  return {};
}

}  // namespace nibble
