// Reading and writing of ZIP archives; the container below .npz data sets and outputs.
#include "formats/data/zip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace nibble {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr uint64_t kMaxTotalBytes = uint64_t{4} << 30;
// Deflate codes at most 258 bytes in two bits; what claims more is not deflated data.
constexpr uint64_t kMaxInflation = 1032;
constexpr uint32_t kMax32 = 0xffffffffU;

// Little-endian numbers at an offset; nothing where they would leave the archive.
class Bytes {
 public:
  explicit Bytes(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint64_t size() const { return bytes_.size(); }
  bool holds(uint64_t offset, uint64_t count) const {
    return offset <= size() && count <= size() - offset;
  }
  std::span<const uint8_t> at(uint64_t offset, uint64_t count) const {
    return bytes_.subspan(offset, count);
  }
  // The caller has checked with holds().
  uint64_t number(uint64_t offset, int width) const {
    uint64_t value = 0;
    for (int i = 0; i < width; ++i)
      value |= uint64_t{bytes_[offset + static_cast<uint64_t>(i)]} << (8 * i);
    return value;
  }

 private:
  std::span<const uint8_t> bytes_;
};

struct Directory {
  uint64_t offset = 0, entries = 0;
};

struct Header {
  std::string name;
  uint64_t method = 0, crc = 0, packed_bytes = 0, bytes = 0, local_offset = 0;
  bool encrypted = false;
};

Error broken(const std::string& file, const std::string& what) {
  return input_error(fmt::format(
      "{}: not a readable .npz (ZIP) archive: {}; write the file again, for instance with "
      "numpy.savez",
      file, what));
}

// The end record stands in the last 64 KB (behind it only a comment).
std::optional<uint64_t> find_end(const Bytes& zip) {
  constexpr uint64_t kEndBytes = 22;
  if (zip.size() < kEndBytes) return std::nullopt;
  uint64_t last = zip.size() - kEndBytes;
  uint64_t first = last > 65535 ? last - 65535 : 0;
  for (uint64_t offset = last + 1; offset-- > first;)
    if (zip.number(offset, 4) == kEnd) return offset;
  return std::nullopt;
}

Result<Directory> read_end(const Bytes& zip, const std::string& file) {
  auto end = find_end(zip);
  if (!end) return broken(file, "its directory is missing (the file may be cut off)");
  Directory directory{zip.number(*end + 16, 4), zip.number(*end + 10, 2)};
  if (directory.offset != kMax32 && directory.entries != 0xffff) return directory;
  if (*end < 20 || zip.number(*end - 20, 4) != kEnd64Locator) return directory;
  uint64_t end64 = zip.number(*end - 12, 8);
  if (!zip.holds(end64, 56) || zip.number(end64, 4) != kEnd64)
    return broken(file, "its zip64 directory is missing");
  return Directory{zip.number(end64 + 48, 8), zip.number(end64 + 32, 8)};
}

// The zip64 extra field holds, in this order, those of size, packed size and offset that are all
// ones.
void read_zip64_extra(const Bytes& zip, uint64_t offset, uint64_t end, Header& header) {
  while (offset + 4 <= end) {
    uint64_t id = zip.number(offset, 2), length = zip.number(offset + 2, 2);
    offset += 4;
    if (length > end - offset) return;
    if (id == 1) {
      uint64_t next = offset;
      for (uint64_t* field : {&header.bytes, &header.packed_bytes, &header.local_offset}) {
        if (*field != kMax32) continue;
        if (next + 8 > offset + length) return;
        *field = zip.number(next, 8);
        next += 8;
      }
    }
    offset += length;
  }
}

Result<std::vector<Header>> read_directory(const Bytes& zip, const std::string& file) {
  NIBBLE_ASSIGN(Directory directory, read_end(zip, file));
  std::vector<Header> headers;
  uint64_t offset = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (!zip.holds(offset, 46) || zip.number(offset, 4) != kCentralHeader)
      return broken(file, fmt::format("entry {} of its directory is missing", i));
    Header header;
    header.encrypted = (zip.number(offset + 8, 2) & 1) != 0;
    header.method = zip.number(offset + 10, 2);
    header.crc = zip.number(offset + 16, 4);
    header.packed_bytes = zip.number(offset + 20, 4);
    header.bytes = zip.number(offset + 24, 4);
    header.local_offset = zip.number(offset + 42, 4);
    uint64_t name = zip.number(offset + 28, 2), extra = zip.number(offset + 30, 2);
    uint64_t comment = zip.number(offset + 32, 2);
    if (!zip.holds(offset + 46, name + extra + comment))
      return broken(file, fmt::format("entry {} of its directory is cut off", i));
    auto text = zip.at(offset + 46, name);
    header.name.assign(text.begin(), text.end());
    read_zip64_extra(zip, offset + 46 + name, offset + 46 + name + extra, header);
    headers.push_back(std::move(header));
    offset += 46 + name + extra + comment;
  }
  return headers;
}

