// Data sets against a model's input: layouts, element types, labels, folders of images and
// recordings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>

#include "base/file.h"
#include "formats/formats.h"
#include "ops/ops.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DatasetTest : public testing::Test {
 protected:
  DatasetTest() : temp_(TempDir::create()) {}

  // A model of one input; perm: where the passes moved a transpose out.
  static Graph model(Shape shape, DType dtype = DType::kF32, std::optional<QuantParams> quant = {},
                     std::vector<int64_t> perm = {}) {
    Graph graph;
    append_input(graph, "x", TensorType{std::move(shape), dtype, std::move(quant)});
    graph.inputs[0].source_perm = std::move(perm);
    return graph;
  }
  static Graph with_output(Graph graph, Shape shape) {
    graph.values.push_back({"y", TensorType{std::move(shape), DType::kF32, std::nullopt}, {}});
    graph.outputs = {{static_cast<ValueId>(graph.values.size() - 1), {}}};
    return graph;
  }
  static Tensor leading_targets(const Dataset& data, int64_t count) {
    return Tensor::of_floats({count}, data.targets.data<float>().first(static_cast<size_t>(count)));
  }
  fs::path file(const std::string& name) const { return temp_->path() / name; }
  fs::path save(const Tensor& x) {
    EXPECT_TRUE(write_npy(file("x.npy"), x).ok());
    return file("x.npy");
  }
  static Tensor counting(Shape shape) {
    Tensor tensor(TensorType{std::move(shape), DType::kF32, std::nullopt});
    float next = 0;
    for (float& elem : tensor.mutable_data<float>()) elem = next++;
    return tensor;
  }
  static std::string error_of(const Result<Dataset>& data) {
    return data.ok() ? "" : data.error().message;
  }
  static std::vector<float> reals(const Tensor& tensor) {
    auto data = tensor.data<float>();
    return {data.begin(), data.end()};
  }

  Result<TempDir> temp_;
};

const QuantParams kQuant{{0.5f}, {-3}, -1, 8, -128, 127};

