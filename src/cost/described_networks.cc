// Networks of published measurements whose files are not at hand, from the papers' tables of
// layers: MobileNetV1 (Howard et al. 2017), FD-MobileNet (Qin et al. 2018; its 1x1 layers are taken
// to be MobileNet's), ResNet-32 for CIFAR (He et al. 2016), the first five blocks of YAMNet.
#include "cost/rows.h"

namespace nibble {
namespace {

struct Block {
  double stride, channels;
};

class Counter {
 public:
  Counter(double height, double width, double channels)
      : height_(height), width_(width), channels_(channels) {}

  void conv(double window, double stride, double channels) {
    shrink(stride);
    count(window > 1 ? CostOp::kConv : CostOp::kPointwise,
          image(channels) * window * window * channels_, image(channels));
    channels_ = channels;
  }
  void separable(Block block, double width_factor) {
    shrink(block.stride);
    count(CostOp::kDepthwise, image(channels_) * 9, image(channels_));
    const double channels = block.channels * width_factor;
    count(CostOp::kPointwise, image(channels) * channels_, image(channels));
    channels_ = channels;
  }
  void sum() { count(CostOp::kElementwise, 0, image(channels_)); }
  void head(double classes, bool softmax) {
    count(CostOp::kPool, 0, channels_);
    totals_[static_cast<size_t>(CostOp::kPool)].inputs += image(channels_);
    count(CostOp::kDense, channels_ * classes, classes);
    if (softmax) count(CostOp::kSoftmax, 0, classes);
  }
  // A shortcut of its own window 1 beside what has been counted, to the same image.
  void shortcut(double from_channels) {
    count(CostOp::kPointwise, image(channels_) * from_channels, image(channels_));
  }
  double channels() const { return channels_; }
  CostNetwork network() const { return {totals_, totals_}; }

 private:
  void shrink(double stride) {
    height_ = std::ceil(height_ / stride);
    width_ = std::ceil(width_ / stride);
  }
  double image(double channels) const { return height_ * width_ * channels; }
  void count(CostOp op, double macs, double outputs) {
    OpTotals& totals = totals_[static_cast<size_t>(op)];
    totals.macs += macs;
    totals.outputs += outputs;
    if (op != CostOp::kPool) totals.inputs += outputs;
  }

  double height_, width_, channels_;
  NetworkTotals totals_{};
};

CostNetwork mobile(const std::vector<Block>& blocks, double width_factor, double height,
                   double width, double channels, double classes, bool softmax = true) {
  Counter counter(height, width, channels);
  counter.conv(3, 2, 32 * width_factor);
  for (const Block& block : blocks) counter.separable(block, width_factor);
  counter.head(classes, softmax);
  return counter.network();
}

CostNetwork resnet32() {
  Counter counter(32, 32, 3);
  counter.conv(3, 1, 16);
  for (double channels : {16, 32, 64}) {
    for (int block = 0; block < 5; ++block) {
      const double from = counter.channels();
      counter.conv(3, from == channels ? 1 : 2, channels);
      counter.conv(3, 1, channels);
      if (from != channels) counter.shortcut(from);
      counter.sum();
    }
  }
  counter.head(100, false);
  return counter.network();
}

}  // namespace

CostNetworks described_networks() {
  const std::vector<Block> v1 = {{1, 64},  {2, 128},  {1, 128}, {2, 256}, {1, 256},
                                 {2, 512}, {1, 512},  {1, 512}, {1, 512}, {1, 512},
                                 {1, 512}, {2, 1024}, {1, 1024}};
  const std::vector<Block> fd = {{2, 64},  {2, 128}, {1, 128}, {2, 256}, {1, 256}, {2, 512},
                                 {1, 512}, {1, 512}, {1, 512}, {1, 512}, {1, 1024}};
  CostNetworks networks;
  networks["mobilenet_v1 0.25 96x96x1 5"] = mobile(v1, .25, 96, 96, 1, 5);
  networks["mobilenet_v1 0.25 96x96x3 5"] = mobile(v1, .25, 96, 96, 3, 5);
  networks["mobilenet_v1 0.25 224x224x3 5"] = mobile(v1, .25, 224, 224, 3, 5);
  networks["mobilenet_v1 0.5 224x224x3 5"] = mobile(v1, .5, 224, 224, 3, 5);
  networks["mobilenet_v1 0.25 224x224x3 1000"] = mobile(v1, .25, 224, 224, 3, 1000);
  networks["mobilenet_v1 0.5 224x224x3 1000"] = mobile(v1, .5, 224, 224, 3, 1000);
  networks["mobilenet_v1 1.0 224x224x3 1000"] = mobile(v1, 1, 224, 224, 3, 1000);
  networks["fd_mobilenet 0.25 128x128x3 5"] = mobile(fd, .25, 128, 128, 3, 5);
  networks["fd_mobilenet 0.25 224x224x3 5"] = mobile(fd, .25, 224, 224, 3, 5);
  networks["resnet32"] = resnet32();
  networks["yamnet256"] =
      mobile({{1, 64}, {2, 128}, {1, 128}, {2, 256}, {1, 256}}, 1, 64, 96, 1, 10, false);
  return networks;
}

}  // namespace nibble
