// The .npy encoding of one array, shared by .npy and .npz. Inside formats/ only; the readers' and
// writers' doors are in formats.h.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// Format 1.0, C order, little-endian. Types narrower than a byte are written as int8.
std::vector<uint8_t> encode_npy(const Tensor& tensor);

}  // namespace nibble
