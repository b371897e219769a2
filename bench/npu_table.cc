// What the model of accelerators says beside what others measured of them, and what it makes of the
// networks of MLPerf Tiny:
//   nibble_npu_table [SHARED] [--write]
// The figures lie in src/cost/npu/figures.csv, networks whose files are not at hand in networks.txt
// beside it; the others are read below SHARED (default $NIBBLE_SHARED, else ../shared beside the
// source tree). --write: the tables become a part of doc/npus.md. Exits with 1 if a file cannot be
// read or written.
#include <cstdio>
#include <span>

#include "npu_data.h"
#include "shared_folder.h"

namespace nibble {
namespace {

Status run(std::span<char*> arguments) {
  std::filesystem::path shared = shared_folder();
  bool write = false;
  for (const std::string argument : arguments) {
    if (argument == "--write")
      write = true;
    else if (argument.starts_with("--"))
      return usage_error(argument + ": the only option is --write");
    else
      shared = argument;
  }
  NIBBLE_ASSIGN(const std::string tables, npu_tables(shared));
  std::printf("%s", tables.c_str());
  if (!write) return {};
  const std::filesystem::path path = std::filesystem::path(NIBBLE_SOURCE_DIR) / kNpuPage;
  NIBBLE_ASSIGN(const std::string page, read_text_file(path));
  NIBBLE_ASSIGN(const WrittenPart parts, split_npu_page(page));
  return write_text_file(path, parts.before + tables + parts.after);
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  const nibble::Status status = nibble::run(std::span(argv, static_cast<size_t>(argc)).subspan(1));
  if (status.ok()) return 0;
  std::fprintf(stderr, "nibble_npu_table: %s\n", status.error().message.c_str());
  return 1;
}
