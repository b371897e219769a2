// Recipes: ways to quantize that have a name, to be compared on one model. Of a file, or of the
// bench that nibble comes with.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "quantize/options.h"

namespace nibble {

// A word as a shell takes it: in quotes where it needs them.
std::string shell_word(std::string_view word);

struct Recipe {
  std::string name;
  QuantizeOptions options;
  // The same as typed behind `nibble quantize`, but for the tables [[recipe.layer]].
  std::string arguments;
};

// The tables [[recipe]] of a TOML file:
//   [[recipe]]
//   name = "small"
//   scheme = "w4a8"
//   method = ["gptq", "correct-bias"]
//   [[recipe.layer]]            # as [[layer]] of --config
//   ops = ["dense"]
//   weight-bits = 8
// Keys are the names of the command line: scheme, every setting, method, method-samples,
// smooth-share, split-share, learn-steps, drop-share, rounding, keep-float. Errors, with file and
// line: an unknown key, a bad value, one that nothing reads (missing_reader), no name, a name
// twice; no recipes.
Result<std::vector<Recipe>> read_recipes(const std::filesystem::path& file);

// From the fewest bits of weights to the most: integers of 2 to 8 bits with 8-bit activations and 8
// with 16, plain and with the repairs that help (doc/quantization.md has the measurements); behind
// them number formats that are emulated.
std::vector<Recipe> default_recipes();

// Settings as "weight-bits=4" or "scheme=w4a8", and methods. They are right, or it is our bug.
Recipe make_recipe(const std::string& name, const std::vector<std::string>& settings,
                   const std::vector<std::string>& methods = {});

// The largest of any layer, of what is no number format.
int activation_bits(const Graph& graph, const QuantizeOptions& options);
// The bytes of constants that quantize() would give: without calibrating on more than one sample,
// and without the refining methods, which change no size.
Result<int64_t> quantized_bytes(const Graph& graph, const CalibrationData& data,
                                const QuantizeOptions& options);

}  // namespace nibble
