// The command line that the example's programs share: PROGRAM CORPUS [OUT] [--seed N].
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "base/text.h"

namespace nibble::kws {

struct Options {
  std::filesystem::path corpus;  // the folder that kws_generate fills
  std::filesystem::path out;     // where features and model go; the corpus' folder if not given
  uint64_t seed = 20240607;
};

inline Result<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--seed" && i + 1 < argc) {
      NIBBLE_ASSIGN(int64_t seed, parse_int(argv[++i]));
      options.seed = static_cast<uint64_t>(seed);
    } else if (word.starts_with("-")) {
      return usage_error("unknown option " + std::string(word));
    } else if (options.corpus.empty()) {
      options.corpus = word;
    } else if (options.out.empty()) {
      options.out = word;
    } else {
      return usage_error("too many arguments");
    }
  }
  if (options.corpus.empty()) return usage_error("the folder of the corpus is missing");
  if (options.out.empty()) options.out = options.corpus;
  return options;
}

// Runs `body` with the parsed options; the exit code is that of DESIGN.md, section 4.
template <class Body>
int run_main(int argc, char** argv, const char* program, Body body) {
  Result<Options> options = parse_options(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "%s: %s\nusage: %s CORPUS [OUT] [--seed N]\n", program,
                 options.error().message.c_str(), program);
    return static_cast<int>(options.error().kind);
  }
  Status status = body(*options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", program, status.error().message.c_str());
  return static_cast<int>(status.error().kind);
}

}  // namespace nibble::kws
