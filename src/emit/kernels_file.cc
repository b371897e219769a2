// NAME_kernels.h: the kernels that the network uses and nothing else, in one file, all static.
#include <algorithm>
#include <cctype>

#include "emit/layout.h"

namespace nibble {
namespace {

bool includes_kernel_file(std::string_view line) {
  size_t at = line.find_first_not_of(" \t");
  if (at == std::string_view::npos || line[at] != '#') return false;
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string_view::npos || !line.substr(at).starts_with("include")) return false;
  return line.find('"', at) != std::string_view::npos;
}

std::string without_includes(std::string_view text) {
  std::string kept;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (!includes_kernel_file(text.substr(0, end))) kept += text.substr(0, end);
    text.remove_prefix(end);
  }
  return kept;
}

// A header declares every variant of its family. A static function that is declared and not defined
// is a warning, so prototypes of variants that the network does not use go.
std::string without_unused_prototypes(std::string text, const std::set<std::string_view>& used) {
  const std::string_view start_mark = "NIBBLE_API void ";
  for (size_t at = text.find(start_mark); at != std::string::npos; at = text.find(start_mark, at)) {
    size_t open = text.find('(', at);
    size_t close = open == std::string::npos ? open : text.find(')', open);
    if (close == std::string::npos) break;
    std::string function = text.substr(at + start_mark.size(), open - at - start_mark.size());
    bool prototype = text.compare(close, 2, ");") == 0;
    if (prototype && !used.contains(function)) {
      text.erase(at, close + 2 - at);
    } else {
      at = close;
    }
  }
  return text;
}

std::string guard_of(std::string_view path) {
  std::string guard = "NIBBLE_";
  for (char c : path)
    guard += std::isalnum(static_cast<unsigned char>(c))
                 ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                 : '_';
  return guard;
}

}  // namespace

std::string kernels_file(const Layout& layout) {
  std::set<std::string_view> used;
  std::vector<std::string_view> files;
  auto add_file = [&](std::string_view file) {
    if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
  };
  for (const KernelInfo* kernel : layout.kernels) {
    if (!kernel) continue;
    used.insert(kernel->function);
    for (std::string_view file : kernel_files(*kernel)) add_file(file);
  }
  for (const KernelFunction& function : layout.program.functions)
    for (const std::string& file : function.files) add_file(file);
  auto is_group = [](const KernelCall& call) { return !call.members.empty(); };
  if (std::ranges::any_of(layout.program.calls, is_group))
    for (const char* file : {"common/nibble_common.h", "common/copy_s8.h", "common/bands.h"})
      add_file(file);
  std::string text = fmt::format(
      "/* The nibble kernels that {2} uses. Included by {0}.c only. Apache-2.0.\n"
      "   Each file keeps its guard, so that several networks may share a translation unit. */\n"
      "#ifndef {1}_KERNELS_H\n#define {1}_KERNELS_H\n\n"
      "#ifndef NIBBLE_API\n#define NIBBLE_API static\n#endif\n",
      layout.name, layout.macro, comment_text(layout.program.name));
  for (std::string_view file : files) {
    std::string body = without_unused_prototypes(without_includes(kernel_source(file)), used);
    text += fmt::format("\n/* ---- {} ---- */\n", file);
    // Headers bring their own guard.
    if (file.ends_with(".c")) {
      std::string guard = guard_of(file);
      text += fmt::format("#ifndef {0}\n#define {0}\n{1}#endif\n", guard, body);
    } else {
      text += body;
    }
  }
  for (const KernelFunction& function : layout.program.functions) {
    std::string guard = guard_of(function.name);
    text += fmt::format("\n#ifndef {0}\n#define {0}\n{1}#endif\n", guard, function.text);
  }
  return text + "\n#endif\n";
}

}  // namespace nibble
