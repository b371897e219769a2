// Integer addition and subtraction, shared by add.cc and sub.cc. Inside ops/ only.
#pragma once

#include "ops/arithmetic.h"
#include "ops/broadcast.h"

namespace nibble {

// How both inputs are brought to one scale: each is multiplied by 2^headroom_bits and by half its
// share of the larger scale, the sum by `out`.
struct AddScaling {
  int headroom_bits = 20;
  Requant lhs, rhs, out;
  int32_t lhs_zero = 0, rhs_zero = 0, out_zero = 0;
  int32_t rhs_sign = 1;  // -1 subtracts
  ClampRange act;
  Rounding rounding = Rounding::kTflite;
};

enum class AddKind { kAdd, kSub };

AddScaling add_scaling(AddKind kind, const Bounds& act, Rounding rounding, const TensorType& lhs,
                       const TensorType& rhs, const TensorType& out);
Status verify_add(AddKind kind, Operands in, const TensorType& out);
void run_add(const AddScaling& scaling, Inputs in, Tensor& out);
Result<std::vector<KernelRequest>> lower_add(AddKind kind, const Bounds& act, Rounding rounding,
                                             Operands in, const TensorType& out);

}  // namespace nibble
