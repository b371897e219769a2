// Whole-file input and output. Output appears whole or not at all: it is written beside its final
// place, flushed, then renamed; on any failure or interruption the partial file is removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble {

// Errors: missing file, directory, no permission, larger than max_bytes; each names the path.
Result<std::vector<uint8_t>> read_file(const std::filesystem::path& path,
                                       uint64_t max_bytes = uint64_t{4} << 30);
Result<std::string> read_text_file(const std::filesystem::path& path);

// Errors: directory missing or not writable, disk full. Never leaves a half-written file.
Status write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes);
Status write_text_file(const std::filesystem::path& path, std::string_view text);

// What write_directory would refuse of what is there now: for a verb that has much to do before it
// writes.
Status check_directory(const std::filesystem::path& path);

// Fills a new directory beside `path` with `fill`, then renames it to `path`. An existing directory
// at `path` is replaced only if it holds nothing but files of an earlier output (marked by a file
// named `.nibble`); anything else is an error, so that no user file is lost.
Status write_directory(const std::filesystem::path& path,
                       const std::function<Status(const std::filesystem::path& dir)>& fill);

// A directory below the system's temporary folder, removed with its content by the destructor.
class TempDir {
 public:
  static Result<TempDir> create();
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&& other) noexcept;
  ~TempDir();
  const std::filesystem::path& path() const { return path_; }
  // Leaves the directory for its user.
  void keep();

 private:
  explicit TempDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace nibble
