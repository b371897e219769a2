// The links of the equality chain, each compared with the one before it.
#include "chain/chain.h"

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/rng.h"
#include "chain/host_trace.h"
#include "emit/emit.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "run/run.h"

namespace nibble {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const Tensor& tensor) { return {tensor.bytes().begin(), tensor.bytes().end()}; }

Error differs(const std::string& link, const std::string& where, std::span<const uint8_t> expected,
              std::span<const uint8_t> got) {
  if (expected.size() != got.size())
    return input_error(
        fmt::format("{}: {}: {} bytes, expected {}", link, where, got.size(), expected.size()));
  auto [left, right] = std::ranges::mismatch(expected, got);
  size_t count = 0;
  for (size_t i = 0; i < expected.size(); ++i) count += expected[i] != got[i];
  return input_error(fmt::format("{}: {}: byte {} is {}, expected {} ({} of {} differ)", link,
                                 where, left - expected.begin(), static_cast<int8_t>(*right),
                                 static_cast<int8_t>(*left), count, expected.size()));
}

std::string layer_text(const Program& program, size_t call) {
  const KernelCall& layer = *layer_calls(program)[call];
  return fmt::format("call {}, layer \"{}\" ({}, {}, {})", call, layer.layer, layer.op,
                     function_name(program, layer), layer.shapes);
}

int dst_buffer(const KernelCall& call) {
  for (const Operand& operand : call.operands)
    if (operand.role == Operand::Role::kDst) return operand.buffer;
  NIBBLE_CHECK(false, "{} has no dst", call.kernel);
}

// A node of several calls (concat) is complete after its last; before it, part of dst holds
// whatever lay there.
std::map<std::string, size_t> last_calls(const Program& program) {
  std::map<std::string, size_t> last;
  const std::vector<const KernelCall*> layers = layer_calls(program);
  for (size_t i = 0; i < layers.size(); ++i) last[layers[i]->layer] = i;
  return last;
}

// Link one: each node of the interpreter against the buffers of the program, at the plan's offsets.
class HostLink {
 public:
  HostLink(const Graph& graph, const Program& program, const MemoryPlan& plan)
      : program_(program),
        interpreter_(graph),
        host_(program, plan.offsets, plan.arena_bytes),
        last_call_(last_calls(program)) {}

  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) {
    std::map<std::string, Bytes> expected;
    std::vector<Tensor> outputs =
        interpreter_.run(inputs, [&](const Node& node, std::span<const Tensor> results) {
          expected[node.name] = bytes_of(results[0]);
        });
    dst_.clear();
    std::optional<Error> first;
    const std::vector<const KernelCall*> layers = layer_calls(program_);
    host_.set_observer([&](size_t call) {
      std::span<const uint8_t> got = host_.buffer(dst_buffer(*layers[call]));
      dst_.emplace_back(got.begin(), got.end());
      const std::string& layer = layers[call]->layer;
      if (first || last_call_.at(layer) != call) return;
      if (!std::ranges::equal(expected[layer], got))
        first = differs("portable kernels on the host", layer_text(program_, call), expected[layer],
                        got);
    });
    std::vector<Tensor> got = host_.run(inputs);
    if (first) return *first;
    for (size_t i = 0; i < outputs.size(); ++i)
      if (!std::ranges::equal(outputs[i].bytes(), got[i].bytes()))
        return differs("portable kernels on the host", "output " + program_.outputs[i].name,
                       outputs[i].bytes(), got[i].bytes());
    return outputs;
  }

  // The dst of every call of the last run.
  const std::vector<Bytes>& dst() const { return dst_; }

 private:
  const Program& program_;
  Interpreter interpreter_;
  HostProgram host_;
  const std::map<std::string, size_t> last_call_;
  std::vector<Bytes> dst_;
};

// Which layer of a sample went wrong first, from the bytes of every call.
Error first_layer(const std::string& link, const Program& program,
                  const std::vector<Bytes>& expected, const std::vector<Bytes>& got) {
  const std::map<std::string, size_t> last = last_calls(program);
  const std::vector<const KernelCall*> layers = layer_calls(program);
  for (size_t call = 0; call < expected.size() && call < got.size(); ++call)
    if (last.at(layers[call]->layer) == call && expected[call] != got[call])
      return differs(link, layer_text(program, call), expected[call], got[call]);
  return input_error(link + ": every layer is equal, but an output is not: the copies are wrong");
}

// The first sample whose outputs differ; the number of samples if none does.
size_t first_difference(const std::vector<std::vector<Tensor>>& expected,
                        const std::vector<std::vector<Tensor>>& got) {
  for (size_t s = 0; s < got.size(); ++s)
    for (size_t i = 0; i < expected[s].size(); ++i)
      if (!std::ranges::equal(expected[s][i].bytes(), got[s][i].bytes())) return s;
  return got.size();
}

// A program with what was made of it.
struct Build {
  Program program;
  MemoryPlan plan;
  Library library;
};

struct Chain {
  const Graph& graph;
  const std::vector<std::vector<Tensor>>& samples;
  const ChainOptions& options;
  ChainReport report;

