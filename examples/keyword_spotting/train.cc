// kws_train: trains the depthwise-separable network of MLPerf Tiny's keyword spotting benchmark
// (Zhang et al., "Hello Edge", 2017) on the corpus, keeps the state that is best on the validation
// speakers, writes kws.onnx and measures it on the test speakers.
#include <fmt/format.h>
#include <torch/torch.h>

#include <chrono>
#include <cstdio>
#include <numbers>
#include <set>

#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"
#include "export_onnx.h"
#include "options.h"
#include "samples.h"

namespace nibble::kws {
namespace {

namespace nn = torch::nn;

constexpr int kChannels = 64;
constexpr int kBlocks = 4;
constexpr int kEpochs = 30;
constexpr int kBatch = 100;
constexpr int kSilencePerEpoch = 500;
constexpr double kLearningRate = 3e-3;
constexpr double kLabelSmoothing = 0.05;

// One convolution, batch normalization and ReLU.
struct LayerImpl : nn::Module {
  LayerImpl(int in, int out, std::vector<int64_t> kernel, int stride_, int groups,
            std::vector<int64_t> pads_)
      : pads(std::move(pads_)), stride(stride_) {
    conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(in, out, {kernel[0], kernel[1]})
                                                  .stride(stride)
                                                  .groups(groups)
                                                  .bias(false)));
    norm = register_module("norm", nn::BatchNorm2d(out));
  }
  torch::Tensor forward(torch::Tensor x) {
    // pads: top, left, bottom, right; libtorch wants left, right, top, bottom.
    if (pads != std::vector<int64_t>(4, 0))
      x = nn::functional::pad(x,
                              nn::functional::PadFuncOptions({pads[1], pads[3], pads[0], pads[2]}));
    return torch::relu(norm(conv(x)));
  }
  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d norm{nullptr};
  std::vector<int64_t> pads;
  int stride;
};
TORCH_MODULE(Layer);

struct DsCnnImpl : nn::Module {
  DsCnnImpl() {
    // 49x10 to 25x5, padded as TensorFlow's SAME does.
    add("first",
        Layer(1, kChannels, std::vector<int64_t>{10, 4}, 2, 1, std::vector<int64_t>{4, 1, 5, 1}));
    for (int i = 1; i <= kBlocks; ++i) {
      add(fmt::format("block{}/depthwise", i),
          Layer(kChannels, kChannels, std::vector<int64_t>{3, 3}, 1, kChannels,
                std::vector<int64_t>{1, 1, 1, 1}));
      add(fmt::format("block{}/pointwise", i),
          Layer(kChannels, kChannels, std::vector<int64_t>{1, 1}, 1, 1,
                std::vector<int64_t>{0, 0, 0, 0}));
    }
    dense = register_module("dense", nn::Linear(kChannels, static_cast<int>(kLabels.size())));
  }
  torch::Tensor forward(torch::Tensor x) {
    for (Layer& layer : layers) x = layer(x);
    return dense(torch::dropout(x.mean({2, 3}), 0.3, is_training()));
  }
  void add(const std::string& name, Layer layer) {
    names.push_back(name);
    layers.push_back(register_module(fmt::format("layer{}", layers.size()), std::move(layer)));
  }
  std::vector<std::string> names;
  std::vector<Layer> layers;
  nn::Linear dense{nullptr};
};
TORCH_MODULE(DsCnn);

std::vector<float> floats_of(const torch::Tensor& tensor) {
  torch::Tensor flat = tensor.detach().contiguous().to(torch::kFloat32).cpu();
  const float* data = flat.data_ptr<float>();
  return {data, data + flat.numel()};
}

