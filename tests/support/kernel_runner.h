// Runs a layer's kernel calls with margins around every buffer, and compares with the operator's
// integer reference byte for byte. For the tests in kernels/.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "lower/kernel_table.h"
#include "support/layer.h"

namespace nibble {

// Bytes between two margins that must stay as they are. Under AddressSanitizer reads outside fault
// as well.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t count) : bytes_(count + 2 * kMargin, kGuard) {}
  explicit GuardedBytes(std::span<const uint8_t> content) : GuardedBytes(content.size()) {
    if (!content.empty()) std::memcpy(data(), content.data(), content.size());
  }
  uint8_t* data() { return bytes_.data() + kMargin; }
  size_t size() const { return bytes_.size() - 2 * kMargin; }
  std::span<const uint8_t> content() const { return {bytes_.data() + kMargin, size()}; }
  bool intact() const {
    for (size_t i = 0; i < kMargin; ++i)
      if (bytes_[i] != kGuard || bytes_[bytes_.size() - 1 - i] != kGuard) return false;
    return true;
  }

 private:
  static constexpr size_t kMargin = 64;
  static constexpr uint8_t kGuard = 0xA5;
  std::vector<uint8_t> bytes_;
};

inline const KernelInfo& portable_kernel(const std::string& family) {
  for (const KernelInfo& kernel : kernel_table())
    if (kernel.family == family && kernel.isa == Isa::kPortable) return kernel;
  NIBBLE_CHECK(false, "no portable kernel {}", family);
}

// The argument struct of a request; its pointers lead into request.constants.
inline std::vector<uint64_t> request_args(const KernelInfo& kernel, const KernelRequest& request) {
  std::vector<uint64_t> words((kernel.args_bytes + 7) / 8);
  auto* bytes = reinterpret_cast<uint8_t*>(words.data());
  size_t supplied = 0;
  for (const KernelField& field : kernel.fields) {
    for (const auto& [name, value] : request.fields) {
      if (name != field.name) continue;
      auto word = static_cast<uint32_t>(value);
      NIBBLE_CHECK(!field.is_pointer && value == static_cast<int32_t>(word), "{} = {}", name,
                   value);
      std::memcpy(bytes + field.offset, &word, sizeof word);
      ++supplied;
    }
    for (const auto& [name, tensor] : request.constants) {
      if (name != field.name) continue;
      const uint8_t* address = tensor.bytes().data();
      NIBBLE_CHECK(field.is_pointer, "{}", name);
      std::memcpy(bytes + field.offset, &address, sizeof address);
      ++supplied;
    }
  }
  NIBBLE_CHECK(supplied == request.fields.size() + request.constants.size(),
               "{}: a field that the kernel does not have, or twice", kernel.function);
  for (const KernelField& field : kernel.fields) {
    bool present = field.is_pointer;  // a pointer may be null
    for (const auto& [name, value] : request.fields) present = present || name == field.name;
    NIBBLE_CHECK(present, "{}: field {} is missing", kernel.function, field.name);
  }
  return words;
}

// Executes the requests of a layer on the portable kernels. dst begins full of junk. With
// `in_place`, the first source of a request that allows it is the destination.
inline ::testing::AssertionResult kernels_equal_reference(const Layer& layer,
                                                          bool in_place = false) {
  auto requests = lower_node(layer.graph, layer.node());
  if (!requests.ok()) return ::testing::AssertionFailure() << requests.error().message;
  Tensor expected = layer.run();
  auto operand_of = [&](ValueId id) -> const Tensor& {
    for (size_t i = 0; i < layer.node().inputs.size(); ++i)
      if (layer.node().inputs[i] == id) return layer.operands[i];
    NIBBLE_CHECK(false, "value {}", id);
  };
  GuardedBytes dst(expected.bytes().size());
  if (requests->empty())
    std::memcpy(dst.data(), layer.operands[0].bytes().data(), layer.operands[0].bytes().size());
  for (const KernelRequest& request : *requests) {
    const KernelInfo& kernel = portable_kernel(request.family);
    std::vector<uint64_t> args = request_args(kernel, request);
    std::vector<GuardedBytes> sources;
    for (ValueId id : request.src) sources.emplace_back(operand_of(id).bytes());
    bool shared = in_place && request.in_place && sources[0].size() == dst.size();
    if (shared) std::memcpy(dst.data(), sources[0].data(), dst.size());
    std::vector<uint64_t> scratch(
        kernel.scratch_bytes ? static_cast<size_t>(kernel.scratch_bytes(args.data()) + 7) / 8 : 0);
    std::vector<void*> pointers;
    size_t next = 0;
    for (const KernelParameter& parameter : kernel.parameters) {
      switch (parameter.role) {
        case Operand::Role::kSrc:
          pointers.push_back(next == 0 && shared ? dst.data() : sources.at(next).data());
          ++next;
          break;
        case Operand::Role::kDst:
          pointers.push_back(dst.data() + request.dst_offset_bytes);
          break;
        case Operand::Role::kScratch:
          pointers.push_back(scratch.data());
      }
    }
    if (next != sources.size())
      return ::testing::AssertionFailure() << request.family << " takes " << next << " sources";
    kernel.invoke(args.data(), pointers.data());
    for (size_t i = 0; i < sources.size(); ++i) {
      auto before = operand_of(request.src[i]).bytes();
      auto after = sources[i].content();
      if (!sources[i].intact() || !std::equal(before.begin(), before.end(), after.begin()))
        return ::testing::AssertionFailure() << request.family << " wrote to its source " << i;
    }
    if (!dst.intact()) return ::testing::AssertionFailure() << request.family << " left its dst";
  }
  auto got = dst.content();
  auto want = expected.bytes();
  for (size_t i = 0; i < want.size(); ++i)
    if (got[i] != want[i])
      return ::testing::AssertionFailure()
             << "byte " << i << " of " << want.size() << ": kernel "
             << static_cast<int>(static_cast<int8_t>(got[i])) << ", reference "
             << static_cast<int>(static_cast<int8_t>(want[i]));
  return ::testing::AssertionSuccess();
}

// Draws layers until `wanted` valid ones have been compared, out of place and in place; returns how
// many were valid. `draw` may give layers that verify refuses: they are drawn again.
template <class Draw>
int compare_random_layers(int wanted, Draw&& draw) {
  Rng rng(20261);
  int valid = 0;
  for (int attempt = 0; attempt < 20 * wanted && valid < wanted; ++attempt) {
    Result<Layer> layer = draw(rng);
    if (!layer.ok()) continue;
    ++valid;
    for (bool in_place : {false, true}) {
      auto result = kernels_equal_reference(*layer, in_place);
      EXPECT_TRUE(result) << "layer " << attempt << (in_place ? " in place" : "") << "\n"
                          << print_graph(layer->graph);
      if (!result) return valid;
    }
  }
  return valid;
}

}  // namespace nibble
