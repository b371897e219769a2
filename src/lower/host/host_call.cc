// conv2d_s8, dense_s8, depthwise_conv2d_s8 and add_s8 for the host: activations are centred once to
// 16 bits, with the border of zeros around them, so that no inner loop knows an edge.
#include "lower/host/host_call.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "add/add_elem.h"
#include "add/add_s8.h"
#include "common/window.h"
#include "conv2d/conv2d_s8.h"
#include "dense/dense_s8.h"
#include "depthwise_conv2d/depthwise_conv2d_s8.h"
#include "lower/host/avx2.h"
#include "lower/host/channel_products.h"

namespace nibble {
namespace {

const int8_t* source(void* const* pointers, size_t index) {
  return static_cast<const int8_t*>(pointers[index]);
}

// What conv2d_s8 and depthwise_conv2d_s8 call by the same names.
template <class Args>
HostOutput output_of(const Args& args, int32_t channels) {
  HostOutput output(channels, args.bias, args.multiplier, args.exponent);
  output.zero = args.out_zero;
  output.act_min = args.act_min;
  output.act_max = args.act_max;
  output.rounding = args.rounding;
  return output;
}

std::span<const int8_t> elems(const int8_t* first, int64_t count) {
  return {first, static_cast<size_t>(count)};
}

class HostConv2d {
 public:
  explicit HostConv2d(const nibble_conv2d_s8_args& args)
      : args_(args),
        products_(args.filter, args.out_c, args.k_h * args.k_w * args.in_c,
                  output_of(args, args.out_c)),
        image_(static_cast<size_t>(args.in_h) * args.in_w * args.in_c),
        rows_(static_cast<size_t>(args.out_w) * products_.row_elems()) {}

  void operator()(void* const* pointers) {
    const int8_t* src = source(pointers, 0);
    auto* dst = static_cast<int8_t*>(pointers[1]);
    for (int32_t n = 0; n < args_.batches; ++n) {
      centre_s8(elems(src, static_cast<int64_t>(image_.size())), args_.in_zero, image_.data());
      for (int32_t oy = 0; oy < args_.out_h; ++oy, dst += args_.out_w * args_.out_c) {
        if (is_pointwise()) {
          products_.run(&image_[static_cast<size_t>(oy) * args_.out_w * args_.in_c], args_.out_w,
                        dst);
          continue;
        }
        std::ranges::fill(rows_, int16_t{0});
        for (int32_t ox = 0; ox < args_.out_w; ++ox)
          gather(oy, ox, &rows_[static_cast<size_t>(ox) * products_.row_elems()]);
        products_.run(rows_.data(), args_.out_w, dst);
      }
      src += image_.size();
    }
  }

 private:
  // Whether the image itself is the matrix of rows.
  bool is_pointwise() const {
    return args_.k_h * args_.k_w == 1 && args_.stride_h * args_.stride_w == 1 &&
           args_.pad_top == 0 && args_.pad_left == 0 && args_.in_c % 2 == 0 &&
           args_.in_h == args_.out_h && args_.in_w == args_.out_w;
  }

  // The window of one output pixel; what lies outside the image stays zero.
  void gather(int32_t oy, int32_t ox, int16_t* row) const {
    const int32_t y = oy * args_.stride_h - args_.pad_top;
    const int32_t x = ox * args_.stride_w - args_.pad_left;
    const int32_t first = nibble_first_tap(x, args_.dilation_w);
    const int32_t end = nibble_end_tap(x, args_.in_w, args_.k_w, args_.dilation_w);
    for (int32_t ky = 0; ky < args_.k_h; ++ky) {
      const int32_t iy = y + ky * args_.dilation_h;
      if (iy < 0 || iy >= args_.in_h || first >= end) continue;
      int16_t* to = row + (ky * args_.k_w + first) * args_.in_c;
      const int16_t* from =
          &image_[(static_cast<size_t>(iy) * args_.in_w + x + first * args_.dilation_w) *
                  args_.in_c];
      if (args_.dilation_w == 1) {
        std::copy_n(from, (end - first) * args_.in_c, to);
        continue;
      }
      for (int32_t kx = first; kx < end; ++kx, to += args_.in_c)
        std::copy_n(from + (kx - first) * args_.dilation_w * args_.in_c, args_.in_c, to);
    }
  }

  const nibble_conv2d_s8_args& args_;
  ChannelProducts products_;
  std::vector<int16_t> image_, rows_;
};

class HostDense {
 public:
  explicit HostDense(const nibble_dense_s8_args& args)
      : args_(args),
        products_(args.filter, args.out_len, args.in_len, output_of(args, args.out_len)),
        rows_(static_cast<size_t>(args.rows) * products_.row_elems()) {}

  void operator()(void* const* pointers) {
    const int8_t* src = source(pointers, 0);
    for (int32_t row = 0; row < args_.rows; ++row, src += args_.in_len)
      centre_s8(elems(src, args_.in_len), args_.in_zero,
                &rows_[static_cast<size_t>(row) * products_.row_elems()]);
    products_.run(rows_.data(), args_.rows, static_cast<int8_t*>(pointers[1]));
  }

 private:
  const nibble_dense_s8_args& args_;
  ChannelProducts products_;
  std::vector<int16_t> rows_;
};

// All channels of a pixel side by side, kHostLanes to a step.
class HostDepthwise {
 public:
  explicit HostDepthwise(const nibble_depthwise_conv2d_s8_args& args)
      : args_(args),
        lanes_((args.in_c + kHostLanes - 1) / kHostLanes * kHostLanes),
        output_(output_of(args, args.in_c)),
        image_(static_cast<size_t>(args.in_h) * args.in_w * lanes_),
        weights_(static_cast<size_t>(args.k_h) * args.k_w * lanes_),
        acc_(static_cast<size_t>(lanes_)) {
    for (int32_t tap = 0; tap < args.k_h * args.k_w; ++tap)
      std::copy_n(args.filter + tap * args.in_c, args.in_c,
                  &weights_[static_cast<size_t>(tap) * lanes_]);
  }

