// The products of a depthwise convolution's blocks (depthwise_text.h).
#include <algorithm>
#include <vector>

#include "lower/dsp/depthwise_frame.h"

namespace nibble::depthwise_frame {
namespace {

// Weights in registers: r4-r6 rows 0 and 1, r7-r9 rows 1 and 2 of the columns. r10, r11: two
// columns of the planes.
class RegisterProducts {
 public:
  RegisterProducts(const DepthwiseText& text, int columns) : text_(text), columns_(columns) {}

  // `advance`: what to add to r12.
  Assembly write(int advance) {
    std::vector<int> order;
    for (int pair = text_.block_pairs() - 1; pair > 0; --pair) order.push_back(pair);
    // Both rows of outputs should begin with the first pair.
    if (order.size() > 1) std::swap(order[0], order[1]);
    order.push_back(0);
    int width = (columns_ - 1) * text_.stride_w + text_.k_w;
    for (int pair : order)
      for (int i = 0; i < width; i += 2) {
        int column = pair == 0 ? (width - 1) / 2 * 2 - i : i;
        bool second = column + 1 < width && any(pair, column + 1);
        if (!second && !any(pair, column)) continue;
        // A single load that moves on reaches 255 bytes.
        bool last = pair == 0 && column == 0 && advance > 0;
        bool moves = last && (second || advance <= 255);
        std::string at = moves ? fmt::format("[r12], #{}", advance)
                               : fmt::format("[r12, #{}]", text_.offset(column, pair));
        if (second)
          code_.op("ldrd r10, r11, {}", at);
        else
          code_.op("ldr r10, {}", at);
        if (last && !moves) code_.op("add r12, r12, #{}", advance);
        column_products(pair, column, "r10");
        if (second) column_products(pair, column + 1, "r11");
      }
    begin_others(-1);
    return std::move(code_);
  }

 private:
  struct Product {
    std::string operation, weights;
  };
  std::optional<Product> product(int pair, int row, int kx) const {
    if (kx < 0 || kx >= text_.k_w) return std::nullopt;
    int ky = 2 * pair - row * text_.stride_h;
    std::string upper = fmt::format("r{}", 4 + kx), lower = fmt::format("r{}", 7 + kx);
    if (ky == -1) return Product{"smlatb", upper};
    if (ky == 0) return Product{"smlad", upper};
    if (ky == 1 && text_.k_h > 1) return Product{"smlad", lower};
    if (ky == 2 && text_.k_h > 2) return Product{"smlabt", lower};
    return std::nullopt;
  }
  bool any(int pair, int column) const {
    for (int x = 0; x < columns_; ++x)
      for (int row = 0; row < 2; ++row)
        if (product(pair, row, column - x * text_.stride_w)) return true;
    return false;
  }
  // All accumulators but `except` that have not begun, r1 last.
  void begin_others(int except) {
    for (int acc : {0, 2, 3})
      if (acc != except && !begun_[acc] && (columns_ > 1 || acc != 3)) {
        code_.op("mov r{}, r1", acc);
        begun_[acc] = true;
      }
  }
  void column_products(int pair, int column, const char* data) {
    for (int acc : {0, 2, 3, 1}) {
      int x = acc % 2, row = acc / 2;
      if (x >= columns_) continue;
      std::optional<Product> with = product(pair, row, column - x * text_.stride_w);
      if (!with) continue;
      if (acc == 1 && !begun_[1]) begin_others(1);
      code_.op("{} r{}, {}, {}, r{}", with->operation, acc, data, with->weights,
               begun_[acc] ? acc : 1);
      begun_[acc] = true;
    }
  }

  const DepthwiseText& text_;
  int columns_;
  bool begun_[4] = {};
  Assembly code_;
};

// Weights from the stream: r4 and r5 those of the upper and lower row, r6 and r7 the
// columns, r9 the weights, r10 their end.
Assembly stream_products(const DepthwiseText& text, int columns, int advance, int label) {
  Assembly code;
  code.op("mov r0, r1");
  code.op("mov r2, r1");
  if (columns > 1) code.op("mov r3, r1");
  code.op("ldrd r9, r10, {}", slot(kWeights));
  if (text.block_pairs() > 1) code.label(label);
  auto column = [&](const char* to, int at) {
    code.op("ldr {}, [r12, #{}]", to, text.offset(at, 0));
  };
  const char *left = "r6", *right = "r7";
  bool shared = columns > 1 && text.stride_w == 1;
  if (shared) column(left, 0);
  for (int kx = 0; kx < text.k_w; ++kx) {
    if (!shared) column(left, kx);
    if (columns > 1) column(right, kx + text.stride_w);
    code.op("ldrd r4, r5, [r9], #8");
    code.op("smlad r0, {}, r4, r0", left);
    code.op("smlad r2, {}, r5, r2", left);
    if (columns > 1) {
      code.op("smlad r1, {}, r4, r1", right);
      code.op("smlad r3, {}, r5, r3", right);
    }
    if (shared) std::swap(left, right);
  }
  if (text.block_pairs() > 1) {
    code.op("add r12, r12, #8");
    code.op("cmp r9, r10");
    code.op("bne {}b", label);
    advance -= 8 * text.block_pairs();
  }
  if (advance != 0) code.op("{} r12, r12, #{}", advance < 0 ? "sub" : "add", std::abs(advance));
  return code;
}

}  // namespace

Assembly products(const DepthwiseText& text, int columns, int advance, int label) {
  if (text.weights_in_registers()) return RegisterProducts(text, columns).write(advance);
  return stream_products(text, columns, advance, label);
}

}  // namespace nibble::depthwise_frame
