// The data files by themselves: npy, npz and CSV, good ones and bad ones. Bytes of good files are
// written out by hand after the formats' specifications.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "formats/data/npy.h"
#include "formats/data/sources.h"
#include "formats/data/zip.h"
#include "formats/formats.h"

namespace nibble {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<uint8_t> npy(const std::string& dictionary, const std::vector<uint8_t>& data) {
  std::vector<uint8_t> out = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  std::string text = dictionary + "\n";
  out.push_back(static_cast<uint8_t>(text.size() & 255));
  out.push_back(static_cast<uint8_t>(text.size() >> 8));
  out.insert(out.end(), text.begin(), text.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

std::string header(const std::string& type, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + type + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

std::vector<double> elements(const Tensor& tensor) {
  std::vector<double> values;
  for (int64_t i = 0; i < tensor.size(); ++i)
    values.push_back(tensor.dtype() == DType::kF32
                         ? static_cast<double>(tensor.data<float>()[static_cast<size_t>(i)])
                         : static_cast<double>(tensor.integer_at(i)));
  return values;
}

std::string npy_error(const std::string& dictionary, const std::vector<uint8_t>& data) {
  auto tensor = parse_npy(npy(dictionary, data), "a.npy");
  return tensor.ok() ? "" : tensor.error().message;
}

TEST(Npy, ElementTypes) {
  struct Case {
    const char* type;
    std::vector<uint8_t> data;
    DType dtype;
    double value;
  };
  for (const Case& c :
       std::vector<Case>{{"<f4", {0, 0, 0xc0, 0x3f}, DType::kF32, 1.5},
                         {">f4", {0x3f, 0xc0, 0, 0}, DType::kF32, 1.5},
                         {"<f2", {0x00, 0xbe}, DType::kF32, -1.5},
                         {"<f2", {0x01, 0x00}, DType::kF32, 0x1p-24},
                         {"<f8", {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, DType::kF32, 1.5},
                         {"|i1", {0xff}, DType::kS8, -1},
                         {"|u1", {0xff}, DType::kU8, 255},
                         {"<i2", {0xfe, 0xff}, DType::kS16, -2},
                         {"<u2", {0xfe, 0xff}, DType::kS32, 65534},
                         {"<u4", {0xff, 0xff, 0xff, 0xff}, DType::kS64, 4294967295.0},
                         {">i8", {0, 0, 0, 0, 0, 0, 1, 0}, DType::kS64, 256},
                         {"|b1", {2}, DType::kBool, 1}}) {
    auto tensor = parse_npy(npy(header(c.type, "(1,)"), c.data), "a.npy");
    ASSERT_TRUE(tensor.ok()) << c.type << tensor.error().message;
    EXPECT_EQ(tensor->dtype(), c.dtype) << c.type;
    EXPECT_THAT(elements(*tensor), ElementsAre(c.value)) << c.type;
  }
}

TEST(Npy, FortranOrderIsTransposed) {
  auto tensor = parse_npy(npy(header("|u1", "(2, 3)", true), {1, 4, 2, 5, 3, 6}), "a.npy");
  ASSERT_TRUE(tensor.ok());
  EXPECT_THAT(elements(*tensor), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npy, Errors) {
  EXPECT_THAT(parse_npy({}, "a.npy").error().message, HasSubstr("a.npy"));
  EXPECT_THAT(npy_error(header("<f4", "(3,)"), {0, 0, 0, 0}),
              HasSubstr("needs more elements than the 1"));
  EXPECT_THAT(npy_error(header("<f4", "(4611686018427387904, 4)"), {0, 0, 0, 0}),
              HasSubstr("more elements"));
  EXPECT_THAT(npy_error(header("<f4", "()"), {0}),
              HasSubstr("scalar needs more elements than the 0"));
  EXPECT_THAT(npy_error(header("<f4", "(-1,)"), {}), HasSubstr("not a list of extents"));
  EXPECT_THAT(npy_error(header("<c8", "(1,)"), {}), HasSubstr("'<c8' is not read"));
  EXPECT_THAT(npy_error(header("|O", "(1,)"), {}), HasSubstr("'|O' is not read"));
  EXPECT_THAT(npy_error("{'descr': [('a', '<f4')], 'shape': (1,)}", {}), HasSubstr("structured"));
  EXPECT_THAT(npy_error("{'descr': '<f4'}", {}), HasSubstr("shape is missing"));
  EXPECT_THAT(npy_error(header("<u8", "(1,)"), std::vector<uint8_t>(8, 255)),
              HasSubstr("larger than"));
}

TEST(Npz, WrittenArraysComeBack) {
  auto temp = TempDir::create();
  ASSERT_TRUE(temp.ok());
  std::vector<float> zeros(10000), odd = {1, -2.5f, 1e30f};
  std::vector<int8_t> bytes = {-128, 0, 127};
  std::vector<NamedTensor> arrays = {{"x", Tensor::of_floats({100, 100}, zeros)},
                                     {"odd", Tensor::of_floats({3, 1}, odd)},
                                     {"y", Tensor::of<int8_t>({3}, DType::kS8, bytes)},
                                     {"one", Tensor::of_floats({}, std::span(odd).first(1))}};
  ASSERT_TRUE(write_npz(temp->path() / "a.npz", arrays).ok());
  EXPECT_LT(std::filesystem::file_size(temp->path() / "a.npz"), 2000U);  // zeros are deflated
  auto back = read_npz(temp->path() / "a.npz");
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_EQ(back->size(), arrays.size());
  for (size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ((*back)[i].name, arrays[i].name);
    EXPECT_EQ((*back)[i].tensor, arrays[i].tensor);
  }
  ASSERT_TRUE(write_npy(temp->path() / "a.npy", arrays[1].tensor).ok());
  EXPECT_EQ(*read_npy(temp->path() / "a.npy"), arrays[1].tensor);
}

TEST(Npz, OtherToolsReadIt) {
  if (std::system("unzip -v >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "left out: unzip is not installed";
  auto temp = TempDir::create();
  std::vector<float> zeros(1000);
  ASSERT_TRUE(write_npz(temp->path() / "a.npz", {{"x", Tensor::of_floats({1000}, zeros)}}).ok());
  EXPECT_EQ(std::system(("unzip -tq " + (temp->path() / "a.npz").string() + " >/dev/null").c_str()),
            0);
}

TEST(Npz, LyingArchives) {
  std::vector<uint8_t> payload(500, 7);
  auto good = zip({{"x.npy", payload}, {"y.npy", {1, 2, 3}}});
  ASSERT_TRUE(good.ok());
  ASSERT_TRUE(unzip(*good, "a.npz").ok());
  auto changed = [&](size_t offset, uint8_t value) {
    auto bytes = *good;
    bytes[offset] = value;
    auto entries = unzip(bytes, "a.npz");
    return entries.ok() ? "" : entries.error().message;
  };
  size_t directory = 0;
  for (size_t i = 0; i + 4 < good->size() && directory == 0; ++i)
    if ((*good)[i] == 'P' && (*good)[i + 1] == 'K' && (*good)[i + 2] == 1) directory = i;
  EXPECT_THAT(changed(directory + 27, 0x7f), HasSubstr("more than the archive can hold"));
  EXPECT_THAT(changed(directory + 24, 1), HasSubstr("does not unpack"));
  EXPECT_THAT(changed(directory + 16, 1), HasSubstr("wrong checksum"));
  EXPECT_THAT(changed(directory + 10, 9), HasSubstr("packed by method 9"));
  EXPECT_THAT(changed(directory + 8, 1), HasSubstr("encrypted"));
  EXPECT_THAT(changed(directory + 45, 0x70), HasSubstr("has no header"));
  EXPECT_THAT(changed(directory + 23, 0x70), HasSubstr("cut off"));
  EXPECT_THAT(changed(directory, 0), HasSubstr("entry 0 of its directory"));
}

TEST(Npz, HostileBytesNeverCrash) {
  std::vector<uint8_t> payload = npy(header("<f4", "(2, 25)"), std::vector<uint8_t>(200, 3));
  auto good = zip({{"x.npy", payload}, {"y.npy", payload}});
  ASSERT_TRUE(good.ok());
  ASSERT_TRUE(parse_npz(*good, "a.npz").ok());
  for (size_t length = 0; length < good->size(); ++length)
    EXPECT_FALSE(parse_npz(std::span(*good).first(length), "a.npz").ok());
  Rng rng(3);
  for (int round = 0; round < 20000; ++round) {
    auto bytes = *good;
    for (int64_t flips = rng.integer(1, 3); flips > 0; --flips)
      bytes[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bytes.size()) - 1))] ^=
          static_cast<uint8_t>(1 << rng.integer(0, 7));
    [[maybe_unused]] auto archive = parse_npz(bytes, "a.npz");
    auto array = payload;
    array[static_cast<size_t>(rng.integer(6, static_cast<int64_t>(array.size()) - 1))] ^=
        static_cast<uint8_t>(1 << rng.integer(0, 7));
    [[maybe_unused]] auto tensor = parse_npy(array, "a.npy");
  }
}

TEST(Csv, HeaderLabelsAndSeparators) {
  auto plain = parse_csv("1,2\n3,4\n\n", "a.csv", 0);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->samples.shape(), (Shape{2, 2}));
  EXPECT_FALSE(plain->labels);
  auto labelled = parse_csv("\"a\";b;Label\r\n1;+2.5;7\r\n3;-4e1;8\r\n", "a.csv", 1);
  ASSERT_TRUE(labelled.ok()) << labelled.error().message;
  EXPECT_THAT(elements(labelled->samples), ElementsAre(1, 2.5));
  EXPECT_THAT(elements(*labelled->labels), ElementsAre(7));
  // A label with a point is a real number.
  EXPECT_EQ(parse_csv("a,y\n3,1\n", "a.csv", 0)->labels->dtype(), DType::kS64);
  EXPECT_EQ(parse_csv("a,y\n3,1.0\n", "a.csv", 0)->labels->dtype(), DType::kF32);
}

TEST(Csv, Errors) {
  auto error = [](const char* text) { return parse_csv(text, "a.csv", 0).error().message; };
  EXPECT_THAT(error("1,2\n3\n"), HasSubstr("a.csv, line 2: has 1 columns, the first line has 2"));
  EXPECT_THAT(error("1,2\n3,x\n"), HasSubstr("line 2, column 2: 'x' is not a number"));
  EXPECT_THAT(error("a,b\n"), HasSubstr("holds no samples"));
}

}  // namespace
}  // namespace nibble
