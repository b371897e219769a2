// The table of mnemonics, and the two mixes that counts of them leave open.
#include "peer_mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cost/cost.h"

namespace nibble {
namespace {

using Jump = ThumbMnemonic::Jump;

// A list has at least one register; the most of the integer ones are R0 to R12 with LR or PC.
constexpr unsigned kMostWords = 14;
constexpr unsigned kMostFloatWords = 32;

constexpr ThumbMnemonic plain(uint64_t InstructionMix::*count, Jump jump = Jump::kNever) {
  return {count, count, 0, 0, jump};
}
constexpr ThumbMnemonic list(uint64_t InstructionMix::*count, unsigned least, unsigned most,
                             Jump jump = Jump::kNever) {
  return {count, count, least, most, jump};
}

struct Family {
  ThumbMnemonic what;
  std::string_view names;
};
// Without suffixes. Armv8-M Architecture Reference Manual (DDI 0553), C2.4; names that are only
// Armv7-M's (DDI 0403) with them.
constexpr Family kFamilies[] = {
    {plain(&InstructionMix::alu),
     "adc add addw adr and asr bfc bfi bic clz cmn cmp cpy eor lsl lsr mov movt movw mvn neg nop "
     "orn orr pkhbt pkhtb qadd qdadd qdsub qsub rbit rev rev16 revsh ror rrx rsb sbc sbfx sel ssat "
     "ssat16 sub subw sxtab sxtab16 sxtah sxtb sxtb16 sxth teq tst ubfx usat usat16 uxtab uxtab16 "
     "uxtah uxtb uxtb16 uxth"},
    {plain(&InstructionMix::alu),
     "csel csinc csinv csneg cset csetm cinc cinv cneg asrl lsll lsrl sqrshr sqrshrl sqshl sqshll "
     "srshr srshrl uqrshl uqrshll uqshl uqshll urshr urshrl"},
    {plain(&InstructionMix::alu),
     "bkpt clrex cpsid cpsie csdb dbg dmb dsb isb mrs msr pssbb sev sg ssbb svc tt tta ttat ttt "
     "udf wfe wfi yield"},
    {plain(&InstructionMix::multiply),
     "mla mls mul smlabb smlabt smlad smladx smlatb smlatt smlawb smlawt smlsd smlsdx smmla smmlar "
     "smmls smmlsr smmul smmulr smuad smuadx smulbb smulbt smultb smultt smulwb smulwt smusd "
     "smusdx usad8 usada8"},
    {plain(&InstructionMix::multiply_long),
     "smlal smlalbb smlalbt smlald smlaldx smlaltb smlaltt smlsld smlsldx smull umaal umlal umull"},
    {plain(&InstructionMix::divide), "sdiv udiv"},
    {plain(&InstructionMix::load),
     "lda ldab ldaex ldaexb ldaexh ldah ldr ldrb ldrbt ldrex ldrexb ldrexh ldrh ldrht ldrsb ldrsbt "
     "ldrsh ldrsht ldrt pld pldw pli"},
    // Branches by a table: they load how far they jump.
    {plain(&InstructionMix::load, Jump::kAlways), "tbb tbh"},
    {plain(&InstructionMix::store),
     "stl stlb stlex stlexb stlexh stlh str strb strbt strex strexb strexh strh strht strt"},
    {list(&InstructionMix::load_multiple, 2, 2), "ldrd"},
    {list(&InstructionMix::store_multiple, 2, 2), "strd"},
    {list(&InstructionMix::load_multiple, 1, kMostWords, Jump::kPerhaps),
     "ldm ldmdb ldmea ldmfd ldmia pop"},
    {list(&InstructionMix::store_multiple, 1, kMostWords), "push stm stmdb stmea stmfd stmia"},
    {list(&InstructionMix::load_multiple, 1, kMostFloatWords), "vldm vldmdb vldmia vpop"},
    {list(&InstructionMix::store_multiple, 1, kMostFloatWords), "vpush vstm vstmdb vstmia"},
    // Whose format holds a word more than their registers.
    {list(&InstructionMix::load_multiple, 1, kMostFloatWords + 1), "fldmdbx fldmiax"},
    {list(&InstructionMix::store_multiple, 1, kMostFloatWords + 1), "fstmdbx fstmiax"},
    {{&InstructionMix::load, &InstructionMix::load_multiple, 0, 2, Jump::kNever}, "vldr"},
    {{&InstructionMix::store, &InstructionMix::store_multiple, 0, 2, Jump::kNever}, "vstr"},
    {plain(&InstructionMix::branch, Jump::kAlways), "b bl blx blxns bx bxns"},
    {plain(&InstructionMix::branch, Jump::kPerhaps), "cbnz cbz"},
    {plain(&InstructionMix::loop), "dls dlstp lctp le letp"},
    {plain(&InstructionMix::loop, Jump::kPerhaps), "wls wlstp"},  // past a loop of no turns
    {plain(&InstructionMix::fpu), "vmrs vmsr"},
    {plain(&InstructionMix::vector_load),
     "vld20 vld21 vld40 vld41 vld42 vld43 vldrb vldrd vldrh vldrw"},
    {plain(&InstructionMix::vector_store),
     "vst20 vst21 vst40 vst41 vst42 vst43 vstrb vstrd vstrh vstrw"},
    {plain(&InstructionMix::vector_other), "vand vbic vctp vdup veor vmvn vorn vorr vpnot vpsel"},
};

using Names = std::map<std::string, ThumbMnemonic, std::less<>>;

const Names& names() {
  static const Names all = [] {
    Names map;
    for (const Family& family : kFamilies)
      for (const std::string& name : split(family.names, ' ')) map[name] = family.what;
    // Sums of two or four halves.
    for (const char* prefix : {"s", "q", "sh", "u", "uq", "uh"})
      for (const char* sum : {"add8", "add16", "sub8", "sub16", "asx", "sax"})
        map[std::string(prefix) + sum] = plain(&InstructionMix::alu);
    return map;
  }();
  return all;
}

// ADDS, MULS; in a block of predicated vectors VLDRWT, VLDRWE.
const ThumbMnemonic* find_name(std::string_view name) {
  auto found = names().find(name);
  const bool is_longer = name.ends_with('s') ||
                         (name.starts_with('v') && (name.ends_with('t') || name.ends_with('e')));
  if (found == names().end() && is_longer) found = names().find(name.substr(0, name.size() - 1));
  return found == names().end() ? nullptr : &found->second;
}

bool ends_in_condition(std::string_view name) {
  constexpr std::array<std::string_view, 16> kConditions = {"eq", "ne", "cs", "hs", "cc", "lo",
                                                            "mi", "pl", "vs", "vc", "hi", "ls",
                                                            "ge", "lt", "gt", "le"};
  return name.size() > 2 &&
         std::ranges::find(kConditions, name.substr(name.size() - 2)) != kConditions.end();
}

bool begins_with_any(std::string_view name, std::initializer_list<std::string_view> begins) {
  return std::ranges::any_of(begins, [&](auto begin) { return name.starts_with(begin); });
}

// IT, ITTE, VPST, VPTE: the rest is who else belongs to the block.
bool opens_block(std::string_view name) {
  for (const std::string_view opener : {"it", "vpst", "vpt"})
    if (name.starts_with(opener) && name.size() <= opener.size() + 3 &&
        name.find_first_not_of("te", opener.size()) == std::string_view::npos)
      return true;
  return false;
}

// Arithmetic and moves of the floating-point and vector units, which only their types tell apart.
std::optional<ThumbMnemonic> read_vector(std::string_view name, std::string_view type) {
  const bool between_vectors =
      type.starts_with('i') || (begins_with_any(name, {"vmovl", "vmovn"}) && !type.empty());
  if (type.find('f') != std::string_view::npos || (name.starts_with("vmov") && !between_vectors))
    return plain(begins_with_any(name, {"vdiv", "vsqrt"}) ? &InstructionMix::fpu_divide
                                                          : &InstructionMix::fpu);
  if (type.empty()) return std::nullopt;
  if (begins_with_any(name, {"vcmla", "vcmul", "vmla", "vmls", "vmul", "vqdm", "vqrdm", "vrmla",
                             "vrmls", "vrmul"}))
    return plain(&InstructionMix::vector_multiply);
  return plain(&InstructionMix::vector_other);
}

// Adds `count` of them to both mixes.
void add_instructions(const ThumbMnemonic& what, uint64_t count, MixBounds& mix) {
  mix.low.*what.low += count;
  mix.high.*what.high += count;
  const bool loads = what.high == &InstructionMix::load_multiple;
  const auto words = loads ? &InstructionMix::load_words : &InstructionMix::store_words;
  mix.low.*words += count * what.least_words;
  mix.high.*words += count * what.most_words;
  if (what.jump == Jump::kAlways) mix.low.branch_taken += count;
  if (what.jump != Jump::kNever) mix.high.branch_taken += count;
}

uint64_t pairs_of(uint64_t count) { return count > 0 ? count - 1 : 0; }

// What the order of the instructions may save at the most, and cost at the most.
void add_orders(MixBounds& mix) {
  mix.low.load_behind_load = pairs_of(mix.low.load);
  mix.high.load_use = mix.high.load + mix.high.load_multiple;
  const uint64_t memory = mix.low.vector_load + mix.low.vector_store;
  const uint64_t vectors = memory + mix.low.vector_multiply + mix.low.vector_other;
  const uint64_t most = std::max({memory, mix.low.vector_multiply, mix.low.vector_other});
  // Two of another unit can be found for each that is not of the one used most.
  mix.low.vector_overlap = std::min(pairs_of(vectors), 2 * (vectors - most));
}

}  // namespace

std::optional<ThumbMnemonic> read_mnemonic(std::string_view text) {
  const std::string lower = lower_case(text);
  const size_t point = std::min(lower.find('.'), lower.size());
  const std::string_view name = std::string_view(lower).substr(0, point);
  std::string_view type = std::string_view(lower).substr(std::min(point + 1, lower.size()));
  if (type == "w" || type == "n") type = "";
  if (opens_block(name))
    return plain(name.starts_with('v') ? &InstructionMix::vector_other : &InstructionMix::alu);
  // Conditions first: BLS is B.
  if (ends_in_condition(name) && !names().contains(name)) {
    if (const ThumbMnemonic* found = find_name(name.substr(0, name.size() - 2))) {
      ThumbMnemonic conditional = *found;
      if (conditional.jump == Jump::kAlways) conditional.jump = Jump::kPerhaps;
      return conditional;
    }
  }
  if (const ThumbMnemonic* found = find_name(name)) return *found;
  return name.starts_with('v') ? read_vector(name, type) : std::nullopt;
}

Result<MixBounds> bound_mix(const std::map<std::string, int64_t>& mnemonics, int64_t instructions) {
  MixBounds mix;
  int64_t unnamed = instructions;
  for (const auto& [mnemonic, count] : mnemonics) {
    const std::optional<ThumbMnemonic> what = read_mnemonic(mnemonic);
    if (!what)
      return input_error("'" + mnemonic +
                         "' is no Thumb instruction that is known; add it to bench/peer_mix.cc");
    if (count < 0)
      return input_error(fmt::format("'{}' cannot be executed {} times", mnemonic, count));
    unnamed -= count;
    add_instructions(*what, static_cast<uint64_t>(count), mix);
  }
  if (unnamed < 0)
    return input_error(fmt::format("mnemonics stand for {} instructions more than were executed",
                                   with_thousands(-unnamed)));
  const auto rest = static_cast<uint64_t>(unnamed);
  mix.low.alu += rest;
  mix.high.branch += rest;
  mix.high.branch_taken += rest;
  add_orders(mix);
  return mix;
}

std::optional<LowHigh> bound_cycles(const MixBounds& mix, const Target& target) {
  const std::optional<MixCycles> low = cycles_by_mix(mix.low, target);
  const std::optional<MixCycles> high = cycles_by_mix(mix.high, target);
  if (!low || !high) return std::nullopt;
  return LowHigh{low->core, high->core};
}

}  // namespace nibble
