// concat: the operands joined along one axis. On integers an operand with other parameters than the
// output is rescaled:
//   out = clamp((q - z_in) s_in / s_out + z_out)
#include "base/text.h"
#include "ops/checks.h"
#include "ops/lookup.h"
#include "ops/move.h"

namespace nibble {
namespace {

// Seen as rows over the axes before `axis`: each operand gives row_len elements to every row of the
// output.
struct ConcatLayout {
  int64_t rows = 1;
  int64_t out_row_len = 1;
  int64_t inner = 1;  // elements behind one position of the axis
};

ConcatLayout concat_layout(int64_t axis, const Shape& out) {
  ConcatLayout layout;
  for (size_t i = 0; i < out.size(); ++i) {
    if (static_cast<int64_t>(i) < axis) layout.rows *= out[i];
    if (static_cast<int64_t>(i) > axis) layout.inner *= out[i];
  }
  layout.out_row_len = layout.inner * out[static_cast<size_t>(axis)];
  return layout;
}

bool same_params(const TensorType& in, const TensorType& out) {
  return !out.quant || (in.quant && in.quant->scale == out.quant->scale &&
                        in.quant->zero_point == out.quant->zero_point);
}

ClampRange whole_range(const TensorType& out) { return {out.quant->q_min, out.quant->q_max}; }

// One operand, already rescaled, into its place; `offset` elements lie before it in every row.
void place(const Tensor& src, const ConcatLayout& layout, int64_t row_len, int64_t offset,
           Tensor& out) {
  auto elem = static_cast<int64_t>(dtype_bytes(src.dtype()));
  const uint8_t* from = src.bytes().data();
  uint8_t* to = out.mutable_bytes().data() + offset * elem;
  for (int64_t row = 0; row < layout.rows; ++row)
    std::memcpy(to + row * layout.out_row_len * elem, from + row * row_len * elem,
                static_cast<size_t>(row_len * elem));
}

// `prepare` gives the tensor whose bytes are copied for an operand.
template <class Prepare>
void join(const Concat& op, Inputs in, Tensor& out, Prepare&& prepare) {
  ConcatLayout layout = concat_layout(op.axis, out.shape());
  int64_t offset = 0;
  for (const Tensor* src : in) {
    int64_t row_len = src->size() / layout.rows;
    place(prepare(*src), layout, row_len, offset, out);
    offset += row_len;
  }
}

Status check_operand(const OperandInfo& operand, size_t index, const TensorType& first,
                     size_t axis) {
  std::string name = fmt::format("operand {}", index);
  if (!operand.type) return input_error(name + " is missing");
  const TensorType& type = *operand.type;
  NIBBLE_TRY(check_extents(type.shape, name));
  if (type.dtype != first.dtype)
    return input_error(fmt::format("{} is {}, the first is {}; all must have one element type",
                                   name, dtype_name(type.dtype), dtype_name(first.dtype)));
  bool fits = type.shape.size() == first.shape.size();
  for (size_t i = 0; fits && i < type.shape.size(); ++i)
    fits = i == axis || type.shape[i] == first.shape[i];
  if (!fits)
    return input_error(
        fmt::format("{} has shape {}, the first {}; they may differ along axis {} only", name,
                    format_shape(type.shape), format_shape(first.shape), axis));
  return {};
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Concat>::infer(const Concat& op, Operands in) {
  if (in.empty() || !in[0].type) return input_error("has no operands, takes one or more");
  TensorType result{in[0].type->shape, in[0].type->dtype, std::nullopt};
  auto rank = static_cast<int64_t>(result.shape.size());
  if (op.axis < 0 || op.axis >= rank)
    return input_error(fmt::format("axis is {}, must be 0 to {} (operand 0 is {})", op.axis,
                                   rank - 1, format_shape(result.shape)));
  auto axis = static_cast<size_t>(op.axis);
  int64_t extent = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    NIBBLE_TRY(check_operand(in[i], i, *in[0].type, axis));
    extent += in[i].type->shape[axis];
  }
  result.shape[axis] = extent;
  NIBBLE_TRY(check_extents(result.shape, "the output"));
  return std::vector{std::move(result)};
}

template <>
Status OpDef<Concat>::verify_integer(const Concat&, Rounding rounding, Operands in,
                                     const TensorType& out) {
  NIBBLE_TRY(check_per_tensor(out, "the output"));
  for (size_t i = 0; i < in.size(); ++i) {
    std::string name = fmt::format("operand {}", i);
    NIBBLE_TRY(check_per_tensor(*in[i].type, name));
    if (same_params(*in[i].type, out) && in[i].type->dtype == out.dtype) continue;
    NIBBLE_TRY(check_activation(*in[i].type, name));
    NIBBLE_TRY(check_activations(*in[i].type, out));
    NIBBLE_TRY(check_rescale(*in[i].type, out, rounding));
  }
  return {};
}

template <>
void OpDef<Concat>::run_float(const Concat& op, Inputs in, Tensor& out) {
  join(op, in, out, [](const Tensor& src) { return src; });
}

template <>
void OpDef<Concat>::run_integer(const Concat& op, Rounding rounding, Inputs in, Tensor& out) {
  join(op, in, out, [&](const Tensor& src) {
    if (same_params(src.type(), out.type())) return src;
    Tensor rescaled(TensorType{src.shape(), src.dtype(), out.type().quant});
    run_lookup(rescale_function(src.type(), out.type(), rounding, whole_range(out.type())), src,
               rescaled);
    return rescaled;
  });
}

template <>
QuantRule OpDef<Concat>::quant_rule(const Concat&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Concat>::lower(const Concat& op, Rounding rounding,
                                                        Operands in, const TensorType& out) {
  NIBBLE_TRY(check_movable(out));
  ConcatLayout layout = concat_layout(op.axis, out.shape);
  std::vector<KernelRequest> requests;
  if (in.size() == 1 && same_params(*in[0].type, out)) return requests;
  int64_t offset = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    const TensorType& src = *in[i].type;
    int64_t row_len = elem_count(src.shape) / layout.rows;
    KernelRequest request;
    request.fields = {{"rows", layout.rows},
                      {"row_len", row_len},
                      {"src_stride", row_len},
                      {"dst_stride", layout.out_row_len}};
    if (same_params(src, out)) {
      request.family = family_of("copy_2d", out);
      request.fields.emplace_back("src_offset", 0);
    } else if (out.dtype == DType::kS16) {
      request = rescale_s16_request(src, out, rounding, whole_range(out));
      request.in_place = false;
      for (auto& [name, value] : request.fields) {
        if (name == "rows") value = layout.rows;
        if (name == "row_len" || name == "src_stride") value = row_len;
        if (name == "dst_stride") value = layout.out_row_len;
      }
    } else {
      request.family = "lookup_s8";
      request.constants.emplace_back(
          "table", lookup_table(rescale_function(src, out, rounding, whole_range(out))));
    }
    request.src = {static_cast<ValueId>(i)};
    request.dst_offset_bytes = offset * dtype_bytes(out.dtype);
    offset += row_len;
    requests.push_back(std::move(request));
  }
  return requests;
}

template <>
int64_t OpDef<Concat>::macs(const Concat&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
