// Targets: the shipped catalogue is whole and right where it can be checked, and a wrong file says
// what is wrong and where.
#include "target/target.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

using testing::HasSubstr;

constexpr const char* kGood = R"(name = "chip"
title = "A chip"
vendor = "Someone"
core = "cortex-m4"
isa = ["dsp"]
toolchain = "arm-none-eabi"
flags = ["-mcpu=cortex-m4"]
machine = "mps2-an386"
port = "cortex_m"
clock_mhz = 100.5

[memory]
flash_kb = 512
ram_kb = 0.5

[sources]
core = "a"
clock = "b"
memory = "c"
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kGood;
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  auto target = parse_target(text, "chip.toml");
  EXPECT_FALSE(target.ok());
  return target.ok() ? "" : target.error().message;
}

TEST(Target, ReadsEveryField) {
  auto target = parse_target(kGood, "chip.toml");
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_EQ(target->name, "chip");
  EXPECT_EQ(target->vendor, "Someone");
  EXPECT_EQ(target->isa, (std::vector<Isa>{Isa::kThumb2, Isa::kDsp}));  // thumb2 is implied
  EXPECT_EQ(target->compile_flags, std::vector<std::string>{"-mcpu=cortex-m4"});
  EXPECT_EQ(target->flash_bytes, 524288);
  EXPECT_EQ(target->ram_bytes, 512);
  EXPECT_EQ(target->clock_hz, 100500000);
  EXPECT_FALSE(target->emulator_board);
  ASSERT_EQ(target->sources.size(), 3u);
  EXPECT_EQ(target->sources[2].second, "c");
}

TEST(Target, ErrorsNameFileLineAndField) {
  EXPECT_THAT(error_of(replaced("isa =", "isas =")), HasSubstr("chip.toml:1: isa is missing"));
  EXPECT_THAT(error_of(replaced("title = \"A chip\"", "title = 3")),
              HasSubstr("chip.toml:2: title must be a string"));
  EXPECT_THAT(error_of(replaced("\"dsp\"", "\"sse\"")), HasSubstr("chip.toml:5: isa has 'sse'"));
  EXPECT_THAT(error_of(replaced("arm-none-eabi", "turbo-c")),
              HasSubstr("chip.toml:6: toolchain is 'turbo-c'; known: arm-none-eabi"));
  EXPECT_THAT(error_of(replaced("512", "-1")), HasSubstr("chip.toml:13: memory.flash_kb is -1"));
  EXPECT_THAT(error_of(replaced("512", "\"512\"")), HasSubstr("memory.flash_kb must be a number"));
  EXPECT_THAT(error_of(replaced("512", "1e300")), HasSubstr("at most 1048576"));
  EXPECT_THAT(error_of(replaced("512", "nan")), HasSubstr("must be above 0"));
  EXPECT_THAT(error_of(replaced("clock_mhz = 100.5", "")), HasSubstr("clock_mhz is missing"));
  EXPECT_THAT(error_of(replaced("port = \"cortex_m\"", "")), HasSubstr("port is missing"));
  EXPECT_THAT(error_of(replaced("memory = \"c\"", "")), HasSubstr("sources.memory is missing"));
}

TEST(Target, UnknownFieldNamesTheNearest) {
  EXPECT_THAT(
      error_of(replaced("ram_kb = 0.5", "ram_kb = 0.5\nflsh_kb = 1")),
      HasSubstr(
          "chip.toml:15: memory.flsh_kb is not a field of a target; did you mean 'flash_kb'?"));
  EXPECT_THAT(error_of(replaced("vendor", "zzzzzzzzz = 1\nvendor")),
              HasSubstr("chip.toml:3: zzzzzzzzz is not a field of a target; known: name"));
}

TEST(Target, HostileTextIsAnError) {
  EXPECT_THAT(error_of("name = "), HasSubstr("chip.toml:1: not valid TOML"));
  EXPECT_THAT(error_of(""), HasSubstr("name is missing"));
  EXPECT_THAT(error_of("memory = 1\nname = 2"), HasSubstr("chip.toml:2: name must be a string"));
  error_of(std::string("\0\xff\xfe", 3));
  error_of(std::string(100000, '['));
}

TEST(Target, ShippedCatalogueIsWhole) {
  auto targets = all_targets();
  ASSERT_TRUE(targets.ok()) << targets.error().message;
  std::vector<std::string> names;
  for (const Target& target : *targets) names.push_back(target.name);
  for (const char* name :
       {"stm32l4r5", "stm32f411", "nrf52840", "rp2040", "mps2-an385", "mps2-an386", "mps2-an500",
        "mps2-an505", "mps3-an547", "riscv32-virt", "riscv32-virt-v"})
    EXPECT_THAT(names, testing::Contains(name));
  auto nucleo = find_target("stm32l4r5");
  ASSERT_TRUE(nucleo.ok()) << nucleo.error().message;
  EXPECT_EQ(nucleo->flash_bytes, 2097152);
  EXPECT_EQ(nucleo->ram_bytes, 655360);
  EXPECT_EQ(nucleo->clock_hz, 120000000);
  EXPECT_EQ(nucleo->machine, "mps2-an386");
}

TEST(Target, UnknownNameSuggestsTheNearest) {
  auto target = find_target("stm32l4r4");
  ASSERT_FALSE(target.ok());
  EXPECT_EQ(target.error().kind, ErrorKind::kInput);
  EXPECT_THAT(target.error().message,
              HasSubstr("no target is called 'stm32l4r4'; did you mean 'stm32l4r5'?"));
}

TEST(Target, EarlierFolderHidesLaterOnes) {
  auto dir = TempDir::create();
  ASSERT_TRUE(dir.ok());
  std::string text = replaced("\"chip\"", "\"stm32f411\"");
  ASSERT_TRUE(write_text_file(dir->path() / "stm32f411.toml", text).ok());
  ASSERT_TRUE(write_text_file(dir->path() / "odd.toml", text).ok());
  ::setenv("NIBBLE_TARGETS", dir->path().c_str(), 1);
  auto own = find_target("stm32f411");
  auto odd = find_target("odd");
  ::unsetenv("NIBBLE_TARGETS");
  ASSERT_TRUE(own.ok()) << own.error().message;
  EXPECT_EQ(own->vendor, "Someone");
  ASSERT_FALSE(odd.ok());
  EXPECT_THAT(odd.error().message, HasSubstr("call the file 'stm32f411.toml'"));

  ::setenv("NIBBLE_TARGETS", "/nowhere/at/all", 1);
  auto missing = find_target("stm32f411");
  ::unsetenv("NIBBLE_TARGETS");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/at/all"));
}

}  // namespace
}  // namespace nibble