  void operator()(void* const* pointers) {
    const int8_t* src = source(pointers, 0);
    auto* dst = static_cast<int8_t*>(pointers[1]);
    const int32_t pixels = args_.in_h * args_.in_w;
    for (int32_t n = 0; n < args_.batches; ++n) {
      for (int32_t pixel = 0; pixel < pixels; ++pixel, src += args_.in_c)
        centre_s8(elems(src, args_.in_c), args_.in_zero,
                  &image_[static_cast<size_t>(pixel) * lanes_]);
      for (int32_t oy = 0; oy < args_.out_h; ++oy)
        for (int32_t ox = 0; ox < args_.out_w; ++ox, dst += args_.in_c) write_pixel(oy, ox, dst);
    }
  }

 private:
  void write_pixel(int32_t oy, int32_t ox, int8_t* dst) {
    std::copy_n(output_.bias.begin(), lanes_, acc_.begin());
    const int32_t y = oy * args_.stride_h - args_.pad_top;
    const int32_t x = ox * args_.stride_w - args_.pad_left;
    const int32_t end_y = nibble_end_tap(y, args_.in_h, args_.k_h, args_.dilation_h);
    const int32_t end_x = nibble_end_tap(x, args_.in_w, args_.k_w, args_.dilation_w);
    for (int32_t ky = nibble_first_tap(y, args_.dilation_h); ky < end_y; ++ky)
      for (int32_t kx = nibble_first_tap(x, args_.dilation_w); kx < end_x; ++kx) {
        const int32_t pixel = (y + ky * args_.dilation_h) * args_.in_w + x + kx * args_.dilation_w;
        avx2::multiply_lanes(&image_[static_cast<size_t>(pixel) * lanes_],
                             &weights_[static_cast<size_t>(ky * args_.k_w + kx) * lanes_], lanes_,
                             acc_.data());
      }
    for (int32_t c = 0; c < args_.in_c; c += kHostLanes)
      output_.write(&acc_[static_cast<size_t>(c)], c, std::min(kHostLanes, args_.in_c - c),
                    dst + c);
  }

  const nibble_depthwise_conv2d_s8_args& args_;
  const int32_t lanes_;
  HostOutput output_;
  std::vector<int16_t> image_, weights_;
  std::vector<int32_t> acc_;
};

// A scaled input depends on one byte: it is looked up.
class HostAdd {
 public:
  explicit HostAdd(const nibble_add_s8_args& args)
      : cfg_(NIBBLE_ADD_SCALING(&args)), len_(args.len), lhs_(kBytes), rhs_(kBytes) {
    for (int32_t value = 0; value < kBytes; ++value) {
      constexpr int32_t kHeadroom = 1 << 20;
      const auto at = static_cast<size_t>(value);
      lhs_[at] = nibble_requant((value - 128 - cfg_.lhs_zero) * kHeadroom, cfg_.lhs_multiplier,
                                cfg_.lhs_exponent, cfg_.rounding);
      rhs_[at] =
          cfg_.rhs_sign * nibble_requant((value - 128 - cfg_.rhs_zero) * kHeadroom,
                                         cfg_.rhs_multiplier, cfg_.rhs_exponent, cfg_.rounding);
    }
  }

  void operator()(void* const* pointers) const {
    const int8_t *src = source(pointers, 0), *rhs = source(pointers, 1);
    auto* dst = static_cast<int8_t*>(pointers[2]);
    for (int32_t i = 0; i < len_; ++i) {
      const int32_t sum =
          lhs_[static_cast<size_t>(src[i] + 128)] + rhs_[static_cast<size_t>(rhs[i] + 128)];
      const int32_t value =
          nibble_requant(sum, cfg_.out_multiplier, cfg_.out_exponent, cfg_.rounding);
      dst[i] = static_cast<int8_t>(nibble_clamp(value + cfg_.out_zero, cfg_.act_min, cfg_.act_max));
    }
  }

 private:
  static constexpr int32_t kBytes = 256;
  const nibble_add_scaling cfg_;
  const int32_t len_;
  std::vector<int32_t> lhs_, rhs_;
};

// A call keeps its object behind a pointer: std::function copies.
template <class Call, class Args>
HostCall make_call(const Args& args) {
  auto call = std::make_shared<Call>(args);
  return [call](void* const* pointers) { (*call)(pointers); };
}

}  // namespace

HostCall fast_host_call(std::string_view family, const void* args) {
  if (family == "conv2d_s8") {
    const auto& conv = *static_cast<const nibble_conv2d_s8_args*>(args);
    if (conv.groups == 1) return make_call<HostConv2d>(conv);
  }
  if (family == "dense_s8")
    return make_call<HostDense>(*static_cast<const nibble_dense_s8_args*>(args));
  if (family == "depthwise_conv2d_s8" && host_has_avx2()) {
    const auto& depthwise = *static_cast<const nibble_depthwise_conv2d_s8_args*>(args);
    if (depthwise.channel_multiplier == 1) return make_call<HostDepthwise>(depthwise);
  }
  if (family == "add_s8") return make_call<HostAdd>(*static_cast<const nibble_add_s8_args*>(args));
  return {};
}

}  // namespace nibble
