// What an accelerator makes of a network: which layers run on it, why the others do not and what
// would, and what time and energy the network takes with it. Nothing here knows an accelerator by
// name: all rules and figures stand in targets/npus/NAME.toml (target/npu.h, doc/npus.md).
//
// Legality. A layer is legal if one `accept` selects it and meets every requirement of the file, of
// that entry, and every limit over "each" (of an entry that is no work: its own only). Otherwise
// the entry with the fewest unmet ones gives the reasons, and their kind gives the verdict; without
// an entry the first `refuse` of its operator.
//
// Cycles. With n / g = ceil(field / granule), multiplied over the fields of a term:
//   cycles(way, layer)  = sum of serial terms + max over other units (sum of its terms and streams)
//   cycles(stream)      = (sum of its fields) / bytes_per_cycle
//   cycles(layer)       = min over the ways that select it (+ layer_cycles unless joined); 0: free
//   cycles(network)     = inference_cycles + sum of its layers + handover_cycles * handovers
//   seconds             = cycles(network) / clock + CPU seconds of the other layers
// A stream from a bank of the target that is slower than the file says takes that bank's rate:
// line_bytes / (1 + wait_cycles) bytes per cycle of the core.
// Energy = seconds on the accelerator * the chip's power meanwhile (cost/npu/power.h; of two clocks
// linear between them, proportional to the clock outside) + the CPU's seconds * the chip's power.
//
// Left out: tiling where activations do not fit (a stream counts each byte once), compression of
// weights, sparsity, the CPU and the accelerator in each other's way at one memory.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "target/target.h"

namespace nibble {

// Every field of one layer; doc/npus.md has what each is.
struct NpuLayer {
  std::string op;
  std::array<double, static_cast<size_t>(kFirstNpuWord)> numbers{};  // flags: 0 or 1
  std::array<std::string,
             static_cast<size_t>(NpuField::kCount) - static_cast<size_t>(kFirstNpuWord)>
      words;

  double number(NpuField field) const { return numbers[static_cast<size_t>(field)]; }
  bool flag(NpuField field) const { return number(field) != 0; }
  const std::string& word(NpuField field) const {
    return words[static_cast<size_t>(field) - static_cast<size_t>(kFirstNpuWord)];
  }
  void set(NpuField field, double value) { numbers[static_cast<size_t>(field)] = value; }
  void set(NpuField field, std::string value) {
    words[static_cast<size_t>(field) - static_cast<size_t>(kFirstNpuWord)] = std::move(value);
  }
};

// Of a node of an imported, simplified or quantized graph. joins_next and joins_previous are false:
// they are the accelerator's to say.
NpuLayer npu_layer(const Graph& graph, const Node& node);

// kFree: no work there. kRewrite, kRequantize: on the CPU as the graph stands, on the accelerator
// after such a change. kUnknown: nobody has published the rules.
enum class NpuVerdict { kNpu, kFree, kRewrite, kRequantize, kCpu, kUnknown };
std::string_view npu_verdict_name(NpuVerdict verdict);

struct NpuReason {
  NpuFix fix = NpuFix::kRedesign;
  std::string reason, replacement;  // replacement: empty only of kUnknown and "no rule accepts"
  Confidence confidence = Confidence::kLow;
};

struct NpuLegality {
  NpuVerdict verdict = NpuVerdict::kCpu;
  std::vector<NpuReason> reasons;  // those for a redesign first; empty for kNpu and kFree
};
NpuLegality npu_legality(const Npu& npu, const NpuLayer& layer);

struct NpuLayerEstimate {
  int node = 0;  // index into graph.nodes
  std::string name, op;
  NpuVerdict verdict = NpuVerdict::kCpu;
  std::vector<NpuReason> reasons;
  // On the accelerator, as the layer stands, with layer_cycles; nothing for kCpu, and where no way
  // of the file selects it.
  std::optional<double> cycles;
  std::string way;         // "depth first"
  bool joined = false;     // done in one layer with its neighbour, so it pays no layer_cycles
  double cpu_seconds = 0;  // what it takes on the CPU; 0 for kFree
};

// A limit of the whole network that it exceeds.
struct NpuExcess {
  std::string limit, unit;
  double amount = 0, max = 0;
  NpuReason why;
};

struct NpuNetworkCost {
  double cycles = 0;  // on the accelerator
  double npu_seconds = 0, cpu_seconds = 0;
  int handovers = 0;  // changes between accelerator and CPU, free layers left out
  int unpriced = 0;   // layers on the accelerator that no way selects, such as those to be folded
  int unpriced_weighted = 0;  // of these, such as multiply: without them the rest says little
  std::optional<double> energy_uj;
  double cpu_uj = 0;  // of that, what the CPU's layers take
  double seconds() const { return npu_seconds + cpu_seconds; }
};

// The range of time and energy where nobody has published any to hold it against.
inline constexpr double kGuessPercent = 50;

struct NpuEstimate {
  std::string engine, title, compiler;
  double macs_per_cycle = 0;
  int64_t clock_hz = 0;
  std::vector<NpuLayerEstimate> layers;  // one per node, in order
  std::vector<NpuExcess> excess;         // not empty: too large for the accelerator
  // As the graph stands; with the layers to rewrite or requantize on the accelerator. Nothing where
  // the file has no model of cycles or nobody knows the clock.
  std::optional<NpuNetworkCost> as_is, changed;
  std::optional<double> error_percent, energy_error_percent;  // 80 of 100 within them
  std::string error_source;     // what those rest on, as the file says
  bool power_is_guess = false;  // nobody has published the chip's power while it works
  int count(NpuVerdict verdict) const;
  // Layers that are work there, and those that stay on the CPU: as the graph stands, or,
  // `as_asked`, with those to rewrite or requantize changed.
  int there(bool as_asked) const;
  int on_cpu(bool as_asked) const;
};

// Seconds that a node of the graph takes on the target's CPU.
using CpuSeconds = std::function<double(const Node& node)>;

// target.npu must be there. `npu` is find_npu(target.npu->engine): nothing makes every layer
// unknown. The target's clock, macs_per_cycle and memory banks go before the file's.
NpuEstimate estimate_npu(const Graph& graph, const Target& target, const std::optional<Npu>& npu,
                         const CpuSeconds& cpu_seconds);

}  // namespace nibble
