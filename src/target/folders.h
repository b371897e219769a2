// Where the files of the catalogue are. Inside target/ only.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble {

// NAME.toml files of the subfolder `below` of all target_folders(), of these themselves where it is
// empty; an earlier folder's file hides a later one of the same name. Not every folder has the
// subfolder. Error: a folder itself is not there.
Result<std::vector<std::filesystem::path>> catalogue_files(std::string_view below);

}  // namespace nibble
