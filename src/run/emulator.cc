#include "run/emulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "base/file.h"
#include "base/parallel.h"
#include "base/text.h"
#include "run/process.h"

namespace nibble {

namespace fs = std::filesystem;

namespace {

constexpr int kExitFault = 70;                // ports/*/start.c
constexpr size_t kMinSamplesPerEmulator = 4;  // below, starting another costs more than it saves

// $NIBBLE_COUNTER, beside an installed program, or in the build tree.
Result<fs::path> counter_plugin() {
  std::vector<fs::path> places;
  if (const char* variable = std::getenv("NIBBLE_COUNTER")) places.emplace_back(variable);
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error)
    places.push_back(program.parent_path().parent_path() / "lib" / "nibble" /
                     fs::path(NIBBLE_COUNTER_PLUGIN).filename());
  places.emplace_back(NIBBLE_COUNTER_PLUGIN);
  for (const fs::path& place : places)
    if (fs::is_regular_file(place, error)) return place;
  return input_error(fmt::format(
      "the instruction counter for the emulator is missing ({}); build or install nibble again",
      places.back().string()));
}

// The emulator's options separate their parts by commas; a comma in a name is doubled.
std::string option_text(const fs::path& path) {
  std::string text;
  for (char c : path.string()) text += c == ',' ? ",," : std::string(1, c);
  return text;
}

Result<std::vector<std::string>> emulator_command(const EmulatorJob& job) {
  NIBBLE_ASSIGN(std::string emulator, require_program(job.machine->emulator, job.machine->package));
  NIBBLE_ASSIGN(fs::path plugin, counter_plugin());
  std::vector<std::string> command = {emulator, "-M", std::string(job.machine->board)};
  command.insert(command.end(), job.machine->arguments.begin(), job.machine->arguments.end());
  for (const char* argument :
       {"-display", "none", "-monitor", "none", "-serial", "none", "-parallel", "none", "-net",
        "none", "-semihosting-config", "enable=on,target=native", "-kernel"})
    command.emplace_back(argument);
  command.push_back(job.firmware->path.string());
  command.insert(command.end(), job.emulator_arguments.begin(), job.emulator_arguments.end());
  command.emplace_back("-plugin");
  command.push_back(option_text(plugin) + ",marks=marks.txt,totals=totals.bin");
  return command;
}

// Output of the emulator without its warnings about devices we do not use.
std::string relevant_output(const std::string& output) {
  std::string text;
  for (const std::string& line : split(output, '\n'))
    if (line.find("has no peer") == std::string::npos && !line.empty()) text += line + "\n";
  return last_lines(text, 8);
}

Status check_end(const EmulatorJob& job, const ProcessResult& ended) {
  if (ended.succeeded()) return {};
  std::string output = relevant_output(ended.output);
  std::string what =
      ended.exit_code == kExitFault ? "stopped in a fault of the core" : ended.how_it_ended();
  std::string advice = ended.timed_out ? " Fewer samples or a longer --timeout would help." : "";
  return input_error(fmt::format("'{}' on the emulated {} ({}) {}.{} Last output: {}",
                                 job.library->name, job.machine->name, job.machine->emulator, what,
                                 advice, output.empty() ? "none" : output));
}

// As the counter writes it.
struct Record {
  uint64_t id = 0;
  InstructionMix executed{};
};

InstructionMix difference(InstructionMix after, const InstructionMix& before) {
  add_mix(after, before, -1);
  return after;
}

Result<std::vector<InstructionCount>> read_counts(const EmulatorJob& job,
                                                  std::span<const uint8_t> bytes, size_t samples,
                                                  uint64_t& executed) {
  auto broken = [&](const std::string& what) {
    return input_error(fmt::format("instruction counts of '{}' on {}: {} (a bug of nibble)",
                                   job.library->name, job.machine->name, what));
  };
  const size_t layer_count = layer_calls(*job.program).size();
  std::vector<InstructionCount> counts;
  Record entered = {}, previous = {};
  bool inside = false;
  for (size_t at = 0; at + sizeof(Record) <= bytes.size(); at += sizeof(Record)) {
    Record record;
    std::memcpy(&record, bytes.data() + at, sizeof record);
    executed = instructions_of(record.executed);
    if (record.id == kMarkEnter) {
      if (inside) return broken("entered twice");
      inside = true;
      entered = previous = record;
      counts.emplace_back();
    } else if (!inside) {
      return broken(fmt::format("mark {} outside of an inference", record.id));
    } else if (record.id == kMarkReturn) {
      counts.back().total = difference(record.executed, entered.executed);
      inside = false;
    } else {
      if (record.id >= layer_count) return broken(fmt::format("mark of layer {}", record.id));
      std::vector<InstructionMix>& layers = counts.back().layers;
      layers.resize(layer_count);
      add_mix(layers[record.id], difference(record.executed, previous.executed));
      previous = record;
    }
  }
  if (counts.size() != samples || inside)
    return broken(fmt::format("{} inferences instead of {}", counts.size(), samples));
  return counts;
}

std::string marks_text(const EmulatorJob& job) {
  std::string text;
  for (const Mark& mark : firmware_marks(job.firmware->elf, *job.library))
    text += fmt::format("{:x} {}\n", mark.address, mark.id);
  return text;
}

}  // namespace