// Raw deflate; the output grows as data arrive and never beyond `expected`.
std::optional<std::vector<uint8_t>> inflate_all(std::span<const uint8_t> packed,
                                                uint64_t expected) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return std::nullopt;
  std::vector<uint8_t> out;
  const uint8_t* next = packed.data();
  uint64_t left = packed.size();
  int state = Z_OK;
  while (state == Z_OK) {
    if (stream.avail_in == 0) {
      auto block = static_cast<uInt>(std::min<uint64_t>(left, 1U << 30));
      stream.next_in = const_cast<uint8_t*>(next);
      stream.avail_in = block;
      next += block;
      left -= block;
    }
    uint64_t done = stream.total_out;
    uint64_t grown = std::min<uint64_t>(expected + 1, std::max<uint64_t>(done * 2, 1 << 16));
    out.resize(grown);
    stream.next_out = out.data() + done;
    stream.avail_out = static_cast<uInt>(std::min<uint64_t>(grown - done, 1U << 30));
    state = inflate(&stream, Z_NO_FLUSH);
    if (stream.total_out > expected) break;
    if (state == Z_BUF_ERROR && left > 0) state = Z_OK;
  }
  uint64_t done = stream.total_out;
  inflateEnd(&stream);
  if (state != Z_STREAM_END || done != expected) return std::nullopt;
  out.resize(done);
  return out;
}

uint32_t crc_of(std::span<const uint8_t> bytes) {
  uLong crc = crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    size_t block = std::min<size_t>(bytes.size(), 1U << 30);
    crc = crc32(crc, bytes.data(), static_cast<uInt>(block));
    bytes = bytes.subspan(block);
  }
  return static_cast<uint32_t>(crc);
}

Result<std::vector<uint8_t>> read_entry(const Bytes& zip, const Header& header,
                                        const std::string& file) {
  if (header.encrypted) return broken(file, fmt::format("entry '{}' is encrypted", header.name));
  if (header.method != 0 && header.method != 8)
    return broken(
        file, fmt::format("entry '{}' is packed by method {}; stored (0) and deflated (8) are read",
                          header.name, header.method));
  if (!zip.holds(header.local_offset, 30) || zip.number(header.local_offset, 4) != kLocalHeader)
    return broken(file, fmt::format("entry '{}' has no header", header.name));
  uint64_t start = header.local_offset + 30 + zip.number(header.local_offset + 26, 2) +
                   zip.number(header.local_offset + 28, 2);
  if (!zip.holds(start, header.packed_bytes))
    return broken(file, fmt::format("entry '{}' is cut off", header.name));
  auto packed = zip.at(start, header.packed_bytes);
  std::vector<uint8_t> bytes;
  if (header.method == 0) {
    if (header.bytes != header.packed_bytes)
      return broken(file, fmt::format("entry '{}' states two sizes", header.name));
    bytes.assign(packed.begin(), packed.end());
  } else {
    auto inflated = inflate_all(packed, header.bytes);
    if (!inflated) return broken(file, fmt::format("entry '{}' does not unpack", header.name));
    bytes = std::move(*inflated);
  }
  if (crc_of(bytes) != header.crc)
    return broken(file, fmt::format("entry '{}' has a wrong checksum", header.name));
  return bytes;
}

