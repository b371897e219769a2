// The tables [[layer]] of a file: which nodes, and what holds for them.
//   [[layer]]
//   nodes = ["block1/*"]       # and/or  ops = ["dense"]
//   weight-bits = 8
//   keep-float = false
#include "base/file.h"
#include "quantize/rule_reader.h"

namespace nibble {

Result<std::vector<LayerRule>> read_layer_rules(const std::filesystem::path& file) {
  NIBBLE_ASSIGN(std::string text, read_text_file(file));
  NIBBLE_ASSIGN(toml::table table, parse_toml(text, file.string()));
  return RuleReader(file.string()).rules(table);
}

}  // namespace nibble
