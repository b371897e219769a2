// Files that come later into a folder of write_directory (base/file.h).
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace nibble {

// write_text_file; where the folder of `path` is an output of write_directory, the file counts as
// nibble's own there from now on, so that it does not keep the output from being replaced. Errors:
// those of write_text_file.
Status write_into_output(const std::filesystem::path& path, std::string_view text);

}  // namespace nibble
