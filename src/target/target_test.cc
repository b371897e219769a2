// Targets: the shipped catalogue is whole and right where it can be checked, and a wrong file says
// what is wrong and where.
#include "target/target.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

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
fpu = "single"
toolchain = "arm-none-eabi"
flags = ["-mcpu=cortex-m4"]
machine = "mps2-an386"
port = "cortex_m"
clock_mhz = 100.5

[[memory]]
name = "flash"
kind = "flash"
size_kb = 512
wait_cycles = 5
line_bytes = 8

[[memory]]
name = "sram"
kind = "ram"
size_kb = 0.5

[[memory]]
name = "dtcm"
kind = "tcm"
size_kb = 0.25
cache_kb = 1

[power]
supply_v = 3
active_ua_per_mhz = 100
basis = "coremark"
regulator = "smps"
sleep_ua = 2

[npu]
engine = "ethos-u55"
macs_per_cycle = 128
clock_mhz = 400
active_mw = 90

[sources]
core = { confidence = "high", source = "a" }
clock = { confidence = "low", source = "b" }
"memory.flash" = { confidence = "medium", source = "c" }
"memory.flash.wait" = { confidence = "medium", source = "d" }
"memory.sram" = { confidence = "medium", source = "e" }
"memory.dtcm" = { confidence = "medium", source = "f" }
"power.active" = { confidence = "medium", source = "g" }
"power.sleep" = { confidence = "medium", source = "h" }
npu = { confidence = "medium", source = "i" }
"npu.active" = { confidence = "low", source = "j" }
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

// Core, instructions, whether some such core has them.
TEST(Target, KnowsWhatCoresNeverHave) {
  const std::tuple<const char*, const char*, bool> kCases[] = {
      {"cortex-m0plus", "thumb", true}, {"cortex-m0", "thumb2", false},
      {"cortex-m23", "dsp", false},     {"cortex-m3", "thumb2", true},
      {"cortex-m3", "dsp", false},      {"cortex-m7", "mve", false},
      {"cortex-m52", "mve", true},      {"cortex-m4", "rv32", false},
      {"rv32imac", "rv32", true},       {"rv32imac", "thumb2", false},
      {"xtensa-lx7", "rv32", true}};
  for (const auto& [core, isa, good] : kCases) {
    std::string text = replaced("core = \"cortex-m4\"", std::string("core = \"") + core + "\"");
    const size_t from = text.find("isa = "), to = text.find('\n', from);
    text.replace(from, to - from, std::string("isa = [\"") + isa + "\"]");
    EXPECT_EQ(parse_target(text, "chip.toml").ok(), good) << core << " " << isa;
  }
}

TEST(Target, ReadsEveryField) {
  auto target = parse_target(kGood, "chip.toml");
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_EQ(target->name, "chip");
  EXPECT_EQ(target->vendor, "Someone");
  EXPECT_EQ(target->isa, (std::vector<Isa>{Isa::kThumb2, Isa::kDsp}));  // thumb2 is implied
  EXPECT_EQ(target->compile_flags, std::vector<std::string>{"-mcpu=cortex-m4"});
  EXPECT_EQ(target->flash_bytes, 524288);
  EXPECT_EQ(target->ram_bytes, 512);  // an arena lies in one bank: the largest
  EXPECT_EQ(target->flash_wait_cycles, 2.5);
  EXPECT_EQ(target->fpu, Fpu::kSingle);
  ASSERT_EQ(target->memory.size(), 3u);
  EXPECT_EQ(target->memory[2].kind, MemoryKind::kTcm);
  EXPECT_EQ(target->memory[2].cache_bytes, 1024);
  EXPECT_EQ(target->power.active_ua_per_mhz, 100);
  EXPECT_FALSE(target->power.active_mw);
  EXPECT_EQ(target->power.basis, PowerBasis::kCoremark);
  EXPECT_EQ(target->power.regulator, Regulator::kSmps);
  EXPECT_EQ(target->npu->clock_hz, 400000000);
  EXPECT_EQ(target->npu->active_mw, 90);
  EXPECT_EQ(target->clock_hz, 100500000);
  EXPECT_FALSE(target->emulator_board);
  ASSERT_EQ(target->sources.size(), 10u);
  EXPECT_EQ(target->sources[2].figure, "memory.flash");
  EXPECT_EQ(target->sources[2].confidence, Confidence::kMedium);
  EXPECT_EQ(target->sources[2].text, "c");
}

