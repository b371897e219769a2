// Rules of an accelerator's file on the fields of one layer. Inside cost/npu/ only.
#pragma once

#include <string>
#include <vector>

#include "cost/npu/npu.h"

namespace nibble {

double npu_number(const Npu& npu, const NpuLayer& layer, const NpuNumber& number);
bool holds(const Npu& npu, const NpuLayer& layer, const NpuRange& range);
bool holds(const Npu& npu, const NpuLayer& layer, const NpuRanges& ranges);
// No operators named, or this one.
bool names(const std::vector<std::string>& ops, const NpuLayer& layer);
bool is_met(const Npu& npu, const NpuLayer& layer, const NpuRequirement& requirement);

// The value of the range that is nearest to the layer's own: the smallest of one_of not below it,
// else its largest; otherwise raised to min, rounded up to multiple_of, lowered to max (and there
// to the last multiple). Words: the first allowed.
double nearest_legal(const Npu& npu, const NpuLayer& layer, const NpuRange& range);

// {field} and {field.legal} filled in; `any`: the ranges that .legal is looked up in.
std::string filled_in(const Npu& npu, const NpuLayer& layer, const std::string& text,
                      const std::vector<NpuRanges>& any);

// times * product of ceil(field / granule), and the sum of such terms.
double amount(const Npu& npu, const NpuLayer& layer, const NpuTerm& term);
double amount(const Npu& npu, const NpuLayer& layer, const std::vector<NpuTerm>& terms);

}  // namespace nibble
