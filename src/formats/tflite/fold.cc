// Evaluates bookkeeping operators on static integers, with the meaning that TensorFlow gives them.
#include "formats/tflite/fold.h"

#include <algorithm>
#include <functional>

namespace nibble {

namespace file = tflite_file;

namespace {

Result<int64_t> checked_count(const Shape& shape) {
  NIBBLE_TRY(check_rank(shape.size()));
  int64_t count = 1;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) || count > kMaxStatic)
      return input_error(fmt::format("the shape {} is not one of bookkeeping (at most {} elements)",
                                     format_shape(shape), kMaxStatic));
  return count;
}

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// Calls visit(position) for every position of `shape`, the last axis fastest.
void for_each_position(const Shape& shape,
                       const std::function<void(const std::vector<int64_t>&)>& visit) {
  int64_t count = elem_count(shape);
  std::vector<int64_t> position(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    visit(position);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++position[axis] < shape[axis]) break;
      position[axis] = 0;
    }
  }
}

Result<StaticArray> slice_static(const StaticArray& src, const SliceSpec& spec) {
  StaticArray result{spec.shape, {}};
  auto strides = strides_of(src.shape);
  for_each_position(spec.extent, [&](const std::vector<int64_t>& position) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < position.size(); ++axis)
      offset += (spec.begin[axis] + position[axis] * spec.step[axis]) * strides[axis];
    result.elems.push_back(src.elems[static_cast<size_t>(offset)]);
  });
  return result;
}

Result<int64_t> apply_binary(file::Builtin code, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  switch (code) {
    case file::Builtin_ADD:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case file::Builtin_SUB:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case file::Builtin_MUL:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case file::Builtin_MAXIMUM:
      return std::max(a, b);
    case file::Builtin_MINIMUM:
      return std::min(a, b);
    default:
      if (b == 0) return input_error("division of a shape by zero");
      if (a == INT64_MIN && b == -1) return input_error("integer overflow in the shape arithmetic");
      if (code == file::Builtin_DIV) return a / b;
      // Floor division and the remainder that belongs to it.
      int64_t quotient = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
      return code == file::Builtin_FLOOR_DIV ? quotient : a - quotient * b;
  }
  if (overflow) return input_error("integer overflow in the shape arithmetic");
  return result;
}

Result<StaticArray> fold_binary(file::Builtin code, const StaticArray& a, const StaticArray& b) {
  size_t rank = std::max(a.shape.size(), b.shape.size());
  auto extent = [&](const Shape& shape, size_t axis) {
    size_t missing = rank - shape.size();
    return axis < missing ? 1 : shape[axis - missing];
  };
  StaticArray result{Shape(rank), {}};
  for (size_t axis = 0; axis < rank; ++axis) {
    int64_t in_a = extent(a.shape, axis), in_b = extent(b.shape, axis);
    if (in_a != in_b && in_a != 1 && in_b != 1)
      return input_error(
          fmt::format("{} and {} do not broadcast", format_shape(a.shape), format_shape(b.shape)));
    result.shape[axis] = in_a == 1 ? in_b : in_a;
  }
  NIBBLE_TRY(checked_count(result.shape));
  auto strides_a = strides_of(a.shape), strides_b = strides_of(b.shape);
  auto offset = [&](const Shape& shape, const std::vector<int64_t>& strides,
                    const std::vector<int64_t>& position) {
    int64_t sum = 0;
    size_t missing = rank - shape.size();
    for (size_t axis = missing; axis < rank; ++axis)
      if (shape[axis - missing] != 1) sum += position[axis] * strides[axis - missing];
    return static_cast<size_t>(sum);
  };
  Status status;
  for_each_position(result.shape, [&](const std::vector<int64_t>& position) {
    auto value = apply_binary(code, a.elems[offset(a.shape, strides_a, position)],
                              b.elems[offset(b.shape, strides_b, position)]);
    if (!value.ok())
      status = value.error();
    else
      result.elems.push_back(*value);
  });
  NIBBLE_TRY(status);
  return result;
}

