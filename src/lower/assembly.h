// Text of C functions whose body is assembly: a naked function under the instruction set's feature
// test, and beside it a plain C body for every other machine.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace nibble {

// Lines of assembly.
class Assembly {
 public:
  // One instruction, as for fmt::format: op("ldr {}, [{}]", "r4", "r0").
  template <class... Args>
  void op(fmt::format_string<Args...> format, Args&&... args) {
    lines_.push_back("\t" + fmt::format(format, std::forward<Args>(args)...));
  }
  // Local labels are numbers: label(1), then "bne 1b".
  void label(int number) { lines_.push_back(fmt::format("{}:", number)); }
  void append(const Assembly& other) {
    lines_.insert(lines_.end(), other.lines_.begin(), other.lines_.end());
  }
  // Instructions in the text. Those of Thumb-2 take four bytes at most.
  size_t count() const;
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

struct CFunction {
  std::string name;
  std::string comment;                  // what it computes; without comment marks
  std::vector<std::string> parameters;  // "const int8_t *src"
  std::string condition;                // "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)"
  Assembly body;
  std::string plain_body;  // C statements
  bool arm = true;         // the assembler is to be told that this is the unified syntax
};

// The definition, for KernelFunction::text. Nothing of it is visible outside its translation unit.
std::string function_text(const CFunction& function);

// The definition `text` of the C function `name`, once in a translation unit however many functions
// bring it along. All that may bring the same function write it so.
std::string defined_once(std::string_view name, std::string_view text);
std::string guarded_text(const CFunction& function);

}  // namespace nibble