  Result<Build> build(const LowerOptions& lower_options) const {
    Build result;
    NIBBLE_ASSIGN(result.program, lower(graph, lower_options));
    NIBBLE_ASSIGN(result.plan, options.planner ? options.planner(result.program)
                                               : plan_in_best_order(result.program));
    NIBBLE_TRY(check_plan(result.program, result.plan));
    NIBBLE_ASSIGN(result.library, emit(result.program, result.plan));
    if (options.tamper) options.tamper(result.library);
    return result;
  }

  Status portable_links() {
    NIBBLE_ASSIGN(Build portable, build({}));
    HostLink link(graph, portable.program, portable.plan);
    for (const std::vector<Tensor>& sample : samples) {
      NIBBLE_ASSIGN(std::vector<Tensor> outputs, link.run(sample));
      report.outputs.push_back(std::move(outputs));
    }
    report.weight_bytes = portable.library.weight_bytes;
    report.plan = portable.plan;
    if (!options.sanitized) return {};
    return sanitized_link(portable, "generated C on the host under sanitizers");
  }

  // What every call of the program writes for this sample, by the portable kernels.
  Result<std::vector<Bytes>> expected_trace(const Build& build, size_t sample) const {
    HostLink link(graph, build.program, build.plan);
    NIBBLE_ASSIGN(std::vector<Tensor> outputs, link.run(samples[sample]));
    return link.dst();
  }

  Status sanitized_link(const Build& build, const std::string& name) const {
    NIBBLE_ASSIGN(auto outputs, run_on_host_sanitized(build.library, build.program, samples));
    size_t sample = first_difference(report.outputs, outputs);
    if (sample == outputs.size()) return {};
    NIBBLE_ASSIGN(std::vector<Bytes> expected, expected_trace(build, sample));
    NIBBLE_ASSIGN(std::vector<Bytes> got,
                  trace_on_host(build.library, build.program, build.plan, samples[sample]));
    return first_layer(fmt::format("{}, sample {}", name, sample), build.program, expected, got);
  }

  // The program of a target has functions of its own: first their plain C, then the core.
  Status target_link(const std::string& name) {
    NIBBLE_ASSIGN(Target target, find_target(name));
    LowerOptions lowering = lower_options(target);
    lowering.draw_seed = options.draw_seed;
    NIBBLE_ASSIGN(Build on_target, build(lowering));
    report.functions.push_back(on_target.program.functions.size());
    if (options.sanitized && !on_target.program.functions.empty())
      NIBBLE_TRY(sanitized_link(
          on_target, "plain C of the functions for " + name + " on the host under sanitizers"));
    std::vector<std::vector<Tensor>> some(
        samples.begin(),
        samples.begin() + static_cast<long>(std::min(options.target_samples, samples.size())));
    NIBBLE_ASSIGN(RunResult result,
                  run_on_target(on_target.library, on_target.program, target, some));
    report.instructions_per_inference.push_back(result.instructions_per_inference);
    size_t sample = first_difference(report.outputs, result.outputs);
    if (sample == result.outputs.size()) return {};
    RunOptions run_options;
    run_options.layer_trace = true;
    run_options.buffer_offsets = on_target.plan.offsets;
    NIBBLE_ASSIGN(RunResult traced, run_on_target(on_target.library, on_target.program, target,
                                                  {samples[sample]}, run_options));
    NIBBLE_ASSIGN(std::vector<Bytes> expected, expected_trace(on_target, sample));
    return first_layer(fmt::format("generated C on {}, sample {}", name, sample), on_target.program,
                       expected, traced.trace);
  }
};

}  // namespace

Result<ChainReport> check_chain(const Graph& graph, const std::vector<std::vector<Tensor>>& samples,
                                const ChainOptions& options) {
  Chain chain{graph, samples, options, {}};
  NIBBLE_TRY(chain.portable_links());
  for (const std::string& target : options.targets) NIBBLE_TRY(chain.target_link(target));
  return std::move(chain.report);
}

std::vector<std::vector<Tensor>> random_samples(const Graph& graph, size_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<std::vector<Tensor>> samples(count);
  for (std::vector<Tensor>& sample : samples)
    for (const Port& port : graph.inputs) {
      const TensorType& type = graph.type(port.value);
      Tensor& tensor = sample.emplace_back(type);
      if (type.dtype == DType::kF32) {
        for (float& elem : tensor.mutable_data<float>())
          elem = static_cast<float>(rng.uniform(-4, 4));
        continue;
      }
      int64_t low = dtype_min(type.dtype), high = dtype_max(type.dtype);
      // Accumulators of 16-bit activations come near their bounds only at the ends.
      bool ends = type.dtype == DType::kS16 && rng.next() % 4 == 0;
      for (int64_t i = 0; i < tensor.size(); ++i)
        tensor.set_integer_at(i, ends ? (rng.next() % 2 ? low : high) : rng.integer(low, high));
    }
  return samples;
}

}  // namespace nibble