DsCnnParameters parameters_of(DsCnn& net) {
  DsCnnParameters parameters;
  for (size_t i = 0; i < net->layers.size(); ++i) {
    Layer& source = net->layers[i];
    ConvLayer layer;
    layer.name = net->names[i];
    layer.shape = source->conv->weight.sizes().vec();
    layer.groups = source->conv->options.groups();
    layer.stride = source->stride;
    layer.pads = source->pads;
    layer.weights = floats_of(source->conv->weight);
    layer.gamma = floats_of(source->norm->weight);
    layer.beta = floats_of(source->norm->bias);
    layer.mean = floats_of(source->norm->running_mean);
    layer.variance = floats_of(source->norm->running_var);
    layer.epsilon = static_cast<float>(source->norm->options.eps());
    parameters.layers.push_back(std::move(layer));
  }
  parameters.classes = static_cast<int64_t>(kLabels.size());
  parameters.dense_weights = floats_of(net->dense->weight);
  parameters.dense_bias = floats_of(net->dense->bias);
  return parameters;
}

// Half of the clips lose up to six successive frames: those take the clip's mean, so that no word
// hangs on one moment. Half get a constant on every coefficient but the first, which is what
// another microphone or throat does: a filter adds a smooth curve to the log spectrum.
void augment(FeatureSet& set, Rng& rng) {
  for (size_t n = 0; n < set.size(); ++n) {
    float* frames = &set.x[n * kFeatures];
    bool mask = rng.uniform() < 0.5, filter = rng.uniform() < 0.5;
    int64_t count = mask ? rng.integer(1, 6) : 0, first = rng.integer(0, kFrames - count);
    for (int k = 0; k < kCoefficients; ++k) {
      float sum = 0;
      for (int frame = 0; frame < kFrames; ++frame) sum += frames[frame * kCoefficients + k];
      for (int64_t frame = first; frame < first + count; ++frame)
        frames[frame * kCoefficients + k] = sum / kFrames;
      if (!filter || k == 0) continue;
      auto shift = static_cast<float>(rng.normal() * (k < 4 ? 3 : 1.5));
      for (int frame = 0; frame < kFrames; ++frame) frames[frame * kCoefficients + k] += shift;
    }
  }
}

torch::Tensor inputs_of(FeatureSet& set, size_t first, size_t count) {
  return torch::from_blob(&set.x[first * kFeatures],
                          {static_cast<int64_t>(count), 1, kFrames, kCoefficients});
}

// Class by arg-max for every sample, and the mean cross entropy.
std::pair<std::vector<int64_t>, double> classify(DsCnn& net, FeatureSet& set) {
  torch::NoGradGuard no_gradients;
  net->eval();
  torch::Tensor logits = net(inputs_of(set, 0, set.size()));
  torch::Tensor labels =
      torch::from_blob(set.y.data(), {static_cast<int64_t>(set.size())}, torch::kInt64);
  double loss = nn::functional::cross_entropy(logits, labels).item<double>();
  torch::Tensor best = logits.argmax(1).contiguous();
  const int64_t* data = best.data_ptr<int64_t>();
  return {{data, data + best.numel()}, loss};
}

double accuracy_of(const std::vector<int64_t>& classes, const FeatureSet& set) {
  int64_t right = 0;
  for (size_t i = 0; i < set.size(); ++i) right += classes[i] == set.y[i];
  return static_cast<double>(right) / static_cast<double>(set.size());
}

double train_epoch(DsCnn& net, torch::optim::Optimizer& optimizer, FeatureSet& set) {
  net->train();
  double loss_sum = 0;
  int64_t batches = 0;
  nn::CrossEntropyLoss criterion(nn::CrossEntropyLossOptions().label_smoothing(kLabelSmoothing));
  for (size_t first = 0; first + kBatch <= set.size(); first += kBatch, ++batches) {
    torch::Tensor labels = torch::from_blob(&set.y[first], {kBatch}, torch::kInt64);
    optimizer.zero_grad();
    torch::Tensor loss = criterion(net(inputs_of(set, first, kBatch)), labels);
    loss.backward();
    optimizer.step();
    loss_sum += loss.item<double>();
  }
  return loss_sum / static_cast<double>(batches);
}

// Rises over the first epoch, then falls along a cosine.
double learning_rate(int epoch) {
  if (epoch == 0) return kLearningRate / 3;
  return kLearningRate * 0.5 * (1 + std::cos(std::numbers::pi * (epoch - 1) / (kEpochs - 1)));
}