// Joins arrays along an existing axis.
Result<StaticArray> concat_static(std::span<const StaticArray> parts, int64_t raw_axis) {
  if (parts.empty()) return input_error("nothing to join");
  NIBBLE_ASSIGN(int64_t axis, normalize_axis(raw_axis, parts[0].shape.size()));
  auto along = static_cast<size_t>(axis);
  StaticArray result{parts[0].shape, {}};
  result.shape[along] = 0;
  for (const StaticArray& part : parts) {
    Shape shape = part.shape;
    if (shape.size() != result.shape.size()) return input_error("operands of different rank");
    result.shape[along] += shape[along];
    shape[along] = parts[0].shape[along];
    if (shape != parts[0].shape) return input_error("operands of different extents");
  }
  NIBBLE_TRY(checked_count(result.shape));
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < along; ++i) outer *= result.shape[i];
  for (size_t i = along + 1; i < result.shape.size(); ++i) inner *= result.shape[i];
  for (int64_t o = 0; o < outer; ++o)
    for (const StaticArray& part : parts) {
      int64_t run = part.shape[along] * inner;
      result.elems.insert(result.elems.end(), part.elems.begin() + o * run,
                          part.elems.begin() + (o + 1) * run);
    }
  return result;
}

Result<StaticArray> pack_static(std::span<const StaticArray> parts, int64_t axis) {
  std::vector<StaticArray> widened(parts.begin(), parts.end());
  for (StaticArray& part : widened) {
    NIBBLE_ASSIGN(part.shape, expand_shape(part.shape, axis));
  }
  if (widened.empty()) return input_error("nothing to pack");
  NIBBLE_ASSIGN(int64_t along, normalize_axis(axis, widened[0].shape.size()));
  return concat_static(widened, along);
}

Result<std::vector<StaticArray>> split_static(const StaticArray& src, int64_t axis,
                                              std::span<const int64_t> sizes) {
  std::vector<StaticArray> parts;
  SliceSpec spec = whole_slice(src.shape);
  auto along = static_cast<size_t>(axis);
  for (int64_t size : sizes) {
    spec.extent[along] = spec.shape[along] = size;
    NIBBLE_ASSIGN(auto part, slice_static(src, spec));
    parts.push_back(std::move(part));
    spec.begin[along] += size;
  }
  return parts;
}

Result<StaticArray> gather_static(const StaticArray& src, const StaticArray& indices,
                                  const file::Gather* options) {
  if (options && options->batch_dims() != 0)
    return input_error("batch_dims is not supported in shape arithmetic");
  NIBBLE_ASSIGN(int64_t axis, normalize_axis(options ? options->axis() : 0, src.shape.size()));
  std::vector<StaticArray> rows;
  SliceSpec spec = whole_slice(src.shape);
  auto along = static_cast<size_t>(axis);
  spec.extent[along] = spec.shape[along] = 1;
  for (int64_t index : indices.elems) {
    if (index < 0 || index >= src.shape[along])
      return input_error(fmt::format("index {} of {}", index, src.shape[along]));
    spec.begin[along] = index;
    NIBBLE_ASSIGN(auto row, slice_static(src, spec));
    rows.push_back(std::move(row));
  }
  StaticArray joined;
  if (!rows.empty()) {
    NIBBLE_ASSIGN(joined, concat_static(rows, axis));
  }
  joined.shape = src.shape;
  joined.shape.erase(joined.shape.begin() + axis);
  joined.shape.insert(joined.shape.begin() + axis, indices.shape.begin(), indices.shape.end());
  NIBBLE_TRY(checked_count(joined.shape));
  return joined;
}

Result<StaticArray> reduce_product(const StaticArray& src, std::span<const int64_t> raw_axes,
                                   bool keep_dims) {
  std::vector<bool> reduced(src.shape.size(), false);
  for (int64_t raw : raw_axes) {
    NIBBLE_ASSIGN(int64_t axis, normalize_axis(raw, src.shape.size()));
    reduced[static_cast<size_t>(axis)] = true;
  }
  Shape kept = src.shape, squeezed;
  for (size_t axis = 0; axis < kept.size(); ++axis) {
    if (reduced[axis])
      kept[axis] = 1;
    else
      squeezed.push_back(kept[axis]);
  }
  StaticArray result{keep_dims ? kept : squeezed, {}};
  result.elems.assign(static_cast<size_t>(elem_count(kept)), 1);
  auto strides = strides_of(kept);
  size_t next = 0;
  bool overflow = false;
  for_each_position(src.shape, [&](const std::vector<int64_t>& position) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < position.size(); ++axis)
      if (!reduced[axis]) offset += position[axis] * strides[axis];
    int64_t& product = result.elems[static_cast<size_t>(offset)];
    overflow = overflow || __builtin_mul_overflow(product, src.elems[next++], &product);
  });
  if (overflow) return input_error("integer overflow in the shape arithmetic");
  return result;
}

