// Programs of layers on images, for tests of bands: no kernels, only what plan/ reads of a call.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"
#include "graph/graph.h"

namespace nibble {

struct ImageSpec {
  int64_t in_h, k_h, stride, dilation, pad_top, out_h;
};

// A chain of layers on images with rows of `row_bytes` bytes; `residual`: an element-wise sum of
// the chain's input and its result at the end.
inline Program chain_program(const std::vector<ImageSpec>& specs, int64_t row_bytes,
                             bool residual = false) {
  Program program;
  program.name = "chain";
  auto add_buffer = [&](int64_t rows) {
    program.buffers.push_back({"b" + std::to_string(program.buffers.size()), rows * row_bytes, 4});
    return static_cast<int>(program.buffers.size()) - 1;
  };
  auto add_call = [&](std::vector<int> src, int dst) {
    KernelCall call;
    call.layer = "layer" + std::to_string(program.calls.size());
    call.shapes = "a -> b";
    call.cycles = 100'000;
    for (int buffer : src) call.operands.push_back({Operand::Role::kSrc, buffer, 0, -1});
    call.operands.push_back({Operand::Role::kDst, dst, 0, -1});
    program.calls.push_back(call);
    return &program.calls.back();
  };
  int last = add_buffer(specs[0].in_h);
  program.inputs.push_back({"x", {{specs[0].in_h * row_bytes}, DType::kS8, {}}, {}, last, 0});
  for (const ImageSpec& spec : specs) {
    const int dst = add_buffer(spec.out_h);
    add_call({last}, dst)->fields = {{"batches", int64_t{1}},   {"in_h", spec.in_h},
                                     {"out_h", spec.out_h},     {"k_h", spec.k_h},
                                     {"stride_h", spec.stride}, {"dilation_h", spec.dilation},
                                     {"pad_top", spec.pad_top}};
    last = dst;
  }
  if (residual) {
    const int dst = add_buffer(specs[0].in_h);
    KernelCall* sum = add_call({0, last}, dst);
    sum->fields = {{"len", specs[0].in_h * row_bytes}};
    sum->in_place = true;
    last = dst;
  }
  program.outputs.push_back({"y", program.inputs[0].type, {}, last, 0});
  program.outputs[0].type.shape = {program.buffers[static_cast<size_t>(last)].bytes};
  return program;
}

inline ImageSpec random_spec(Rng& rng, int64_t in_h) {
  ImageSpec spec{in_h, rng.integer(1, 6), rng.integer(1, 3), rng.integer(1, 2), 0, 0};
  spec.pad_top = rng.integer(0, spec.k_h);
  const int64_t reach = (spec.k_h - 1) * spec.dilation + 1;
  const int64_t padded = in_h + spec.pad_top + rng.integer(0, spec.k_h);
  spec.out_h = padded < reach ? 0 : (padded - reach) / spec.stride + 1;
  return spec;
}

inline std::vector<ImageSpec> random_specs(Rng& rng, int64_t most_layers = 4) {
  for (;;) {
    std::vector<ImageSpec> specs = {random_spec(rng, rng.integer(1, 20))};
    const int64_t count = rng.integer(2, most_layers);
    while (static_cast<int64_t>(specs.size()) < count && specs.back().out_h > 0)
      specs.push_back(random_spec(rng, specs.back().out_h));
    if (specs.back().out_h > 0) return specs;
  }
}

// Each layer of the chain goes from the top to the bottom and writes a row when it has read what
// that row needs.
inline void add_row_moments(Program& program) {
  for (KernelCall& call : program.calls) {
    auto field = [&](std::string_view name) {
      for (const auto& [key, value] : call.fields)
        if (key == name) return std::get<int64_t>(value);
      return int64_t{0};
    };
    if (field("out_h") == 0) continue;
    auto bytes_of = [&](const Operand& operand) {
      return program.buffers[static_cast<size_t>(operand.buffer)].bytes;
    };
    const int64_t src_row = bytes_of(call.operands.front()) / field("in_h");
    const int64_t dst_row = bytes_of(call.operands.back()) / field("out_h");
    for (int64_t row = 0; row < field("out_h"); ++row) {
      const int64_t next = (row + 1) * field("stride_h") - field("pad_top");
      const int64_t unread = row + 1 == field("out_h") ? field("in_h") : next;
      call.progress.push_back(
          {(row + 1) * dst_row, std::clamp<int64_t>(unread, 0, field("in_h")) * src_row});
    }
  }
}

}  // namespace nibble
