// The models and labelled data of ../shared that the benches run on, and how their inputs are
// scaled.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace nibble {

inline std::filesystem::path shared_folder() {
  const char* folder = std::getenv("NIBBLE_SHARED");
  return folder ? std::filesystem::path(folder)
                : std::filesystem::path(NIBBLE_SOURCE_DIR) / "../shared";
}

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

}  // namespace nibble
