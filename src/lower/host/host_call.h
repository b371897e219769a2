// The host's own implementations of the kernels on which evaluation, search and calibration spend
// their time. They compute what the portable kernels compute, bit for bit, and are tested against
// them; they never reach a target. Inside lower/ only.
#pragma once

#include <functional>
#include <string_view>

namespace nibble {

// One call with its constants prepared. `pointers`: the kernel's pointer parameters, in the order
// of its prototype. Not to be called from two threads at once.
using HostCall = std::function<void(void* const* pointers)>;

// `args`: the argument struct of `family` ("conv2d_s8"), which outlives the call. Empty where the
// portable kernel has to do.
HostCall fast_host_call(std::string_view family, const void* args);

}  // namespace nibble
