// Operators of .tflite files that move elements: pad, concatenation, reshape, transpose, slices,
// resize.
#include <algorithm>

#include "formats/tflite/importer.h"

namespace nibble {

namespace file = tflite_file;

namespace {

constexpr int64_t kMaxPad = 1 << 20;

}  // namespace

Status TfliteImporter::convert_pad(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, op.code == file::Builtin_PAD ? 2 : 3));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(const StaticArray* pads, need_static(op, 1, "paddings"));
  size_t rank = shape_of(src).size();
  if (pads->elems.size() != 2 * rank)
    return input_error(fmt::format("has {} paddings for {} axes", pads->elems.size(), rank));
  Pad pad;
  for (size_t axis = 0; axis < rank; ++axis) {
    pad.before.push_back(pads->elems[2 * axis]);
    pad.after.push_back(pads->elems[2 * axis + 1]);
    for (int64_t width : {pad.before.back(), pad.after.back()})
      if (width < 0 || width > kMaxPad)
        return input_error(fmt::format("pads by {}; 0 to {} are possible", width, kMaxPad));
  }
  if (has_operand(op, 2)) {
    auto value = uniform_constant(op, 2);
    if (!value) return input_error("its padding value must be one constant number");
    pad.value = *value;
  }
  return emit(op, pad, {src});
}

Status TfliteImporter::convert_concat(const TfliteOperator& op) {
  const auto* options = op.raw->options_as_Concatenation();
  std::vector<ValueId> parts;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    NIBBLE_ASSIGN(ValueId part, activation(op, i));
    parts.push_back(part);
  }
  if (parts.empty()) return input_error("has no operands");
  NIBBLE_ASSIGN(int64_t axis,
                normalize_axis(options ? options->axis() : 0, shape_of(parts[0]).size()));
  NIBBLE_ASSIGN(Bounds act, fused_bounds(options));
  if (act.none()) return emit(op, Concat{axis}, std::move(parts));
  NIBBLE_ASSIGN(TensorType out, activation_type(tensor(op.outputs[0])));
  NIBBLE_ASSIGN(ValueId joined, append(Concat{axis}, op.name + "/joined", std::move(parts), out));
  return emit(op, Clamp{act}, {joined});
}

Status TfliteImporter::convert_reshape(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  std::vector<int64_t> wanted;
  const auto* options = op.raw->options_as_Reshape();
  if (has_operand(op, 1)) {
    NIBBLE_ASSIGN(const StaticArray* shape, need_static(op, 1, "shape"));
    wanted = shape->elems;
  } else if (options && options->new_shape()) {
    if (options->new_shape()->size() > 8) return input_error("its shape has more than 8 axes");
    wanted.assign(options->new_shape()->begin(), options->new_shape()->end());
  } else {
    wanted = tensor(op.outputs[0]).shape;
  }
  NIBBLE_ASSIGN(Shape shape, resolve_reshape(shape_of(src), wanted));
  return emit(op, Reshape{shape}, {src});
}

Status TfliteImporter::convert_squeeze(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  std::vector<int64_t> axes;
  const auto* options = op.raw->options_as_Squeeze();
  if (options && options->squeeze_dims())
    axes.assign(options->squeeze_dims()->begin(), options->squeeze_dims()->end());
  NIBBLE_ASSIGN(Shape shape, squeeze_shape(shape_of(src), axes));
  return emit(op, Reshape{shape}, {src});
}

Status TfliteImporter::convert_expand_dims(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(const StaticArray* axis, need_static(op, 1, "axis"));
  if (axis->elems.size() != 1) return input_error("its axis is no scalar");
  NIBBLE_ASSIGN(Shape shape, expand_shape(shape_of(src), axis->elems[0]));
  return emit(op, Reshape{shape}, {src});
}

Status TfliteImporter::convert_transpose(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(const StaticArray* raw, need_static(op, 1, "permutation"));
  Transpose transpose;
  size_t rank = shape_of(src).size();
  std::vector<bool> seen(rank, false);
  for (int64_t entry : raw->elems) {
    NIBBLE_ASSIGN(int64_t axis, normalize_axis(entry, rank));
    seen[static_cast<size_t>(axis)] = true;
    transpose.perm.push_back(axis);
  }
  if (transpose.perm.size() != rank || std::find(seen.begin(), seen.end(), false) != seen.end())
    return input_error(fmt::format("its permutation does not name each of the {} axes once", rank));
  return emit(op, transpose, {src});
}

Status TfliteImporter::emit_slice(const TfliteOperator& op, ValueId src, const SliceSpec& spec,
                                  size_t output) {
  Slice slice{spec.begin, spec.extent, spec.step};
  if (spec.shape == spec.extent) return emit(op, slice, {src}, output);
  NIBBLE_ASSIGN(ValueId part, emit_helper(op, slice, {src}, "slice", src));
  return emit(op, Reshape{spec.shape}, {part}, output);
}