TEST_F(DatasetTest, LayoutOfTheFileOrOfTheGraph) {
  // The file takes 2x1x3 (channels first), the graph 1x3x2.
  Graph graph = model({1, 1, 3, 2}, DType::kF32, {}, {0, 2, 3, 1});
  auto from_file = read_dataset(save(counting({1, 2, 1, 3})), graph);
  ASSERT_TRUE(from_file.ok()) << from_file.error().message;
  EXPECT_THAT(reals(dataset_sample(*from_file, 0, graph)), ElementsAre(0, 3, 1, 4, 2, 5));
  auto from_graph = read_dataset(save(counting({1, 1, 3, 2})), graph);
  ASSERT_TRUE(from_graph.ok()) << from_graph.error().message;
  EXPECT_THAT(reals(dataset_sample(*from_graph, 0, graph)), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(error_of(read_dataset(save(counting({1, 6})), graph)),
              HasSubstr("order of the values cannot be told"));
}

TEST_F(DatasetTest, AnyGroupingOfTheSameElements) {
  Graph graph = model({1, 4, 3, 1});
  for (const Shape& shape : {Shape{2, 12}, {2, 4, 3}, {2, 4, 3, 1}, {2, 1, 4, 3, 1}, {2, 2, 2, 3}})
    EXPECT_EQ(error_of(read_dataset(save(counting(shape)), graph)), "") << format_shape(shape);
  EXPECT_THAT(error_of(read_dataset(save(counting({2, 3, 4})), graph)),
              HasSubstr("cannot be told"));
  EXPECT_THAT(error_of(read_dataset(save(counting({2, 6, 2})), graph)),
              HasSubstr("cannot be told"));
  EXPECT_THAT(
      error_of(read_dataset(save(counting({2, 7})), graph)),
      AllOf(HasSubstr("x.npy"), HasSubstr("7 (7 values)"), HasSubstr("1x4x3x1 (12 values)")));
}

TEST_F(DatasetTest, IntegersOfTheOwnTypeAreQuantizedAlready) {
  Graph graph = model({1, 2}, DType::kS8, kQuant);
  std::vector<int8_t> bytes = {-128, 127};
  auto own = read_dataset(save(Tensor::of<int8_t>({1, 2}, DType::kS8, bytes)), graph);
  ASSERT_TRUE(own.ok());
  Tensor sample = dataset_sample(*own, 0, graph);
  EXPECT_EQ(sample.integer_at(0), -128);
  EXPECT_EQ(sample.integer_at(1), 127);
  // Other integers are real numbers: 2 / 0.5 - 3 = 1; 200 is clipped.
  std::vector<uint8_t> raw = {2, 200};
  auto other = read_dataset(save(Tensor::of<uint8_t>({1, 2}, DType::kU8, raw)), graph);
  sample = dataset_sample(*other, 0, graph);
  EXPECT_EQ(sample.integer_at(0), 1);
  EXPECT_EQ(sample.integer_at(1), 127);
  // With a scale, the own type is raw data too: (-128 + 130) * 0.5 = 1 → -1
  DataOptions options;
  options.input_scale = 0.5;
  options.input_mean = 65;
  options.input_scale_given = true;
  auto scaled = read_dataset(save(Tensor::of<int8_t>({1, 2}, DType::kS8, bytes)), graph, options);
  EXPECT_THAT(reals(scaled->samples), ElementsAre(1, 128.5f));
  EXPECT_EQ(dataset_sample(*scaled, 0, graph).integer_at(0), -1);
}

TEST_F(DatasetTest, UnsignedDataOfAnUnsignedModelAreQuantizedAlready) {
  Graph graph = model({1, 2}, DType::kS8, kQuant);
  graph.inputs[0].source_u8 = true;
  std::vector<uint8_t> bytes = {0, 255};
  auto own = read_dataset(save(Tensor::of<uint8_t>({1, 2}, DType::kU8, bytes)), graph);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ(dataset_sample(*own, 0, graph).integer_at(0), -128);
  EXPECT_EQ(dataset_sample(*own, 0, graph).integer_at(1), 127);
}

TEST_F(DatasetTest, NarrowAndUnquantizedIntegers) {
  Graph narrow = model({1, 2}, DType::kS4, QuantParams{{1}, {0}, -1, 4, -8, 7});
  std::vector<int8_t> bytes = {-8, 9};
  EXPECT_THAT(error_of(read_dataset(save(Tensor::of<int8_t>({1, 2}, DType::kS8, bytes)), narrow)),
              AllOf(HasSubstr("sample 0 holds 9"), HasSubstr("from -8 to 7")));
  Graph indices = model({1, 1}, DType::kU8);
  std::vector<float> halves = {1, 0.5f};
  EXPECT_THAT(error_of(read_dataset(save(Tensor::of_floats({2, 1}, halves)), indices)),
              HasSubstr("sample 1 holds 0.5"));
}

TEST_F(DatasetTest, EveryValueIsFinite) {
  Graph graph = model({1, 2});
  std::vector<float> elems = {0, 1, 2, NAN, INFINITY, 0};
  EXPECT_THAT(error_of(read_dataset(save(Tensor::of_floats({3, 2}, elems)), graph)),
              HasSubstr("sample 1 holds NaN"));
  elems[3] = 0;
  EXPECT_THAT(error_of(read_dataset(save(Tensor::of_floats({3, 2}, elems)), graph)),
              HasSubstr("sample 2 holds an infinity"));
}

TEST_F(DatasetTest, Labels) {
  Graph graph = with_output(model({1, 1}), {1, 2});
  auto labelled = [&](Tensor y) {
    EXPECT_TRUE(write_npz(file("a.npz"), {{"x", counting({3, 1})}, {"y", std::move(y)}}).ok());
    return read_dataset(file("a.npz"), graph);
  };
  std::vector<float> whole = {0, 2, 1}, broken = {0, 0.5f, 1}, negative = {0, 1, -1};
  std::vector<uint8_t> bytes = {3, 2, 255};
  EXPECT_THAT(labelled(Tensor::of_floats({3, 1}, whole))->labels, ElementsAre(0, 2, 1));
  EXPECT_THAT(labelled(Tensor::of<uint8_t>({3}, DType::kU8, bytes))->labels,
              ElementsAre(3, 2, 255));
  EXPECT_THAT(labelled(Tensor::of_floats({3}, broken))->not_scored, HasSubstr("are fractions"));
  EXPECT_THAT(error_of(labelled(Tensor::of_floats({3}, negative))), HasSubstr("label -1"));
  EXPECT_THAT(error_of(labelled(counting({2}))), HasSubstr("2 labels for 3 samples"));
  EXPECT_THAT(labelled(counting({3, 4}))->not_scored,
              HasSubstr("labels of 4 per sample are neither class indices nor of the output's "
                        "shape 1x2"));
  ASSERT_TRUE(write_npy(file("y.npy"), Tensor::of_floats({3}, whole)).ok());
  DataOptions options;
  options.labels = file("y.npy");
  options.max_samples = 2;
  auto data = read_dataset(save(counting({3, 1})), graph, options);
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_EQ(data->size(), 2);
  EXPECT_THAT(data->labels, ElementsAre(0, 2));
}

TEST_F(DatasetTest, LabelsOfTheOutputsShapeAreTargets) {
  auto labelled = [&](const Graph& graph, Tensor y, int64_t max_samples = 0) {
    EXPECT_TRUE(write_npz(file("a.npz"), {{"x", counting({3, 1})}, {"y", std::move(y)}}).ok());
    DataOptions options;
    options.max_samples = max_samples;
    return read_dataset(file("a.npz"), graph, options);
  };
  Graph two = with_output(model({1, 1}), {1, 2});
  auto data = labelled(two, counting({3, 2}), 2);
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_TRUE(data->labels.empty());
  ASSERT_TRUE(data->has_targets());
  EXPECT_THAT(data->targets.shape(), ElementsAre(2, 2));
  EXPECT_THAT(reals(data->targets), ElementsAre(0, 1, 2, 3));
  // Each a one among zeros: the classes that they stand for.
  std::vector<float> one_hot = {0, 1, 1, 0, 0, 1}, broken = {0, 1, 1, NAN, 0, 1};
  EXPECT_THAT(labelled(two, Tensor::of_floats({3, 2}, one_hot))->labels, ElementsAre(1, 0, 1));
  EXPECT_THAT(error_of(labelled(two, Tensor::of_floats({3, 2}, broken))),
              HasSubstr("sample 1 has the label nan"));
  // One element: real numbers are targets, classes of a binary decision stay classes.
  Graph one = with_output(model({1, 1}), {1, 1});
  EXPECT_THAT(reals(labelled(one, counting({3, 1}))->targets), ElementsAre(0, 1, 2));
  std::vector<float> binary = {0, 1, 1};
  EXPECT_THAT(labelled(one, Tensor::of_floats({3}, binary))->labels, ElementsAre(0, 1, 1));
  // From the file's layout (channels first) to the graph's.
  Graph image = with_output(model({1, 1}), {1, 1, 3, 2});
  image.outputs[0].source_perm = {0, 2, 3, 1};
  EXPECT_THAT(reals(leading_targets(*labelled(image, counting({3, 2, 1, 3})), 6)),
              ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST_F(DatasetTest, RealLabelsAreToldFromClassesInAnyOrder) {
  Graph graph = with_output(model({1, 2}), {1, 1});
  auto of_labels = [&](const std::string& first, const std::string& second) {
    std::filesystem::path path = temp_->path() / "l.csv";
    std::string text = "a,b,y\n1,2," + first + "\n3,4," + second + "\n";
    EXPECT_TRUE(write_text_file(path, text).ok());
    return read_dataset(path, graph);
  };
  for (auto [first, second] : {std::pair("-1", "0"), {"0", "-1"}})
    EXPECT_THAT(error_of(of_labels(first, second)),
                AllOf(HasSubstr("has the label -1"), HasSubstr("-1.0 in a CSV")));
  EXPECT_TRUE(of_labels("-1", "0.0")->has_targets());
  graph = with_output(model({1, 2}), {1, 3});
  EXPECT_THAT(error_of(of_labels("-1", "0")), Not(HasSubstr("CSV")));
  for (auto [first, second] : {std::pair("-1.0", "0.5"), {"0.5", "-1.0"}})
    EXPECT_THAT(of_labels(first, second)->not_scored, HasSubstr("some are fractions"));
}

TEST_F(DatasetTest, RawDataForAnotherRangeAreNoted) {
  std::filesystem::path path = temp_->path() / "raw.npy";
  Tensor bytes(TensorType{{10, 2}, DType::kU8, std::nullopt});
  for (int64_t i = 0; i < bytes.size(); ++i) bytes.set_integer_at(i, 100 + i);
  EXPECT_TRUE(write_npy(path, bytes).ok());
  QuantParams unit;
  unit.scale = {1 / 256.0f};
  unit.zero_point = {-128};
  unit.q_min = -128;
  unit.q_max = 127;
  auto note_of = [&](const Graph& graph, const DataOptions& options = {}) {
    auto data = read_dataset(path, graph, options);
    return data.ok() ? data->note : data.error().message;
  };
  Graph integer = model({1, 2}, DType::kS8, unit), real = model({1, 2});
  EXPECT_THAT(note_of(integer), AllOf(HasSubstr("raw.npy: 100 % of the values are beyond"),
                                      HasSubstr("(0 to 0.9961)"), HasSubstr("--input-scale")));
  EXPECT_THAT(note_of(real),
              AllOf(HasSubstr("integers (u8, 100 to 119)"), HasSubstr("--input-scale 1")));
  DataOptions scaled;
  scaled.input_scale = 1 / 255.0;
  scaled.input_scale_given = true;
  EXPECT_EQ(note_of(integer, scaled), "");
  EXPECT_EQ(note_of(real, scaled), "");
  // Two outliers of twenty are many, one is not; real numbers for a real input are what they are.
  Tensor numbers = Tensor::of_floats({10, 2}, std::vector<float>(20, 0.5f));
  numbers.mutable_data<float>()[3] = -7;
  EXPECT_TRUE(write_npy(path, numbers).ok());
  EXPECT_EQ(note_of(integer), "");
  EXPECT_EQ(note_of(real), "");
  numbers.mutable_data<float>()[5] = 7;
  EXPECT_TRUE(write_npy(path, numbers).ok());
  EXPECT_THAT(note_of(integer), HasSubstr("10 % of the values"));
}

TEST_F(DatasetTest, FilesThatAreNoData) {
  Graph graph = model({1, 2});
  EXPECT_THAT(error_of(read_dataset(save(counting({0, 2})), graph)), HasSubstr("holds no samples"));
  EXPECT_THAT(error_of(read_dataset(save(counting({})), graph)), HasSubstr("leading axis"));
  EXPECT_THAT(error_of(read_dataset(file("none.npy"), graph)), HasSubstr("none.npy"));
  ASSERT_TRUE(write_text_file(file("empty"), "").ok());
  EXPECT_THAT(error_of(read_dataset(file("empty"), graph)), HasSubstr("file is empty"));
  ASSERT_TRUE(write_text_file(file("odd"), std::string("\0\1\2", 3)).ok());
  EXPECT_THAT(error_of(read_dataset(file("odd"), graph)), HasSubstr("not a data file"));
  ASSERT_TRUE(write_npz(file("b.npz"), {{"a", counting({1})}, {"b", counting({1})}}).ok());
  EXPECT_THAT(error_of(read_dataset(file("b.npz"), graph)), HasSubstr("holds the arrays 'a', 'b'"));
  Graph two = model({1, 2});
  append_input(two, "z", TensorType{{1}, DType::kF32, {}});
  EXPECT_THAT(error_of(read_dataset(file("b.npz"), two)), HasSubstr("2 inputs"));
}

TEST_F(DatasetTest, CsvFitsLikeAnyOther) {
  ASSERT_TRUE(write_text_file(file("a.csv"), "p,q,label\n1,2,1\n3,4,0\n").ok());
  auto data = read_dataset(file("a.csv"), model({1, 2, 1, 1}));
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_EQ(data->samples.shape(), (Shape{2, 2, 1, 1}));
  EXPECT_THAT(data->labels, ElementsAre(1, 0));
}

// --- Folders

// An uncompressed 24-bit BMP of 2 x 1 pixels: red, then (10, 20, 30).
std::string bitmap() {
  std::string bmp("BM\x3e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\2\0\0\0\1\0\0\0\1\0\x18\0", 30);
  bmp += std::string(24, '\0');
  bmp += std::string("\0\0\xff\x1e\x14\x0a\0\0", 8);
  return bmp;
}

TEST_F(DatasetTest, ImagesByClass) {
  fs::create_directories(file("set/cat"));
  fs::create_directories(file("set/ant"));
  ASSERT_TRUE(write_text_file(file("set/cat/1.bmp"), bitmap()).ok());
  ASSERT_TRUE(write_text_file(file("set/ant/1.BMP"), bitmap()).ok());
  ASSERT_TRUE(write_text_file(file("set/ant/.hidden"), "x").ok());
  Graph graph = model({1, 1, 2, 3});
  auto data = read_dataset(file("set"), graph);
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_THAT(data->class_names, ElementsAre("ant", "cat"));
  EXPECT_THAT(data->labels, ElementsAre(0, 1));
  EXPECT_THAT(reals(dataset_sample(*data, 1, graph)), ElementsAre(255, 0, 0, 10, 20, 30));
  // A model as imported from ONNX takes channels first.
  Graph first = model({1, 3, 1, 2});
  EXPECT_THAT(reals(dataset_sample(*read_dataset(file("set"), first), 0, first)),
              ElementsAre(255, 10, 0, 20, 0, 30));
  // Grey where the model has one channel; a scale maps pixels to reals.
  DataOptions options;
  options.input_scale = 1.0 / 255;
  auto grey = read_dataset(file("set"), model({1, 1, 2, 1}), options);
  ASSERT_TRUE(grey.ok()) << grey.error().message;
  EXPECT_NEAR(reals(grey->samples)[0], 0.299, 0.01);

  EXPECT_THAT(
      error_of(read_dataset(file("set"), model({1, 2, 2, 3}))),
      AllOf(HasSubstr("1.BMP"), HasSubstr("1 pixels high and 2 wide"), HasSubstr("2 by 2")));
  ASSERT_TRUE(write_text_file(file("set/cat/2.png"), "no image").ok());
  EXPECT_THAT(error_of(read_dataset(file("set"), graph)),
              AllOf(HasSubstr("2.png"), HasSubstr("cannot be read")));
  fs::rename(file("set/cat/2.png"), file("set/cat/2.txt"));
  EXPECT_THAT(error_of(read_dataset(file("set"), graph)),
              HasSubstr("neither PNG, JPEG, BMP nor WAV"));
}

TEST_F(DatasetTest, NumberedFoldersKeepTheirNumbers) {
  for (const char* name : {"n/10", "n/2"}) {
    fs::create_directories(file(name));
    ASSERT_TRUE(write_text_file(file(name) / "a.bmp", bitmap()).ok());
  }
  auto data = read_dataset(file("n"), model({1, 6}));
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_THAT(data->labels, ElementsAre(10, 2));
  EXPECT_EQ(data->class_names[10], "10");
}

TEST_F(DatasetTest, FoldersWithoutClassesOrSamples) {
  fs::create_directories(file("bare"));
  EXPECT_THAT(error_of(read_dataset(file("bare"), model({1, 6}))), HasSubstr("no subfolders"));
  fs::create_directories(file("bare/a"));
  EXPECT_THAT(error_of(read_dataset(file("bare"), model({1, 6}))), HasSubstr("hold no samples"));
}

void write_wav(const fs::path& path, int channels, const std::vector<float>& samples) {
  SF_INFO info{};
  info.samplerate = 16000;
  info.channels = channels;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  SNDFILE* wav = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(wav, nullptr);
  sf_write_float(wav, samples.data(), static_cast<sf_count_t>(samples.size()));
  sf_close(wav);
}

TEST_F(DatasetTest, RecordingsByClass) {
  fs::create_directories(file("words/yes"));
  write_wav(file("words/yes/a.wav"), 1, {0.5f, -0.25f});
  auto data = read_dataset(file("words"), model({1, 2}));
  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_THAT(reals(data->samples), ElementsAre(0.5f, -0.25f));
  EXPECT_THAT(error_of(read_dataset(file("words"), model({1, 3}))),
              AllOf(HasSubstr("a.wav"), HasSubstr("holds 2 samples"), HasSubstr("takes 3")));
  EXPECT_THAT(error_of(read_dataset(file("words"), model({1, 1}))), HasSubstr("holds 2 samples"));
  write_wav(file("words/yes/a.wav"), 2, {0.5f, -0.25f});
  EXPECT_THAT(error_of(read_dataset(file("words"), model({1, 2}))), HasSubstr("2 channels"));
  ASSERT_TRUE(write_text_file(file("words/yes/a.wav"), "RIFF").ok());
  EXPECT_THAT(error_of(read_dataset(file("words"), model({1, 2}))),
              HasSubstr("cannot be read as a WAV file"));
}

}  // namespace
}  // namespace nibble
