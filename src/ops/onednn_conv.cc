// Float convolution by oneDNN: one direct convolution primitive per node, on plain NHWC activations
// and a filter in the order that oneDNN prefers.
#include "ops/onednn_conv.h"

#ifdef NIBBLE_HAVE_ONEDNN

#include <dlfcn.h>

#include <dnnl.hpp>

#include "ops/run_context.h"

namespace nibble {
namespace {

using dnnl::memory;

// Samples run in parallel already (base/parallel.h); threads inside a primitive would only get in
// their way.
void use_one_thread() {
  thread_local const bool done = [] {
    using SetThreads = void (*)(int);
    if (auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set(1);
    return true;
  }();
  static_cast<void>(done);
}

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

struct Primitive {
  bool usable = false;
  dnnl::convolution_forward conv;
  memory::desc src, plain_filter, filter, bias, dst;
  memory packed_filter;
  bool packed = false;
};

// Every filter is described with its groups, as [group, out, in, ky, kx] by strides.
Primitive make_primitive(const FloatConv& conv, bool has_bias) {
  constexpr auto kF32 = memory::data_type::f32;
  Primitive result;
  const Window& window = conv.window;
  result.src = {{conv.batches, conv.in_c, conv.in_h, conv.in_w}, kF32, memory::format_tag::nhwc};
  result.dst = {{conv.batches, conv.out_c, conv.out_h, conv.out_w}, kF32, memory::format_tag::nhwc};
  memory::dims filter_dims{conv.groups, conv.out_c / conv.groups, conv.in_c / conv.groups, conv.k_h,
                           conv.k_w};
  result.plain_filter = {filter_dims, kF32,
                         memory::dims{conv.filter_group, conv.filter_out, conv.filter_in,
                                      conv.filter_y, conv.filter_x}};
  memory::desc any_filter(filter_dims, kF32, memory::format_tag::any);
  result.bias = has_bias ? memory::desc({conv.out_c}, kF32, memory::format_tag::x) : memory::desc();
  // oneDNN checks the padding at the far end against the output's extent, and counts dilation from
  // 0.
  auto far_pad = [](int64_t in, int64_t out, int64_t k, int64_t stride, int64_t dilation,
                    int64_t pad) { return (out - 1) * stride + (k - 1) * dilation + 1 - in - pad; };
  memory::dims far{
      far_pad(conv.in_h, conv.out_h, conv.k_h, window.stride_h, window.dilation_h, window.pad_top),
      far_pad(conv.in_w, conv.out_w, conv.k_w, window.stride_w, window.dilation_w,
              window.pad_left)};
  try {
    dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, result.src,
        any_filter, result.bias, result.dst, {window.stride_h, window.stride_w},
        {window.dilation_h - 1, window.dilation_w - 1}, {window.pad_top, window.pad_left}, far);
    dnnl::convolution_forward::primitive_desc primitive(desc, cpu_engine());
    result.filter = primitive.weights_desc();
    result.conv = dnnl::convolution_forward(primitive);
    result.usable = true;
  } catch (const dnnl::error&) {
    // No implementation for this shape: the plain loop computes it.
  }
  return result;
}

memory view(const memory::desc& desc, const float* elems) {
  return memory(desc, cpu_engine(), const_cast<float*>(elems));
}

}  // namespace

bool has_onednn() { return true; }

bool run_onednn_conv(const FloatConv& conv, const float* src, const float* filter,
                     const float* bias, float* dst) {
  use_one_thread();
  auto primitive = node_cached<Primitive>(
      [&] { return std::make_shared<Primitive>(make_primitive(conv, bias != nullptr)); });
  if (!primitive->usable) return false;
  dnnl::stream stream(cpu_engine());
  if (!primitive->packed) {
    primitive->packed_filter = memory(primitive->filter, cpu_engine());
    memory plain = view(primitive->plain_filter, filter);
    dnnl::reorder(plain, primitive->packed_filter).execute(stream, plain, primitive->packed_filter);
    primitive->packed = true;
  }
  std::unordered_map<int, memory> arguments{
      {DNNL_ARG_SRC, view(primitive->src, src)},
      {DNNL_ARG_WEIGHTS, primitive->packed_filter},
      {DNNL_ARG_DST, view(primitive->dst, dst)},
  };
  if (bias) arguments.emplace(DNNL_ARG_BIAS, view(primitive->bias, bias));
  primitive->conv.execute(stream, arguments);
  stream.wait();
  return true;
}

}  // namespace nibble

#else

namespace nibble {

bool has_onednn() { return false; }

bool run_onednn_conv(const FloatConv&, const float*, const float*, const float*, float*) {
  return false;
}

}  // namespace nibble

#endif
