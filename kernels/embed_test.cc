// The build-time reader of kernels.def: what it refuses, each time with file and line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/shell.h"

namespace nibble {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kHeader = R"(#include "common/c.h"
typedef struct {
  int32_t len; /* elements */
  float scale;
  const int8_t *table;
} nibble_twice_s8_args;

NIBBLE_API void nibble_twice_s8_ref(const nibble_twice_s8_args *args, const int8_t *src,
                                    int8_t *NIBBLE_RESTRICT dst);
)";

class Embed : public testing::Test {
 protected:
  Embed() : folder_(scratch_folder()) {
    fs::create_directories(folder_ / "twice");
    fs::create_directories(folder_ / "common");
    put("kernels.def",
        "// rows\n\nNIBBLE_KERNEL(twice_s8, nibble_twice_s8_ref, twice, portable)\n");
    put("common/c.h", "#include <stdint.h>\n");
    put("twice/twice_s8.h", kHeader);
    put("twice/twice_s8_ref.c", "#include \"twice/twice_s8.h\"\n");
  }
  ~Embed() override { fs::remove_all(folder_); }

  void put(const std::string& path, const std::string& text) { spill(folder_ / path, text); }
  // The header with one text replaced.
  void change(const std::string& from, const std::string& to) {
    std::string text = kHeader;
    ASSERT_NE(text.find(from), std::string::npos);
    put("twice/twice_s8.h", text.replace(text.find(from), from.size(), to));
  }
  ShellResult run() {
    return run_shell(std::string(NIBBLE_EMBED) + " . out.cc", folder_, "/usr/bin");
  }
  void expect_refused(const std::string& place, const std::string& reason) {
    ShellResult result = run();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(place));
    EXPECT_THAT(result.err, HasSubstr(reason));
  }

  fs::path folder_;
};

TEST_F(Embed, WritesFieldsParametersAndFiles) {
  ShellResult result = run();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::string out = slurp(folder_ / "out.cc");
  EXPECT_THAT(
      out,
      HasSubstr("{\"table\", \"const int8_t *\", offsetof(nibble_twice_s8_args, table), true}"));
  EXPECT_THAT(out, HasSubstr("{\"dst\", \"int8_t *\", Operand::Role::kDst}"));
  EXPECT_THAT(
      out,
      HasSubstr("    \"common/c.h\",\n    \"twice/twice_s8.h\",\n    \"twice/twice_s8_ref.c\","));
}

TEST_F(Embed, RowsOfAnotherShape) {
  put("kernels.def", "\nNIBBLE_KERNEL(twice_s8, nibble_twice_s8_ref, twice)\n");
  expect_refused("kernels.def:2", "expected NIBBLE_KERNEL");
  put("kernels.def", "NIBBLE_KERNEL(twice_s8, nibble_thrice_s8_ref, twice, portable)\n");
  expect_refused("kernels.def:1", "must be called nibble_twice_s8_ISA");
  put("kernels.def", "NIBBLE_KERNEL(twice_s8, nibble_twice_s8_ref, twice, neon)\n");
  expect_refused("kernels.def:1", "unknown instruction set neon");
  put("kernels.def", "NIBBLE_KERNEL(twice_s8, nibble_twice_s8_dsp, twice, dsp)\n");
  expect_refused("kernels.def:1", "twice/twice_s8_dsp.c does not exist");
}

TEST_F(Embed, FieldsItWouldMisread) {
  change("  float scale;", "  double scale;");
  expect_refused("twice_s8.h:4", "expected one field");
  change("  float scale;", "  int32_t a, b;");
  expect_refused("twice_s8.h:4", "expected one field");
  change("  float scale;", "  int32_t len;");
  expect_refused("twice_s8.h:4", "stands twice");
  change("} nibble_twice_s8_args;", "} other;");
  expect_refused("twice_s8.h:1", "no `typedef struct");
}

TEST_F(Embed, PrototypesItWouldMiscall) {
  change("const int8_t *src,", "int32_t src,");
  expect_refused("twice_s8.h:8", "pointers only");
  change("const int8_t *src,", "int8_t *src,");
  expect_refused("twice_s8.h:8", "sources `const T *`");
  change("RESTRICT dst", "RESTRICT out");
  expect_refused("twice_s8.h:8", "sources `const T *`");
  change("nibble_twice_s8_ref(const", "nibble_other(const");
  expect_refused("twice_s8.h:1", "no prototype");
  change("RESTRICT dst)", "RESTRICT dst, int8_t *scratch)");
  expect_refused("twice_s8.h:1", "belong together");
}

TEST_F(Embed, IncludesThatAreNotThere) {
  put("twice/twice_s8_ref.c", "\n#include \"twice/other.h\"\n");
  expect_refused("twice_s8_ref.c:2", "not a file below kernels/");
}

}  // namespace
}  // namespace nibble
