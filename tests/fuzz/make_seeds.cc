// Writes the seeds of the TFLite fuzzer: nibble_make_seeds tests/fuzz/seeds/nibble_tflite_fuzz
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "support/tflite_models.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: nibble_make_seeds FOLDER\n");
    return 2;
  }
  std::filesystem::path folder = argv[1];
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const auto& [name, bytes] : nibble::tflite_seeds()) {
    auto status = nibble::write_file(folder / name, bytes);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.error().message.c_str());
      return 1;
    }
  }
  return 0;
}
