// Accelerators for networks, read from targets/npus/NAME.toml: which layers one can run, why not
// and what would be, how many cycles and how much energy. Part of target.h; doc/npus.md says what a
// file may hold. What the rules say of a graph: cost/npu/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "target/source.h"

namespace nibble {

// What a rule may ask of a layer: X(enumerator, name in files). doc/npus.md says what each is.
#define NIBBLE_NPU_NUMBERS(X)                \
  X(Batch, "batch")                          \
  X(InH, "in_h")                             \
  X(InW, "in_w")                             \
  X(InC, "in_c")                             \
  X(OutH, "out_h")                           \
  X(OutW, "out_w")                           \
  X(OutC, "out_c")                           \
  X(Rank, "rank")                            \
  X(MaxDim, "max_dim")                       \
  X(InElems, "in_elems")                     \
  X(OutElems, "out_elems")                   \
  X(OtherElems, "other_elems")               \
  X(InBytes, "in_bytes")                     \
  X(OutBytes, "out_bytes")                   \
  X(InRow, "in_row")                         \
  X(OutRow, "out_row")                       \
  X(InPlane, "in_plane")                     \
  X(OutPlane, "out_plane")                   \
  X(Inputs, "inputs")                        \
  X(ConstInputs, "const_inputs")             \
  X(KH, "k_h")                               \
  X(KW, "k_w")                               \
  X(KernelArea, "kernel_area")               \
  X(DilatedH, "dilated_h")                   \
  X(DilatedW, "dilated_w")                   \
  X(DilatedArea, "dilated_area")             \
  X(StrideH, "stride_h")                     \
  X(StrideW, "stride_w")                     \
  X(DilationH, "dilation_h")                 \
  X(DilationW, "dilation_w")                 \
  X(PadTop, "pad_top")                       \
  X(PadLeft, "pad_left")                     \
  X(PadBottom, "pad_bottom")                 \
  X(PadRight, "pad_right")                   \
  X(PadMax, "pad_max")                       \
  X(Groups, "groups")                        \
  X(ChannelMultiplier, "channel_multiplier") \
  X(Depth, "depth")                          \
  X(FilterRow, "filter_row")                 \
  X(Weights, "weights")                      \
  X(WeightBytes, "weight_bytes")             \
  X(WeightBits, "weight_bits")               \
  X(BiasElems, "bias_elems")                 \
  X(BiasBytes, "bias_bytes")                 \
  X(BiasBits, "bias_bits")                   \
  X(Macs, "macs")                            \
  X(InsideMacs, "inside_macs")               \
  X(InBits, "in_bits")                       \
  X(OutBits, "out_bits")                     \
  X(ScaleH, "scale_h")                       \
  X(ScaleW, "scale_w")                       \
  X(SliceStep, "slice_step")
#define NIBBLE_NPU_FLAGS(X)                    \
  X(WeightSymmetric, "weight_symmetric")       \
  X(InSymmetric, "in_symmetric")               \
  X(OutSymmetric, "out_symmetric")             \
  X(PerChannel, "per_channel")                 \
  X(PowerOfTwoWeights, "power_of_two_weights") \
  X(PowerOfTwoData, "power_of_two_data")       \
  X(SameQuant, "same_quant")                   \
  X(Broadcast, "broadcast")                    \
  X(FixedWeights, "fixed_weights")             \
  X(HasBias, "has_bias")                       \
  X(CountPad, "count_pad")                     \
  X(AlignCorners, "align_corners")             \
  X(HalfPixelCenters, "half_pixel_centers")    \
  X(PadSymmetric, "pad_symmetric")             \
  X(JoinsNext, "joins_next")                   \
  X(JoinsPrevious, "joins_previous")
#define NIBBLE_NPU_WORDS(X) \
  X(Act, "act")             \
  X(Axes, "axes")           \
  X(Perm, "perm")           \
  X(InType, "in_type")      \
  X(OutType, "out_type")

#define NIBBLE_NPU_ENUMERATOR(Name, name) k##Name,
enum class NpuField : uint8_t {
  NIBBLE_NPU_NUMBERS(NIBBLE_NPU_ENUMERATOR) NIBBLE_NPU_FLAGS(NIBBLE_NPU_ENUMERATOR)
      NIBBLE_NPU_WORDS(NIBBLE_NPU_ENUMERATOR) kCount
};
#undef NIBBLE_NPU_ENUMERATOR
// Numbers stand before flags, flags before words.
inline constexpr NpuField kFirstNpuFlag = NpuField::kWeightSymmetric;
inline constexpr NpuField kFirstNpuWord = NpuField::kAct;
inline bool is_number_field(NpuField field) { return field < kFirstNpuFlag; }
inline bool is_flag_field(NpuField field) {
  return !is_number_field(field) && field < kFirstNpuWord;
}
inline bool is_word_field(NpuField field) { return field >= kFirstNpuWord; }
std::string_view npu_field_name(NpuField field);
std::optional<NpuField> find_npu_field(std::string_view name);

// The operators of graph/operators.h, which lies beside this folder and not below it; cost/npu/
// holds the two lists to each other.
std::span<const std::string_view> npu_operators();

// A figure of a file: itself, a parameter, or another number field of the layer.
struct NpuParameter {
  size_t index = 0;  // into Npu::parameters
};
using NpuNumber = std::variant<double, NpuParameter, NpuField>;

// What one field must be; every part that is there must hold. A bare value in a file is one_of it
// alone. Flags: one_of 0 or 1.
struct NpuRange {
  NpuField field = NpuField::kBatch;
  std::optional<NpuNumber> min, max, multiple_of, not_multiple_of;
  std::optional<std::vector<NpuNumber>> one_of, none_of;              // numbers and flags
  std::optional<std::vector<std::string>> word_one_of, word_none_of;  // words
};
// Holds if every range does; so an empty one always holds.
using NpuRanges = std::vector<NpuRange>;

// What every entry of a file has: the source in [sources], and how sure it is.
struct NpuEntry {
  std::string source;
  Confidence confidence = Confidence::kLow;
  std::vector<std::string> ops;  // empty: every operator
};

// What kind of change makes a layer legal. kRedesign: another network, trained anew. kRequantize:
// other scales, zero points or widths. kRewrite: the same arithmetic in another form.
enum class NpuFix { kRedesign, kRequantize, kRewrite };

// Why not, and what instead. May hold {field} and {field.legal}.
struct NpuText {
  NpuFix fix = NpuFix::kRedesign;
  std::string reason, replacement;
};

struct NpuRequirement : NpuEntry {
  NpuRanges when;              // asked for only where these hold
  std::vector<NpuRanges> any;  // one of which must hold; not empty
  NpuText text;
};

struct NpuAccept : NpuEntry {
  std::string name;
  NpuRanges where;
  bool free = false;  // the compiler only renames or places data
  std::vector<NpuRequirement> require;
};

struct NpuRefusal : NpuEntry {
  NpuText text;
};

// The accelerator does `ops` (first) and the one reader of the result, of `then`, in one layer.
struct NpuJoin : NpuEntry {
  std::vector<std::string> then;
  NpuRanges where;
  bool first_is_free = true;  // else `then` is
};

// times * product of ceil(field / granule).
struct NpuTerm {
  std::string unit;  // of a way; "serial": added to what the other units take side by side
  NpuNumber times = 1.0;
  std::vector<std::pair<NpuField, NpuNumber>> of;
};

struct NpuLimit : NpuEntry {
  enum class Over { kEach, kSum, kCount };
  std::string name, unit;
  Over over = Over::kEach;
  NpuRanges where;
  std::vector<NpuTerm> terms;  // empty only for kCount
  NpuNumber max = 0.0;
  NpuText text;
};

struct NpuWay : NpuEntry {
  std::string name;
  NpuRanges where;
  std::vector<NpuTerm> terms;
};

struct NpuStream : NpuEntry {
  std::string unit;
  NpuRanges where;
  std::vector<NpuField> of;
  NpuNumber bytes_per_cycle = 1.0;
  bool of_weights = false;  // which memory it reads: that of the weights, or of the data
};

struct NpuPower : NpuEntry {
  double clock_hz = 0, active_mw = 0;
  std::optional<double> supply_v;
  bool covers_chip = true;  // all of the chip; else to be added to what the chip draws itself
};

struct NpuCostFacts : NpuEntry {
  double inference_cycles = 0, layer_cycles = 0, handover_cycles = 0;
  std::optional<double> error_percent, energy_error_percent;  // of time, of energy; largest seen
};

struct NpuVariant : NpuEntry {
  double macs_per_cycle = 0;
  std::string title;
  std::vector<std::pair<NpuParameter, double>> parameters;
};

struct Npu {
  std::string name, title, vendor, compiler;
  bool rules_known = true;     // legality = "rules"
  std::string unknown_reason;  // where they are not
  int64_t clock_hz = 0;        // 0: the file says none
  double macs_per_cycle = 0;   // 0: the file says none
  std::vector<std::pair<std::string, double>> parameters;
  std::vector<NpuVariant> variants;
  std::vector<NpuRequirement> require;
  std::vector<NpuAccept> accept;
  std::vector<NpuRefusal> refuse;
  std::vector<NpuJoin> joins;
  std::vector<NpuLimit> limits;
  std::vector<NpuWay> ways;
  std::vector<NpuStream> streams;
  std::vector<NpuPower> power;  // by clock, all with the same covers_chip
  NpuCostFacts cost;
  std::vector<Source> sources;  // in the order of the file
};

// Lower-case letters, digits and '-'.
bool is_npu_name(std::string_view name);
// FOLDER/npus/ENGINE.toml of the first of target_folders() that has it; nothing where none has:
// then nothing is known of that accelerator. Errors: as parse_npu.
Result<std::optional<Npu>> find_npu(const std::string& engine);
// By name; an earlier folder's file hides later ones.
Result<std::vector<Npu>> all_npus();
// Every key is checked; errors say file, line, field and what would be right.
Result<Npu> read_npu(const std::filesystem::path& path);
Result<Npu> parse_npu(std::string_view text, const std::string& name);

// The file's own parameters, with those of the variant that is nearest to macs_per_cycle (0: to the
// file's own) in their place.
Npu with_variant(Npu npu, double macs_per_cycle);

}  // namespace nibble
