// What a model will cost on a part before anything is built: whether it fits, and how long, how
// much energy, how many days on a battery; with nibble's own code, with other engines, and on the
// part's accelerator. Memory is the plan's own; time and energy are cost/'s, each with its range.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cost/cost.h"
#include "lower/lower.h"
#include "pipeline/calibration.h"
#include "quantize/quantize.h"
#include "target/target.h"

namespace nibble {

// A model as estimates see it.
struct EstimatedModel {
  std::string name;
  Graph integer;  // what is lowered
  // As other engines have it: with its constant channels, and without.
  Graph all, live;
  // What the maker's compiler of an accelerator gets: the file as it is, or what nibble quantized.
  Graph handed_over;
  bool was_float = false;
  std::string note;  // how the integers of a float model came about; empty: it had them
};
struct EstimatedModelOptions {
  // Of a float model alone; nothing: 8 bits; random numbers.
  std::optional<QuantizeOptions> quantize;
  std::optional<CalibrationRequest> calibration;
};
// A float model is quantized only to have a program: without calibration on random inputs
// (doc/cost.md says how far that changes what it costs). Errors: those of import_model and
// quantize; options for a model that is quantized already.
Result<EstimatedModel> read_estimated_model(const std::filesystem::path& path,
                                            const EstimatedModelOptions& options);

enum class EstimateBy { kLatency, kEnergy, kPower, kFlash, kRam };
// "latency", "energy", "power", "flash", "ram", in this order.
const std::vector<std::string>& estimate_orders();

struct EstimateQuery {
  std::vector<Target> targets;
  // Other engines (peer_stacks()), predicted beside nibble on every target.
  std::vector<std::string> engines;
  Optimize optimize = Optimize::kBalanced;
  Duty duty;
  // Limits; nothing: none. Of a prediction its median counts.
  std::optional<double> max_latency_ms, max_energy_uj, max_power_mw;
  bool only_npu = false;
  // Code is compiled for its size, where the target's compiler is there; else predicted.
  bool measure_code = false;
  EstimateBy order = EstimateBy::kLatency;
  std::string focus;  // one of the targets, whose layers the document shows; empty: none
};

// Who computes: code of nibble on the core, another engine there, or the part's accelerator with
// what its maker's compiler makes (the rest on the core, by nibble).
enum class EstimateOf { kNibble, kPeer, kNpu };

// What a part lacks, or a limit that it misses.
struct Shortfall {
  std::string of;               // "RAM", "latency"
  std::string needs, has;       // "30.1 KB", "8.0 KB"; both empty: words alone say it
  std::optional<double> ratio;  // needs / has, above 1; nothing where the figure is not known
};

struct RamParts {
  int64_t arena = 0, copied_weights = 0;  // the library's
  int64_t stack = 0;                      // the most that it took in any model
  int64_t total() const { return arena + copied_weights + stack; }
  // The caller's own inputs and outputs, beside that: only where it does not use those in the
  // arena.
  int64_t ports = 0;
};

struct PartEstimate {
  std::shared_ptr<const Target> target;
  EstimateOf of = EstimateOf::kNibble;
  std::string engine;  // "nibble", "X-CUBE-AI 10.2", "Ethos-U55"
  // Why it is out: what it lacks of memory, what it misses of the limits. Empty: it is in.
  std::vector<std::string> why_not;
  std::vector<Shortfall> shortfalls;  // the same, one for each
  std::vector<std::string> notes;     // why a figure is missing or doubtful
  // Of nibble's program; other engines and accelerators are taken to need no less.
  int64_t flash_bytes = 0;
  RamParts ram;
  bool code_is_measured = false;
  int bands = 0;  // layers that run band by band
  std::optional<CostFigure> cycles, latency_ms, energy_uj, power_mw;
  DutyCost duty;
  std::vector<LayerEstimate> layers;
  std::vector<std::string> unseen;  // what was never measured: "core", "board", "stack"
  std::string provenance;
  std::optional<PublishedError> latency_error, energy_error;
  std::optional<NpuEstimate> npu;
  // The accelerator's figures are with its layers as it asks for them (NpuEstimate::changed): how a
  // float model is quantized is still open.
  bool npu_as_asked = false;
  bool fits() const { return why_not.empty(); }
};

struct Estimates {
  std::string model, note;
  bool was_float = false;
  EstimateQuery query;
  std::vector<PartEstimate> parts;  // those that are in first, each by the order of the query
};
// What --max-power is held against: the average with a rate, else the power while it infers.
const std::optional<CostFigure>& limited_power(const PartEstimate& part,
                                               const EstimateQuery& query);
// Errors: an engine that nobody has measured, or that is not made for the core of the only target;
// the model computes in float, or in operators without kernels. A single target of which nothing
// can be said is no error: its notes say why.
Result<Estimates> estimate_parts(const EstimatedModel& model, EstimateQuery query);

// The document of `nibble estimate --json` (doc/cli.md); also what report.json has as `estimate`.
nlohmann::ordered_json estimates_json(const Estimates& estimates);
// The same for a terminal: one part in full, several as a table of at most `most` rows. From the
// JSON alone.
std::string format_estimates(const nlohmann::ordered_json& estimates, size_t most);

}  // namespace nibble
