// Executes a Program in this process, in an arena laid out as the plan
// says: the link of the equality chain between the references in ops/ and the generated C.
#include <algorithm>
#include <cstring>

#include "lower/arguments.h"
#include "lower/host/host_call.h"
#include "lower/lower.h"

namespace nibble {
namespace {

// Every byte of the arena before a run: a kernel that reads what nothing has written shows itself.
constexpr uint8_t kUnwritten = 0xA5;
constexpr int64_t kArenaAlign = 16;

int64_t align_up(int64_t value, int64_t align) { return (value + align - 1) / align * align; }

// The kernel that stands for `function` on the host: itself, or its family's portable variant.
const KernelInfo& host_kernel(const std::string& function) {
  const KernelInfo* kernel = find_kernel(function);
  NIBBLE_CHECK(kernel != nullptr, "kernel {}", function);
  if (kernel->invoke) return *kernel;
  for (const KernelInfo& other : all_kernels())
    if (other.family == kernel->family && other.invoke) return other;
  NIBBLE_UNREACHABLE("{} has no portable variant", function);
}

}  // namespace

HostProgram::HostProgram(const Program& program, std::vector<int64_t> offsets, int64_t arena_bytes,
                         HostKernels which)
    : program_(program), offsets_(std::move(offsets)) {
  Status status = verify_program(program);
  NIBBLE_CHECK(status.ok(), "{}", status.error().message);
  if (offsets_.empty()) {
    arena_bytes = 0;
    for (const Buffer& buffer : program.buffers) {
      offsets_.push_back(arena_bytes);
      arena_bytes = align_up(arena_bytes + buffer.bytes, kArenaAlign);
    }
  }
  NIBBLE_CHECK(offsets_.size() == program.buffers.size(), "{} offsets for {} buffers",
               offsets_.size(), program.buffers.size());
  const int64_t planned_bytes = arena_bytes;
  for (const KernelCall& call : program.calls)
    for (const BandWindow& window : call.windows) {
      const auto index = static_cast<size_t>(window.buffer);
      offsets_[index] = arena_bytes = align_up(arena_bytes, kArenaAlign);
      arena_bytes += program.buffers[index].bytes;
    }
  for (size_t i = 0; i < offsets_.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    if (buffer.bytes == 0) offsets_[i] = 0;
    NIBBLE_CHECK(offsets_[i] >= 0 && offsets_[i] + buffer.bytes <= arena_bytes,
                 "{} at {} + {} leaves the arena of {} bytes", buffer.name, offsets_[i],
                 buffer.bytes, planned_bytes);
  }
  arena_.resize(static_cast<size_t>(align_up(arena_bytes, 8) / 8) + 1);
  for (const KernelCall& call : program.calls)
    in_group_.insert(in_group_.end(), std::max<size_t>(1, call.members.size()),
                     !call.members.empty());
  layers_ = layer_calls(program);
  for (const KernelCall* call : layers_) {
    const KernelInfo& kernel = host_kernel(call->kernel);
    kernels_.push_back(&kernel);
    args_.push_back(build_args(kernel, *call, program.constants));
    int64_t scratch = kernel.scratch_bytes ? kernel.scratch_bytes(args_.back().data()) : 0;
    fast_.push_back(which == HostKernels::kFast ? fast_host_call(kernel.family, args_.back().data())
                                                : HostCall());
    scratch_.resize(std::max(scratch_.size(), static_cast<size_t>(scratch / 8 + 1)));
  }
}

uint8_t* HostProgram::address(int buffer, int64_t offset_bytes) {
  return reinterpret_cast<uint8_t*>(arena_.data()) + offsets_[static_cast<size_t>(buffer)] +
         offset_bytes;
}

std::span<const uint8_t> HostProgram::buffer(int index) const {
  const auto* base = reinterpret_cast<const uint8_t*>(arena_.data());
  return {base + offsets_[static_cast<size_t>(index)],
          static_cast<size_t>(program_.buffers[static_cast<size_t>(index)].bytes)};
}

void HostProgram::invoke(size_t layer) {
  const KernelCall& call = *layers_[layer];
  const KernelInfo& kernel = *kernels_[layer];
  std::vector<void*> pointers;
  std::vector<std::vector<uint8_t>> copies;
  size_t next_operand = 0;
  for (const KernelParameter& parameter : kernel.parameters) {
    // A portable variant that stands in for another may need scratch that the call does not have.
    if (parameter.role == Operand::Role::kScratch) {
      bool planned = next_operand < call.operands.size() && call.function < 0 &&
                     kernel.function == call.kernel;
      pointers.push_back(planned ? address(call.operands[next_operand].buffer, 0)
                                 : reinterpret_cast<uint8_t*>(scratch_.data()));
      ++next_operand;
      continue;
    }
    const Operand& operand = call.operands[next_operand++];
    NIBBLE_CHECK(operand.role == parameter.role, "{}: operand {}", call.kernel, parameter.name);
    if (operand.constant >= 0) {
      const uint8_t* data = program_.constants[static_cast<size_t>(operand.constant)].bytes.data();
      pointers.push_back(const_cast<uint8_t*>(data));  // the kernel's parameter is const
    } else {
      pointers.push_back(address(operand.buffer, operand.offset_bytes));
      // Only the target's function, or loop over bands, knows how to write over what it has read.
      if (operand.role == Operand::Role::kSrc && (call.function >= 0 || in_group_[layer])) {
        std::span<const uint8_t> bytes = buffer(operand.buffer);
        copies.emplace_back(bytes.begin(), bytes.end());
        pointers.back() = copies.back().data() + operand.offset_bytes;
      }
    }
  }
  if (fast_[layer])
    fast_[layer](pointers.data());
  else
    kernel.invoke(args_[layer].data(), pointers.data());
}

std::vector<Tensor> HostProgram::run(std::span<const Tensor> inputs) {
  NIBBLE_CHECK(inputs.size() == program_.inputs.size(), "{} inputs, not {}", program_.inputs.size(),
               inputs.size());
  std::memset(arena_.data(), kUnwritten, arena_.size() * sizeof arena_[0]);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ProgramPort& port = program_.inputs[i];
    NIBBLE_CHECK(inputs[i].shape() == port.type.shape && inputs[i].dtype() == port.type.dtype,
                 "input {}", port.name);
    std::span<const uint8_t> bytes = inputs[i].bytes();
    if (!bytes.empty())
      std::memcpy(address(port.buffer, port.offset_bytes), bytes.data(), bytes.size());
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    invoke(i);
    if (observer_) observer_(i);
  }
  std::vector<Tensor> outputs;
  for (const ProgramPort& port : program_.outputs) {
    Tensor tensor(port.type);
    std::span<uint8_t> bytes = tensor.mutable_bytes();
    if (!bytes.empty())
      std::memcpy(bytes.data(), address(port.buffer, port.offset_bytes), bytes.size());
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

}  // namespace nibble
