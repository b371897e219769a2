// read_model finds the reader by content, and says of other files what they look like and how to go
// on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "formats/formats.h"
#include "support/shared_data.h"
#include "support/tflite_models.h"

namespace nibble {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ReadModel : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempDir::create();
    ASSERT_TRUE(folder.ok());
    folder_.emplace(std::move(*folder));
  }
  std::filesystem::path file(const std::string& name, std::string_view content) {
    auto path = folder_->path() / name;
    EXPECT_TRUE(write_text_file(path, content).ok());
    return path;
  }
  std::string error_of(const std::filesystem::path& path) {
    auto graph = read_model(path);
    return graph.ok() ? "no error" : graph.error().message;
  }
  std::optional<TempDir> folder_;
};

using namespace std::string_view_literals;

TEST_F(ReadModel, TfliteByContentNotByName) {
  auto bytes = tflite_float_dense();
  auto path = folder_->path() / "model.bin";
  ASSERT_TRUE(write_file(path, bytes).ok());
  auto graph = read_model(path);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_EQ(graph->nodes.size(), 1u);
  EXPECT_EQ(graph->name, "model");
}

TEST_F(ReadModel, NibbleByContent) {
  auto graph = parse_tflite(tflite_int8_net(), "net.tflite");
  ASSERT_TRUE(graph.ok());
  auto path = folder_->path() / "net.dat";
  ASSERT_TRUE(write_nibble(*graph, path).ok());
  auto again = read_model(path);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->nodes.size(), graph->nodes.size());
}

TEST_F(ReadModel, TorchIsToldHowToExport) {
  EXPECT_THAT(error_of(file("m.pt", "PK\x03\x04 archive/data.pkl")),
              AllOf(HasSubstr("m.pt: looks like a zip archive"), HasSubstr("torch.onnx.export")));
  EXPECT_THAT(error_of(file("m.pth", "\x80\x02}q")), HasSubstr("torch.onnx.export"));
}

TEST_F(ReadModel, KerasIsToldHowToConvert) {
  EXPECT_THAT(error_of(file("m.h5", "\x89HDF\r\n\x1a\n....")),
              AllOf(HasSubstr("HDF5"), HasSubstr("from_keras_model")));
  EXPECT_THAT(error_of(file("m.keras", "PK\x03\x04 config.json")), HasSubstr("from_keras_model"));
}

TEST_F(ReadModel, TensorflowGraphs) {
  EXPECT_THAT(error_of(file("saved_model.pb", "\x08\x01\x12")), HasSubstr("from_saved_model"));
  EXPECT_THAT(error_of(folder_->path()), HasSubstr("SavedModel folder"));
  EXPECT_THAT(error_of(file("frozen.pb", "\x0a\x05node1")), HasSubstr("frozen TensorFlow graph"));
}

TEST_F(ReadModel, DownloadsThatAreNotTheFile) {
  EXPECT_THAT(error_of(file("m.tflite", "version https://git-lfs.github.com/spec/v1\n")),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(error_of(file("m.onnx", "<!DOCTYPE html>")), HasSubstr("HTML page"));
  EXPECT_THAT(error_of(file("m.onnx", "")), HasSubstr("the file is empty"));
}

TEST_F(ReadModel, DataInPlaceOfAModel) {
  EXPECT_THAT(error_of(file("x.npz", "PK\x03\x04 x.npy")), HasSubstr("give it as DATA"));
  EXPECT_THAT(error_of(file("x.npy", "\x93NUMPY")), HasSubstr("data, not a model"));
}

TEST_F(ReadModel, CutShortTfliteKeepsItsReader) {
  EXPECT_THAT(error_of(file("m.tflite", "abc")), HasSubstr("not a TensorFlow Lite model"));
}

TEST_F(ReadModel, MissingAndFolder) {
  EXPECT_THAT(error_of(folder_->path() / "none.onnx"), HasSubstr("none.onnx"));
  EXPECT_THAT(error_of(folder_->path()), HasSubstr("is a folder"));
}

TEST_F(ReadModel, EveryRealModelFindsItsReader) {
  NIBBLE_NEED_SHARED("data/models");
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(shared_path("data/models"))) {
    if (!entry.is_regular_file()) continue;
    auto graph = read_model(entry.path());
    if (!graph.ok()) {
      EXPECT_THAT(graph.error().message, ::testing::Not(HasSubstr("looks like"))) << entry.path();
    }
  }
}

}  // namespace
}  // namespace nibble
