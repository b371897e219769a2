#include "lower/scalar/broadcast.h"

#include <fmt/format.h>

#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kAxes = 4, kRowAxis = kAxes - 1;
constexpr double kCyclesPerRow = 20;
constexpr int64_t kLoopBytes = 120;

struct BroadcastShape {
  int64_t extent[kAxes] = {}, lhs[kAxes] = {}, rhs[kAxes] = {};
  int64_t rows() const { return extent[0] * extent[1] * extent[2]; }
  bool lhs_whole() const {
    int64_t stride = 1;
    for (int axis = kRowAxis; axis >= 0; --axis) {
      if (extent[axis] > 1 && lhs[axis] != stride) return false;
      stride *= extent[axis];
    }
    return true;
  }
};

BroadcastShape shape_of(const LayerView& layer) {
  BroadcastShape shape;
  for (int axis = 0; axis < kAxes; ++axis) {
    shape.extent[axis] = layer.field(fmt::format("extent_{}", axis));
    shape.lhs[axis] = layer.field(fmt::format("lhs_stride_{}", axis));
    shape.rhs[axis] = layer.field(fmt::format("rhs_stride_{}", axis));
  }
  return shape;
}

// The loops; `constants` are what a call passes on.
std::string loops_text(const BroadcastShape& shape, const BroadcastRow& row,
                       const std::string& name, const std::string& constants) {
  std::string text, indent = "  ", lhs = "src", rhs = "rhs";
  for (int axis = 0; axis < kRowAxis; ++axis) {
    if (shape.extent[axis] == 1) continue;
    text += fmt::format("{0}for (int32_t i{1} = 0; i{1} < {2}; ++i{1})\n", indent, axis,
                        shape.extent[axis]);
    indent += "  ";
    if (shape.lhs[axis] != 0) lhs += fmt::format(" + i{} * {}", axis, shape.lhs[axis]);
    if (shape.rhs[axis] != 0) rhs += fmt::format(" + i{} * {}", axis, shape.rhs[axis]);
  }
  if (row.swapped) std::swap(lhs, rhs);
  const bool loops = shape.rows() > 1;
  if (loops) text.insert(text.size() - 1, " {");
  text += fmt::format("{}{}({}, {}, dst{}, {});\n", indent, name, lhs, rhs, constants, row.len);
  if (loops) text += fmt::format("{}dst += {};\n{}}}\n", indent, row.len, indent.substr(2));
  return text;
}

KernelVariant around(const BroadcastShape& shape, const BroadcastRow& row, KernelVariant inner) {
  KernelVariant variant = inner;
  KernelFunction& function = variant.function;
  const std::vector<std::string>& types = inner.function.parameters;
  std::string parameters, constants;
  for (const PackedConstant& packed : inner.packed) {
    parameters += fmt::format(", const {} *{}", packed.ctype, packed.role);
    constants += ", " + packed.role;
  }
  variant.numbers.pop_back();
  for (size_t i = 0; i < variant.numbers.size(); ++i) {
    parameters += fmt::format(", int32_t n{}", i);
    constants += fmt::format(", n{}", i);
  }
  const std::string loops = loops_text(shape, row, inner.function.name, constants);
  constexpr size_t kPrefix = sizeof("nibble_") - 1;
  function.name =
      fmt::format("nibble_broadcast_{}_{}", inner.function.name.substr(kPrefix), text_hash(loops));
  function.text =
      fmt::format("{}static void {}(\n    {}src, {}rhs, {}dst{}) {{\n{}}}\n", inner.function.text,
                  function.name, types[0], types[1], types[2], parameters, loops);
  variant.in_place = inner.in_place && !row.swapped && shape.lhs_whole();
  variant.cycles = static_cast<double>(shape.rows()) * (inner.cycles + kCyclesPerRow);
  variant.function.code_bytes += kLoopBytes;
  return variant;
}

}  // namespace

std::vector<KernelVariant> broadcast_rows(const LayerView& layer, const RowGenerator& generate) {
  BroadcastShape shape = shape_of(layer);
  BroadcastRow row;
  row.len = shape.extent[kRowAxis];
  const bool lhs_moves = shape.lhs[kRowAxis] == 1, rhs_moves = shape.rhs[kRowAxis] == 1;
  if (!lhs_moves && !rhs_moves) return {};
  row.swapped = !lhs_moves;
  row.rhs_repeats = !lhs_moves || !rhs_moves;
  std::vector<KernelVariant> variants;
  for (KernelVariant& inner : generate(row))
    variants.push_back(around(shape, row, std::move(inner)));
  return variants;
}

std::vector<KernelVariant> add_broadcast_rows(const LayerView& layer, const RowAdd& add) {
  return broadcast_rows(layer, [&](const BroadcastRow& row) {
    KernelRequest request;
    request.family = "add_s8";
    request.fields = {{"len", row.len}};
    for (const char* field : {"lhs_zero", "lhs_multiplier", "lhs_exponent", "rhs_zero",
                              "rhs_multiplier", "rhs_exponent", "rhs_sign", "out_zero",
                              "out_multiplier", "out_exponent", "act_min", "act_max", "rounding"})
      request.fields.emplace_back(field, layer.field(field));
    return add(LayerView(request), row);
  });
}

}  // namespace nibble
