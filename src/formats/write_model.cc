// Writing a model in the form that its name's ending says.
#include <fmt/format.h>

#include "formats/formats.h"

namespace nibble {

Status check_model_name(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".nibble" || ending == ".onnx") return {};
  return usage_error(fmt::format(
      "-o {}: models can be written as .nibble, which every verb reads and which holds all of it, "
      "and as .onnx; give the file one of these endings",
      path.string()));
}

Status write_model(const Graph& graph, const std::filesystem::path& path) {
  NIBBLE_TRY(check_model_name(path));
  return path.extension() == ".onnx" ? write_onnx(graph, path) : write_nibble(graph, path);
}

}  // namespace nibble