Result<StaticArray> fold_fill(const StaticArray& extents, const StaticArray& value) {
  if (value.elems.size() != 1) return input_error("fills with a value that is no scalar");
  StaticArray result{extents.elems, {}};
  NIBBLE_ASSIGN(int64_t count, checked_count(result.shape));
  result.elems.assign(static_cast<size_t>(count), value.elems[0]);
  return result;
}

Result<StaticArray> fold_range(std::span<const StaticArray> in) {
  for (const StaticArray& operand : in)
    if (operand.elems.size() != 1) return input_error("its operands are scalars");
  int64_t begin = in[0].elems[0], end = in[1].elems[0], step = in[2].elems[0];
  if (step == 0) return input_error("a step of zero");
  StaticArray result;
  for (int64_t value = begin; step > 0 ? value < end : value > end;) {
    result.elems.push_back(value);
    if (static_cast<int64_t>(result.elems.size()) > kMaxStatic)
      return input_error(fmt::format("more than {} elements", kMaxStatic));
    if (__builtin_add_overflow(value, step, &value)) break;
  }
  result.shape = {static_cast<int64_t>(result.elems.size())};
  return result;
}

// The operators that are computed, and how many operands each needs.
constexpr std::pair<file::Builtin, size_t> kFolded[] = {
    {file::Builtin_ADD, 2},       {file::Builtin_CAST, 1},        {file::Builtin_CONCATENATION, 1},
    {file::Builtin_DIV, 2},       {file::Builtin_EXPAND_DIMS, 2}, {file::Builtin_FILL, 2},
    {file::Builtin_FLOOR_DIV, 2}, {file::Builtin_FLOOR_MOD, 2},   {file::Builtin_GATHER, 2},
    {file::Builtin_MAXIMUM, 2},   {file::Builtin_MINIMUM, 2},     {file::Builtin_MUL, 2},
    {file::Builtin_PACK, 1},      {file::Builtin_RANGE, 3},       {file::Builtin_REDUCE_PROD, 2},
    {file::Builtin_RESHAPE, 1},   {file::Builtin_SLICE, 3},       {file::Builtin_SPLIT, 2},
    {file::Builtin_SPLIT_V, 3},   {file::Builtin_SQUEEZE, 1},     {file::Builtin_STRIDED_SLICE, 4},
    {file::Builtin_SUB, 2},       {file::Builtin_UNPACK, 1},
};

// 0: the operator is not computed.
size_t operands_needed(file::Builtin code) {
  for (const auto& [folded, operands] : kFolded)
    if (folded == code) return operands;
  return 0;
}

Result<StaticArray> fold_reshape(const TfliteOperator& op, std::span<const StaticArray> in) {
  std::vector<int64_t> wanted;
  if (in.size() > 1) {
    wanted = in[1].elems;
  } else if (const auto* options = op.raw->options_as_Reshape(); options && options->new_shape()) {
    wanted.assign(options->new_shape()->begin(), options->new_shape()->end());
  }
  NIBBLE_ASSIGN(Shape shape, resolve_reshape(in[0].shape, wanted));
  return StaticArray{std::move(shape), in[0].elems};
}

Result<StaticArray> fold_squeeze(const TfliteOperator& op, const StaticArray& src) {
  std::vector<int64_t> axes;
  const auto* options = op.raw->options_as_Squeeze();
  if (options && options->squeeze_dims())
    axes.assign(options->squeeze_dims()->begin(), options->squeeze_dims()->end());
  NIBBLE_ASSIGN(Shape shape, squeeze_shape(src.shape, axes));
  return StaticArray{std::move(shape), src.elems};
}

Result<StaticArray> fold_expand(const StaticArray& src, const StaticArray& axis) {
  if (axis.elems.size() != 1) return input_error("its axis is no scalar");
  NIBBLE_ASSIGN(Shape shape, expand_shape(src.shape, axis.elems[0]));
  return StaticArray{std::move(shape), src.elems};
}