void print_test(const std::vector<int64_t>& classes, const FeatureSet& set) {
  auto share = [&](auto&& belongs) {
    int64_t right = 0, count = 0;
    for (size_t i = 0; i < set.size(); ++i) {
      if (!belongs(i)) continue;
      ++count;
      right += classes[i] == set.y[i];
    }
    return std::vector<std::string>{
        std::to_string(count),
        fmt::format("{:.1f}",
                    count ? 100.0 * static_cast<double>(right) / static_cast<double>(count) : 0)};
  };
  auto row = [](std::string name, std::vector<std::string> cells) {
    cells.insert(cells.begin(), std::move(name));
    return cells;
  };
  std::vector<std::vector<std::string>> table = {{"test", "samples", "right %"}};
  for (size_t label = 0; label < kLabels.size(); ++label)
    table.push_back(row(std::string(kLabels[label]),
                        share([&](size_t i) { return set.y[i] == static_cast<int64_t>(label); })));
  std::set<std::string_view> unheard(unheard_words().begin(), unheard_words().end());
  table.push_back(row("words not in training",
                      share([&](size_t i) { return unheard.count(set.rows[i].word) > 0; })));
  for (double snr : {40, 20, 15, 10, 5})
    table.push_back(
        row(fmt::format("{} dB", snr), share([&](size_t i) { return set.rows[i].snr_db == snr; })));
  for (const Speaker& speaker : speakers())
    if (speaker.split == Split::kTest)
      table.push_back(row(std::string(speaker.variant),
                          share([&](size_t i) { return set.rows[i].variant == speaker.variant; })));
  table.push_back(row("all", share([](size_t) { return true; })));
  std::printf("%s", format_table(table).c_str());
}

Status train(const Options& options) {
  NIBBLE_ASSIGN(Samples samples, Samples::read(options.corpus, options.seed));
  torch::manual_seed(options.seed);
  FeatureSet validation = samples.validation_set();
  DsCnn net;
  torch::optim::AdamW optimizer(net->parameters(),
                                torch::optim::AdamWOptions(kLearningRate).weight_decay(1e-2));
  Rng rng(options.seed);
  DsCnnParameters best;
  std::pair<double, double> best_score = {-1, 0};
  std::vector<torch::Tensor> best_state;
  auto start = std::chrono::steady_clock::now();
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    for (auto& group : optimizer.param_groups())
      static_cast<torch::optim::AdamWOptions&>(group.options()).lr(learning_rate(epoch));
    FeatureSet set = samples.training_set(epoch, kSilencePerEpoch);
    augment(set, rng);
    double loss = train_epoch(net, optimizer, set);
    auto [classes, validation_loss] = classify(net, validation);
    double accuracy = accuracy_of(classes, validation);
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("epoch %2d  loss %.4f  validation %.2f %%, loss %.4f  %4.0f s\n", epoch + 1, loss,
                100 * accuracy, validation_loss, seconds);
    std::fflush(stdout);
    if (std::pair score{accuracy, -validation_loss}; score > best_score) {
      best_score = score;
      best = parameters_of(net);
      NIBBLE_TRY(write_onnx(best, options.out / "kws.onnx"));
      best_state.clear();
      for (const auto& tensor : net->parameters()) best_state.push_back(tensor.detach().clone());
      for (const auto& tensor : net->buffers()) best_state.push_back(tensor.detach().clone());
    }
  }
  torch::NoGradGuard no_gradients;
  size_t next = 0;
  for (auto& tensor : net->parameters()) tensor.copy_(best_state[next++]);
  for (auto& tensor : net->buffers()) tensor.copy_(best_state[next++]);
  FeatureSet test = samples.test_set();
  auto [classes, test_loss] = classify(net, test);
  print_test(classes, test);
  std::printf("validation %.2f %%, test %.2f %% of %zu samples\n", 100 * best_score.first,
              100 * accuracy_of(classes, test), test.size());
  return {};
}

}  // namespace
}  // namespace nibble::kws

int main(int argc, char** argv) {
  return nibble::kws::run_main(argc, argv, "kws_train", nibble::kws::train);
}
