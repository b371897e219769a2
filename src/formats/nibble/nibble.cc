// Writer and reader of .nibble files, the form in which every stage before lower/ can be kept and
// resumed.
#include "formats/nibble/nibble.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "ops/ops.h"

namespace nibble {
namespace {

constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 32;
constexpr size_t kCheckedFrom = 16;  // the CRC covers the file from here on

void put(std::vector<uint8_t>& bytes, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

uint64_t get(std::span<const uint8_t> bytes, size_t offset, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i)
    value |= uint64_t{bytes[offset + static_cast<size_t>(i)]} << (8 * i);
  return value;
}

uint32_t crc_of(std::span<const uint8_t> bytes) {
  // zlib takes at most 4 GB at once; read_file has the same limit.
  return static_cast<uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
}

}  // namespace

bool is_nibble(std::span<const uint8_t> bytes) {
  return bytes.size() >= kNibbleMagic.size() &&
         std::equal(kNibbleMagic.begin(), kNibbleMagic.end(), bytes.begin());
}

std::vector<uint8_t> nibble_bytes(const Graph& graph) {
  std::vector<uint8_t> blob;
  std::string text = print_graph(graph, {PrintOptions::Constants::kBlob}, &blob);
  std::vector<uint8_t> bytes(kNibbleMagic.begin(), kNibbleMagic.end());
  bytes.reserve(kHeaderBytes + text.size() + blob.size());
  put(bytes, kVersion, 4);
  put(bytes, 0, 4);
  put(bytes, text.size(), 8);
  put(bytes, blob.size(), 8);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), blob.begin(), blob.end());
  uint32_t crc = crc_of(std::span<const uint8_t>(bytes).subspan(kCheckedFrom));
  for (size_t i = 0; i < 4; ++i) bytes[12 + i] = static_cast<uint8_t>(crc >> (8 * i));
  return bytes;
}

Status write_nibble(const Graph& graph, const std::filesystem::path& path) {
  return write_file(path, nibble_bytes(graph));
}

Result<Graph> parse_nibble(std::span<const uint8_t> bytes, const std::string& name) {
  if (!is_nibble(bytes))
    return input_error(fmt::format(
        "{} is not a .nibble file: it does not start with the magic bytes; write one with 'nibble "
        "convert MODEL -o OUT.nibble'",
        name));
  auto damaged = [&](const std::string& what) {
    return input_error(fmt::format(
        "{}: damaged .nibble file: {}; copy it again or make it anew with 'nibble convert'", name,
        what));
  };
  if (bytes.size() < kHeaderBytes)
    return damaged(
        fmt::format("{} bytes are too few for the header of {}", bytes.size(), kHeaderBytes));
  if (uint64_t version = get(bytes, 8, 4); version != kVersion)
    return input_error(fmt::format(
        "{}: .nibble version {} is not known, this program reads version {}; make the file anew "
        "with this program",
        name, version, kVersion));
  const uint64_t text_bytes = get(bytes, 16, 8), blob_bytes = get(bytes, 24, 8);
  const uint64_t rest = bytes.size() - kHeaderBytes;
  if (text_bytes > rest || blob_bytes != rest - text_bytes)
    return damaged(fmt::format("the header speaks of {} + {} bytes, the file has {} after it",
                               text_bytes, blob_bytes, rest));
  if (crc_of(bytes.subspan(kCheckedFrom)) != static_cast<uint32_t>(get(bytes, 12, 4)))
    return damaged("the checksum does not fit the content");

  auto text = bytes.subspan(kHeaderBytes, static_cast<size_t>(text_bytes));
  auto graph = parse_graph({reinterpret_cast<const char*>(text.data()), text.size()},
                           bytes.subspan(kHeaderBytes + static_cast<size_t>(text_bytes)));
  if (!graph.ok())
    return input_error(
        fmt::format("{}: the graph in it cannot be read: {}", name, graph.error().message));
  if (auto status = verify_graph(*graph, VerifyLevel::kImported); !status.ok())
    return input_error(
        fmt::format("{}: the graph in it is not valid: {}", name, status.error().message));
  return graph;
}

Result<Graph> read_nibble(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  return parse_nibble(bytes, path.string());
}

}  // namespace nibble