Result<StaticArray> fold_slice(const TfliteOperator& op, std::span<const StaticArray> in) {
  if (op.code == file::Builtin_SLICE) {
    NIBBLE_ASSIGN(auto spec, slice_spec(in[0].shape, in[1], in[2]));
    return slice_static(in[0], spec);
  }
  NIBBLE_ASSIGN(auto spec, strided_slice_spec(in[0].shape, in[1], in[2], in[3],
                                              op.raw->options_as_StridedSlice()));
  return slice_static(in[0], spec);
}

Result<StaticArray> fold_one(const TfliteOperator& op, std::span<const StaticArray> in) {
  switch (op.code) {
    case file::Builtin_CAST:
      return in[0];
    case file::Builtin_RESHAPE:
      return fold_reshape(op, in);
    case file::Builtin_SQUEEZE:
      return fold_squeeze(op, in[0]);
    case file::Builtin_EXPAND_DIMS:
      return fold_expand(in[0], in[1]);
    case file::Builtin_SLICE:
    case file::Builtin_STRIDED_SLICE:
      return fold_slice(op, in);
    case file::Builtin_GATHER:
      return gather_static(in[0], in[1], op.raw->options_as_Gather());
    case file::Builtin_PACK: {
      const auto* options = op.raw->options_as_Pack();
      return pack_static(in, options ? options->axis() : 0);
    }
    case file::Builtin_CONCATENATION: {
      const auto* options = op.raw->options_as_Concatenation();
      return concat_static(in, options ? options->axis() : 0);
    }
    case file::Builtin_REDUCE_PROD: {
      const auto* options = op.raw->options_as_Reducer();
      return reduce_product(in[0], in[1].elems, options && options->keep_dims());
    }
    case file::Builtin_FILL:
      return fold_fill(in[0], in[1]);
    case file::Builtin_RANGE:
      return fold_range(in);
    default:
      return fold_binary(op.code, in[0], in[1]);
  }
}

Result<std::vector<StaticArray>> fold_split(const TfliteOperator& op,
                                            std::span<const StaticArray> in) {
  bool sized = op.code == file::Builtin_SPLIT_V;
  const StaticArray& src = sized ? in[0] : in[1];
  const StaticArray& where = sized ? in[2] : in[0];
  if (where.elems.size() != 1) return input_error("its axis is no scalar");
  NIBBLE_ASSIGN(int64_t axis, normalize_axis(where.elems[0], src.shape.size()));
  int64_t extent = src.shape[static_cast<size_t>(axis)];
  std::vector<int64_t> sizes;
  if (sized)
    sizes = in[1].elems;
  else
    sizes.assign(op.outputs.size(), extent / static_cast<int64_t>(op.outputs.size()));
  NIBBLE_ASSIGN(sizes, split_sizes(extent, sizes));
  return split_static(src, axis, sizes);
}

Result<std::vector<StaticArray>> fold_unpack(const TfliteOperator& op, const StaticArray& src) {
  const auto* options = op.raw->options_as_Unpack();
  NIBBLE_ASSIGN(int64_t axis, normalize_axis(options ? options->axis() : 0, src.shape.size()));
  auto along = static_cast<size_t>(axis);
  std::vector<int64_t> ones(static_cast<size_t>(src.shape[along]), 1);
  NIBBLE_ASSIGN(auto parts, split_static(src, axis, ones));
  for (StaticArray& part : parts) part.shape.erase(part.shape.begin() + axis);
  return parts;
}

}  // namespace

bool can_fold(file::Builtin code) { return operands_needed(code) > 0; }

Result<std::vector<StaticArray>> fold_operator(const TfliteOperator& op,
                                               std::span<const StaticArray> in) {
  if (in.size() < operands_needed(op.code))
    return input_error(
        fmt::format("has {} operands, needs {}", in.size(), operands_needed(op.code)));
  for (const StaticArray& operand : in)
    NIBBLE_CHECK(static_cast<int64_t>(operand.elems.size()) == elem_count(operand.shape));
  if (op.code == file::Builtin_SPLIT || op.code == file::Builtin_SPLIT_V) return fold_split(op, in);
  if (op.code == file::Builtin_UNPACK) return fold_unpack(op, in[0]);
  NIBBLE_ASSIGN(auto single, fold_one(op, in));
  return std::vector<StaticArray>{std::move(single)};
}

}  // namespace nibble