TEST(Target, ErrorsNameFileLineAndField) {
  EXPECT_THAT(error_of(replaced("isa =", "isas =")), HasSubstr("chip.toml:1: isa is missing"));
  EXPECT_THAT(error_of(replaced("title = \"A chip\"", "title = 3")),
              HasSubstr("chip.toml:2: title must be a string"));
  EXPECT_THAT(error_of(replaced("\"dsp\"", "\"sse\"")), HasSubstr("chip.toml:5: isa has 'sse'"));
  EXPECT_THAT(error_of(replaced("arm-none-eabi", "turbo-c")),
              HasSubstr("chip.toml:7: toolchain is 'turbo-c'; known: arm-none-eabi"));
  EXPECT_THAT(error_of(replaced("512", "-1")), HasSubstr("chip.toml:16: memory.size_kb is -1"));
  EXPECT_THAT(error_of(replaced("512", "\"512\"")), HasSubstr("memory.size_kb must be a number"));
  EXPECT_THAT(error_of(replaced("512", "1e300")), HasSubstr("at most 1048576"));
  EXPECT_THAT(error_of(replaced("512", "nan")), HasSubstr("must be above 0"));
  EXPECT_THAT(error_of(replaced("clock_mhz = 100.5", "")), HasSubstr("clock_mhz is missing"));
  EXPECT_THAT(error_of(replaced("port = \"cortex_m\"", "")), HasSubstr("port is missing"));
  EXPECT_THAT(error_of(replaced("line_bytes = 8", "")), HasSubstr("memory.line_bytes is missing"));
  EXPECT_THAT(error_of(replaced("ethos-u55", "../x")), HasSubstr("npu.engine is '../x'"));
  EXPECT_THAT(error_of(replaced("npu = {", "gpu = {")), HasSubstr("sources.npu is missing"));
  EXPECT_THAT(error_of(replaced("source = \"i\"", "page = 3")),
              HasSubstr("sources.npu.source is missing"));
}

// Code of a part without flash inside runs from outside, and data may have to lie there.
TEST(Target, MemoriesOutsideCountWhereThereAreNoneInside) {
  const std::string outside = replaced("kind = \"flash\"", "kind = \"external_flash\"");
  EXPECT_EQ(parse_target(outside, "chip.toml")->flash_bytes, 524288);
  const std::string beside = replaced("kind = \"ram\"", "kind = \"external_ram\"");
  EXPECT_EQ(parse_target(beside, "chip.toml")->ram_bytes, 256);
}

TEST(Target, UnknownFieldNamesTheNearest) {
  EXPECT_THAT(
      error_of(replaced("size_kb = 0.5", "size_kb = 0.5\ncahce_kb = 1")),
      HasSubstr(
          "chip.toml:24: memory.cahce_kb is not a field of a target; did you mean 'cache_kb'?"));
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
  const auto parts = std::ranges::count(*targets, false, &Target::emulator_board);
  EXPECT_GE(parts, 84);
  std::map<std::string_view, int> of_confidence;
  for (const Target& target : *targets)
    for (const Source& source : target.sources) ++of_confidence[confidence_name(source.confidence)];
  std::printf(
      "%zd parts, %zd boards of the emulator; figures of high confidence %d, medium %d, low %d\n",
      parts, std::ssize(*targets) - parts, of_confidence["high"], of_confidence["medium"],
      of_confidence["low"]);
  auto nucleo = find_target("stm32l4r5");
  ASSERT_TRUE(nucleo.ok()) << nucleo.error().message;
  EXPECT_EQ(nucleo->flash_bytes, 2097152);
  EXPECT_EQ(nucleo->ram_bytes, 655360);
  EXPECT_EQ(nucleo->flash_wait_cycles, 2.5);
  EXPECT_EQ(nucleo->clock_hz, 120000000);
  EXPECT_EQ(nucleo->machine, "mps2-an386");
}

// What a wrong digit in a file would break.
TEST(Target, ShippedFiguresAreConsistent) {
  const auto targets = all_targets();
  ASSERT_TRUE(targets.ok());
  for (const Target& target : *targets) {
    if (target.clock_hz == 0) continue;  // the emulator's
    SCOPED_TRACE(target.name);
    EXPECT_LE(target.clock_hz, 1'200'000'000);
    EXPECT_EQ(target.core.starts_with("cortex-m"), target.toolchain == "arm-none-eabi");
    const bool has_dsp = std::ranges::find(target.isa, Isa::kDsp) != target.isa.end();
    for (const char* core : {"cortex-m4", "cortex-m7", "cortex-m55", "cortex-m85"})
      EXPECT_TRUE(target.core != core || has_dsp);
    const PowerFacts& power = target.power;
    constexpr double kNone = 0, kMuch = 1e9;
    const double active_ua =
        power.active_ua_per_mhz.value_or(kMuch) * static_cast<double>(target.clock_hz) / 1e6;
    EXPECT_LE(power.off_ua.value_or(kNone), power.sleep_ua.value_or(kMuch));
    EXPECT_LT(power.sleep_ua.value_or(kNone), active_ua);
    EXPECT_TRUE(!power.active_ua_per_mhz || active_ua * *power.supply_v < 2e6);  // two watts
  }
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
