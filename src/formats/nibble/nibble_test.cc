// .nibble files: what is written is read back exactly, and no damaged or hostile file gets through.
#include "formats/nibble/nibble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/file.h"
#include "base/rng.h"

namespace nibble {
namespace {

using testing::HasSubstr;

// A dense layer, float, with a bias and a layout from another file.
Graph sample() {
  auto graph = parse_graph(R"(graph "tiny \"1\"" rounding=single
input %x : f32[1,2] source_perm=[1,0]
const %w : f32[3,2] = hex:0000803f000000400000404000008040cdcccc3d9a99993e
const %b : f32[3] = hex:000000000000803f000080bf
node "fc" %y : f32[1,3] = dense(%x, %w, %b) act=[0,6]
output %y
)");
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return *graph;
}

std::string error_of(std::span<const uint8_t> bytes) {
  auto graph = parse_nibble(bytes, "m.nibble");
  return graph.ok() ? "no error" : graph.error().message;
}

// A file with this text and blob and a right checksum, whatever they say.
std::vector<uint8_t> file_of(std::string_view text, std::span<const uint8_t> blob = {}) {
  std::vector<uint8_t> bytes(kNibbleMagic.begin(), kNibbleMagic.end());
  auto put = [&](uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  std::vector<uint8_t> head = bytes;
  bytes.clear();
  put(text.size(), 8);
  put(blob.size(), 8);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), blob.begin(), blob.end());
  auto crc = crc32(0, bytes.data(), static_cast<uInt>(bytes.size()));
  std::vector<uint8_t> content = std::move(bytes);
  bytes = head;
  put(1, 4);
  put(crc, 4);
  bytes.insert(bytes.end(), content.begin(), content.end());
  return bytes;
}

TEST(NibbleFile, RoundTrip) {
  Graph graph = sample();
  auto bytes = nibble_bytes(graph);
  EXPECT_TRUE(is_nibble(bytes));
  auto again = parse_nibble(bytes, "m.nibble");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(print_graph(*again), print_graph(graph));
  EXPECT_EQ(nibble_bytes(*again), bytes);
}

TEST(NibbleFile, ThroughTheDisk) {
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  auto path = dir->path() / "m.nibble";
  ASSERT_TRUE(write_nibble(sample(), path).ok());
  auto again = read_nibble(path);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(print_graph(*again), print_graph(sample()));
  auto missing = read_nibble(dir->path() / "other.nibble");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, HasSubstr("other.nibble"));
}

TEST(NibbleFile, HeaderErrors) {
  auto bytes = nibble_bytes(sample());
  EXPECT_THAT(error_of({}), HasSubstr("m.nibble is not a .nibble file"));
  EXPECT_THAT(error_of(std::span(bytes).first(20)), HasSubstr("20 bytes are too few"));
  EXPECT_THAT(error_of(std::span(bytes).first(bytes.size() - 1)), HasSubstr("the file has"));
  auto newer = bytes;
  newer[8] = 2;
  EXPECT_THAT(error_of(newer), HasSubstr(".nibble version 2 is not known"));
  auto lying = bytes;
  for (size_t i = 16; i < 32; ++i) lying[i] = 0xff;
  EXPECT_THAT(error_of(lying), HasSubstr("the header speaks of 18446744073709551615"));
  auto flipped = bytes;
  flipped.back() ^= 1;
  EXPECT_THAT(error_of(flipped), HasSubstr("checksum"));
}

TEST(NibbleFile, ContentErrors) {
  std::string head = "graph \"g\" rounding=tflite\n";
  EXPECT_THAT(error_of(file_of("nonsense")), HasSubstr("cannot be read: line 1, column 1"));
  EXPECT_THAT(
      error_of(file_of(head + "const %w : f32[2] = blob:18446744073709551608\noutput %w\n")),
      HasSubstr("line 2"));
  EXPECT_THAT(
      error_of(file_of(head + "const %w : f32[2] = blob:4\noutput %w\n", std::vector<uint8_t>(11))),
      HasSubstr("8 bytes at offset 4 are outside the blob of 11 bytes"));
  EXPECT_THAT(error_of(file_of(head + "input %x : f32[1]\n")),
              HasSubstr("not valid: the graph has no output"));
  // Structure is right, but the operator does not fit its operands.
  EXPECT_THAT(error_of(file_of(head + "input %x : f32[1,4]\nnode \"n\" %y : f32[1,5] = tanh(%x)\n"
                                      "output %y\n")),
              HasSubstr("not valid: "));
}

// Every single-byte change is found, by the checksum if by nothing else.
TEST(NibbleFile, EveryDamagedByteIsFound) {
  const auto bytes = nibble_bytes(sample());
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= 0x10;
    EXPECT_NE(error_of(damaged), "no error") << "byte " << i;
  }
  for (size_t i = 0; i < bytes.size(); ++i)
    EXPECT_NE(error_of(std::span(bytes).first(i)), "no error") << "cut to " << i;
}

// A hostile file has a right checksum; whatever its text is, there is no crash.
TEST(NibbleFile, HostileTextWithRightChecksum) {
  std::vector<uint8_t> blob;
  const std::string text = print_graph(sample(), {PrintOptions::Constants::kBlob}, &blob);
  Rng rng(3);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = text;
    for (int64_t edits = rng.integer(1, 3); edits > 0; --edits) {
      auto at = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(text.size()) - 1));
      damaged[at] = "0123456789,[]-%xwby "[static_cast<size_t>(rng.integer(0, 19))];
    }
    auto graph = parse_nibble(file_of(damaged, blob), "m.nibble");
    if (graph.ok()) {
      EXPECT_TRUE(verify_structure(*graph, VerifyLevel::kImported).ok());
    }
  }
}

}  // namespace
}  // namespace nibble