Result<EmulatedRun> emulate(const EmulatorJob& job, std::span<const std::vector<Tensor>> samples) {
  std::error_code error;
  fs::create_directories(job.dir, error);
  NIBBLE_TRY(write_text_file(job.dir / "marks.txt", marks_text(job)));
  NIBBLE_TRY(write_file(job.dir / "input.bin", harness_input(samples)));
  NIBBLE_ASSIGN(std::vector<std::string> command, emulator_command(job));
  // The firmware writes each sample's outputs as it goes: the file's size is how far it is.
  int64_t reported = 0;
  auto report = [&] {
    std::error_code missing;
    uint64_t bytes = fs::file_size(job.dir / "output.bin", missing);
    auto done = missing ? 0 : static_cast<int64_t>(bytes / harness_sample_bytes(*job.program));
    if (job.progress && done > reported) job.progress->add(done - reported);
    reported = std::max(reported, done);
  };
  NIBBLE_ASSIGN(ProcessResult ended, run_process(command, job.dir, job.timeout_seconds, report));
  report();
  NIBBLE_TRY(check_end(job, ended));

  EmulatedRun run;
  run.seconds = ended.seconds;
  NIBBLE_ASSIGN(std::vector<uint8_t> output, read_file(job.dir / "output.bin"));
  NIBBLE_ASSIGN(run.samples, harness_output(output, *job.program, samples.size()));
  for (size_t s = 0; s < run.samples.size(); ++s)
    if (run.samples[s].status != 0)
      return input_error(fmt::format("'{}' on the emulated {}: {}_invoke returned {} for sample {}",
                                     job.library->name, job.machine->name, job.library->name,
                                     run.samples[s].status, s));
  NIBBLE_ASSIGN(std::vector<uint8_t> totals, read_file(job.dir / "totals.bin"));
  NIBBLE_ASSIGN(run.counts, read_counts(job, totals, samples.size(), run.executed));
  return run;
}

Result<EmulatedRun> emulate_parallel(const EmulatorJob& job,
                                     std::span<const std::vector<Tensor>> samples) {
  size_t emulators = std::clamp<size_t>(samples.size() / kMinSamplesPerEmulator, 1,
                                        static_cast<size_t>(parallel_workers()));
  std::vector<std::optional<Result<EmulatedRun>>> parts(emulators);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < emulators; ++i) {
    size_t begin = samples.size() * i / emulators, end = samples.size() * (i + 1) / emulators;
    EmulatorJob part = job;
    part.dir = job.dir / fmt::format("part{}", i);
    threads.emplace_back([part, block = samples.subspan(begin, end - begin), &out = parts[i]] {
      out.emplace(emulate(part, block));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EmulatedRun whole;
  for (auto& part : parts) {
    NIBBLE_ASSIGN(EmulatedRun run, std::move(*part));
    std::move(run.samples.begin(), run.samples.end(), std::back_inserter(whole.samples));
    std::move(run.counts.begin(), run.counts.end(), std::back_inserter(whole.counts));
    whole.executed += run.executed;
    whole.seconds = std::max(whole.seconds, run.seconds);
  }
  return whole;
}

}  // namespace nibble