Status TfliteImporter::convert_slice(const TfliteOperator& op) {
  bool strided = op.code == file::Builtin_STRIDED_SLICE;
  NIBBLE_TRY(need_operands(op, strided ? 4 : 3, strided ? 4 : 3));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(const StaticArray* begin, need_static(op, 1, "begin"));
  NIBBLE_ASSIGN(const StaticArray* end, need_static(op, 2, strided ? "end" : "size"));
  if (!strided) {
    NIBBLE_ASSIGN(SliceSpec spec, slice_spec(shape_of(src), *begin, *end));
    return emit_slice(op, src, spec, 0);
  }
  NIBBLE_ASSIGN(const StaticArray* step, need_static(op, 3, "step"));
  NIBBLE_ASSIGN(SliceSpec spec, strided_slice_spec(shape_of(src), *begin, *end, *step,
                                                   op.raw->options_as_StridedSlice()));
  return emit_slice(op, src, spec, 0);
}

// Consecutive parts along an axis, one per output; drop_axis: parts of extent one lose the axis.
Status TfliteImporter::emit_parts(const TfliteOperator& op, ValueId src, int64_t axis,
                                  const std::vector<int64_t>& sizes, bool drop_axis) {
  if (sizes.size() != op.outputs.size())
    return input_error(
        fmt::format("gives {} parts for {} outputs", sizes.size(), op.outputs.size()));
  auto along = static_cast<size_t>(axis);
  SliceSpec spec = whole_slice(shape_of(src));
  for (size_t i = 0; i < sizes.size(); ++i) {
    spec.extent[along] = sizes[i];
    spec.shape = spec.extent;
    if (drop_axis) spec.shape.erase(spec.shape.begin() + axis);
    NIBBLE_TRY(emit_slice(op, src, spec, i));
    spec.begin[along] += sizes[i];
  }
  return {};
}

Status TfliteImporter::convert_split(const TfliteOperator& op) {
  bool sized = op.code == file::Builtin_SPLIT_V;
  NIBBLE_TRY(need_operands(op, sized ? 3 : 2, sized ? 3 : 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, sized ? 0 : 1));
  NIBBLE_ASSIGN(const StaticArray* where, need_static(op, sized ? 2 : 0, "axis"));
  if (where->elems.size() != 1) return input_error("its axis is no scalar");
  NIBBLE_ASSIGN(int64_t axis, normalize_axis(where->elems[0], shape_of(src).size()));
  int64_t extent = shape_of(src)[static_cast<size_t>(axis)];
  std::vector<int64_t> sizes;
  if (sized) {
    NIBBLE_ASSIGN(const StaticArray* list, need_static(op, 1, "sizes"));
    sizes = list->elems;
  } else {
    sizes.assign(op.outputs.size(), extent / static_cast<int64_t>(op.outputs.size()));
  }
  NIBBLE_ASSIGN(sizes, split_sizes(extent, sizes));
  return emit_parts(op, src, axis, sizes, false);
}

Status TfliteImporter::convert_pack(const TfliteOperator& op) {
  const auto* options = op.raw->options_as_Pack();
  if (op.inputs.empty()) return input_error("has no operands");
  std::vector<ValueId> parts;
  int64_t axis = 0;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    NIBBLE_ASSIGN(ValueId src, activation(op, i));
    NIBBLE_ASSIGN(axis, normalize_axis(options ? options->axis() : 0, shape_of(src).size() + 1));
    NIBBLE_ASSIGN(Shape shape, expand_shape(shape_of(src), axis));
    NIBBLE_ASSIGN(ValueId part, emit_helper(op, Reshape{shape}, {src}, "part", src));
    parts.push_back(part);
  }
  return emit(op, Concat{axis}, std::move(parts));
}

Status TfliteImporter::convert_unpack(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  const auto* options = op.raw->options_as_Unpack();
  NIBBLE_ASSIGN(int64_t axis, normalize_axis(options ? options->axis() : 0, shape_of(src).size()));
  if (shape_of(src)[static_cast<size_t>(axis)] != static_cast<int64_t>(op.outputs.size()))
    return input_error(fmt::format("has {} outputs for an extent of {}", op.outputs.size(),
                                   shape_of(src)[static_cast<size_t>(axis)]));
  return emit_parts(op, src, axis, std::vector<int64_t>(op.outputs.size(), 1), true);
}

Status TfliteImporter::convert_resize(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(const StaticArray* size, need_static(op, 1, "size"));
  if (size->elems.size() != 2) return input_error("its size is not a height and a width");
  constexpr int64_t kMaxExtent = 65'535;
  for (int64_t extent : size->elems)
    if (extent < 1 || extent > kMaxExtent)
      return input_error(
          fmt::format("resizes to an extent of {}; 1 to {} are possible", extent, kMaxExtent));
  const auto* options = op.raw->options_as_ResizeNearestNeighbor();
  ResizeNearest resize;
  resize.out_h = size->elems[0];
  resize.out_w = size->elems[1];
  resize.align_corners = options && options->align_corners();
  resize.half_pixel_centers = options && options->half_pixel_centers();
  return emit(op, resize, {src});
}

}  // namespace nibble
