// The models and labelled data of ../shared that the benches and the tests of accuracy run on, and
// how their inputs are scaled. `shared` in the functions is that folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/pipeline.h"

namespace nibble {

// Inputs of one task below data/eval; real = raw * scale + mean for float models.
struct TaskData {
  std::string evaluation, labels, calibration;
  double scale = 1, mean = 0;
};

struct ModelPair {
  std::string task;
  std::string real;       // float model below data/models
  std::string published;  // its int8 twin, empty if there is none
  TaskData data;
};

inline std::vector<ModelPair> benchmark_pairs() {
  constexpr double kKwsScale = 0.5847029089927673;
  TaskData kws = {"kws_speech_commands/eval_mfcc_q8.npy", "kws_speech_commands/eval_labels_u8.npy",
                  "kws_speech_commands/calib_mfcc_q8.npy", kKwsScale, -83 * kKwsScale};
  TaskData ic = {"ic_cifar10/eval_images_u8.npy", "ic_cifar10/eval_labels_u8.npy",
                 "ic_cifar10/train_subset_images_u8.npy", 1, 0};
  TaskData ic_unit = ic;
  ic_unit.scale = 1.0 / 255;
  TaskData vww = {"vww_coco/eval_images_u8.npy", "vww_coco/eval_labels_u8.npy",
                  "vww_coco/calib_images_u8.npy", 1.0 / 255, 0};
  // These windows are all there are: calibrated on what is evaluated.
  TaskData ad = {"ad_logmel/windows_f32.npy", "", "ad_logmel/windows_f32.npy", 1, 0};
  return {
      {"kws", "mlperf_tiny/kws_dscnn_fp32.tflite", "mlperf_tiny/kws_dscnn_int8.tflite", kws},
      {"kws", "mlperf_tiny_onnx/kws_dscnn_fp32.onnx", "mlperf_tiny_onnx/kws_dscnn_qdq_int8.onnx",
       kws},
      {"ic", "mlperf_tiny/ic_resnet8_fp32.tflite", "mlperf_tiny/ic_resnet8_int8.tflite", ic},
      {"ic", "mlperf_tiny/ic_resnet8_large_fp32.tflite", "mlperf_tiny/ic_resnet8_large_int8.tflite",
       ic},
      {"ic", "mlperf_tiny_onnx/ic_resnet8_fp32.onnx", "mlperf_tiny_onnx/ic_resnet8_qdq_int8.onnx",
       ic},
      {"ic", "tinymaix/cifar10_fp32.tflite", "tinymaix/cifar10_int8.tflite", ic_unit},
      {"vww", "mlperf_tiny/vww_mobilenetv1_fp32.tflite", "mlperf_tiny/vww_mobilenetv1_int8.tflite",
       vww},
      {"vww", "mlperf_tiny_onnx/vww_mobilenetv1_fp32.onnx",
       "mlperf_tiny_onnx/vww_mobilenetv1_qdq_int8.onnx", vww},
      {"vww", "tinymaix/vww96_fp32.tflite", "tinymaix/vww96_int8.tflite", vww},
      {"ad", "mlperf_tiny/ad01_fp32.tflite", "mlperf_tiny/ad01_int8.tflite", ad},
      {"ad", "mlperf_tiny_onnx/ad_small_bn_fp32.onnx", "", ad},
  };
}

enum class DataPart { kEvaluation, kCalibration };

// Without labels for calibration; max_samples 0: all.
inline Result<Dataset> read_task(const std::filesystem::path& shared, const ModelPair& pair,
                                 const Graph& graph, DataPart part, int64_t max_samples = 0) {
  std::filesystem::path folder = shared / "data/eval";
  DataOptions options;
  options.input_scale = pair.data.scale;
  options.input_mean = pair.data.mean;
  options.input_scale_given = true;
  options.max_samples = max_samples;
  bool calibration = part == DataPart::kCalibration;
  if (!calibration && !pair.data.labels.empty()) options.labels = folder / pair.data.labels;
  return read_dataset(folder / (calibration ? pair.data.calibration : pair.data.evaluation), graph,
                      options);
}

// nibble's own int8 of the float model, calibrated on the calibration part.
inline Result<Graph> own_int8(const std::filesystem::path& shared, const ModelPair& pair,
                              const Graph& real, Calibrator calibrator, int64_t max_samples = 0) {
  NIBBLE_ASSIGN(Dataset data, read_task(shared, pair, real, DataPart::kCalibration, max_samples));
  QuantizeOptions options;
  options.all.activations.calibrator = calibrator;
  return learn_quantized(real, calibration_data(data, real), options);
}

// Over the whole evaluation part.
inline Result<Score> score_on_task(const std::filesystem::path& shared, const ModelPair& pair,
                                   const Graph& graph) {
  NIBBLE_ASSIGN(Dataset data, read_task(shared, pair, graph, DataPart::kEvaluation));
  return evaluate(graph, data);
}

}  // namespace nibble