void put(std::vector<uint8_t>& out, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

// Empty if the data do not become smaller.
std::vector<uint8_t> deflate_all(std::span<const uint8_t> bytes) {
  z_stream stream{};
  if (bytes.empty() ||
      deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::vector<uint8_t> out(bytes.size());
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  int state = deflate(&stream, Z_FINISH);
  size_t done = stream.total_out;
  deflateEnd(&stream);
  if (state != Z_STREAM_END || done >= bytes.size()) return {};
  out.resize(done);
  return out;
}

// The fields that a local header and its twin in the directory share.
void put_common(std::vector<uint8_t>& out, const Header& header) {
  put(out, 20, 2);  // version needed
  put(out, 0, 2);   // flags
  put(out, header.method, 2);
  put(out, 0, 2);     // time
  put(out, 0x21, 2);  // 1980-01-01: equal data give equal files
  put(out, header.crc, 4);
  put(out, header.packed_bytes, 4);
  put(out, header.bytes, 4);
  put(out, header.name.size(), 2);
  put(out, 0, 2);  // extra
}

}  // namespace

Result<std::vector<ZipEntry>> unzip(std::span<const uint8_t> archive, const std::string& file) {
  Bytes zip(archive);
  NIBBLE_ASSIGN(auto headers, read_directory(zip, file));
  uint64_t budget = std::min(kMaxTotalBytes, kMaxInflation * zip.size() + 1024);
  std::vector<ZipEntry> entries;
  for (const Header& header : headers) {
    if (header.bytes > budget)
      return broken(file, fmt::format("entry '{}' claims {} bytes, more than the archive can hold",
                                      header.name, header.bytes));
    budget -= header.bytes;
    NIBBLE_ASSIGN(auto bytes, read_entry(zip, header, file));
    entries.push_back({header.name, std::move(bytes)});
  }
  return entries;
}

Result<std::vector<uint8_t>> zip(const std::vector<ZipEntry>& entries) {
  std::vector<uint8_t> out, directory;
  for (const ZipEntry& entry : entries) {
    if (entry.bytes.size() + out.size() >= kMax32 - (1 << 20))
      return input_error(
          fmt::format("array '{}' makes the .npz larger than 4 GB; write fewer samples "
                      "(--samples N)",
                      entry.name));
    auto packed = deflate_all(entry.bytes);
    bool deflated = !packed.empty();
    std::span<const uint8_t> data = deflated ? packed : entry.bytes;
    Header header{entry.name,  deflated ? 8U : 0U, crc_of(entry.bytes),
                  data.size(), entry.bytes.size(), out.size(),
                  false};
    put(out, kLocalHeader, 4);
    put_common(out, header);
    out.insert(out.end(), entry.name.begin(), entry.name.end());
    out.insert(out.end(), data.begin(), data.end());

    put(directory, kCentralHeader, 4);
    put(directory, 20, 2);  // version made by
    put_common(directory, header);
    put(directory, 0, 2);  // comment
    put(directory, 0, 2);  // disk
    put(directory, 0, 2);  // internal attributes
    put(directory, 0, 4);  // external attributes
    put(directory, header.local_offset, 4);
    directory.insert(directory.end(), entry.name.begin(), entry.name.end());
  }
  uint64_t start = out.size();
  out.insert(out.end(), directory.begin(), directory.end());
  put(out, kEnd, 4);
  put(out, 0, 4);  // disks
  put(out, entries.size(), 2);
  put(out, entries.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);  // comment
  return out;
}

}  // namespace nibble
