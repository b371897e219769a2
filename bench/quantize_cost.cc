// What quantization costs: seconds of calibration, of repairs and of learning, and the most memory
// that each takes beyond model and data; each measured in a process of its own.
//   nibble_quantize_cost [-q] [MODEL...]
// -q: without what is learned, which takes minutes. MODEL: only models with that in their names.
// 500 and 1,000 calibration samples; where there are fewer, they are taken again and again.
// Exits with 1 if a cell failed; says on stderr what each one was.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>

#include "base/file.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "benchmark_models.h"
#include "quantize/quantize.h"
#include "shared_folder.h"

namespace nibble {
namespace {

constexpr int64_t kFewSamples = 500, kManySamples = 1000;

// What is measured: the stage of this name (of QuantizeReport::times) when these options are used
// on so many samples; empty: all that stands before, reading model and data.
struct Work {
  std::string name, stage;
  int64_t samples = kFewSamples;
  QuantizeOptions options;
};

Work calibration(const std::string& calibrator, int64_t samples) {
  const Recipe recipe = make_recipe(calibrator, {"calibrator=" + calibrator});
  return {fmt::format("calibration, {}, {} samples", calibrator, samples), "calibration", samples,
          recipe.options};
}

Work method(const std::string& name) {
  const Recipe recipe = make_recipe(name, {"weight-bits=4"}, {name});
  return {name, name, kFewSamples, recipe.options};
}

std::vector<Work> all_work(bool learning) {
  std::vector<Work> work = {{"model and data read", "", kManySamples, {}}};
  for (int64_t samples : {kFewSamples, kManySamples})
    for (const char* calibrator : {"min-max", "mse", "entropy"})
      work.push_back(calibration(calibrator, samples));
  for (const char* name : {"equalize", "clip-weights", "squant", "gptq", "gptaq", "correct-bias"})
    work.push_back(method(name));
  if (!learning) return work;
  const Recipe learned = make_recipe("learned ranges", {"calibrator=learned"});
  work.push_back({"libtorch loaded", "libtorch", kFewSamples, learned.options});
  work.push_back({"learned ranges", "learned ranges", kFewSamples, learned.options});
  for (const char* name : {"adaround", "adaquant", "brecq", "qdrop"}) work.push_back(method(name));
  return work;
}

struct Cost {
  double seconds = 0;
  int64_t bytes = 0;
};

// "VmRSS": what the process has in memory, "VmHWM": the most that it had.
Result<int64_t> memory_bytes(std::string_view field) {
  NIBBLE_ASSIGN(const std::string status, read_text_file("/proc/self/status"));
  for (const std::string& line : split(status, '\n')) {
    if (!line.starts_with(field)) continue;
    const std::string_view number = trim(std::string_view(line).substr(field.size() + 1));
    NIBBLE_ASSIGN(const int64_t kilobytes, parse_int(number.substr(0, number.find(' '))));
    return kilobytes * 1024;
  }
  return input_error("/proc/self/status says no " + std::string(field));
}

// From here on VmHWM is the most that the process has had since.
Status forget_peak() {
  malloc_trim(0);
  std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
  const bool done = file && std::fputs("5", file) >= 0;
  if ((file && std::fclose(file) != 0) || !done)
    return input_error("/proc/self/clear_refs cannot be written, and peaks not be told apart");
  return {};
}

// The samples that refining methods read are part of what they take.
Result<double> seconds_of(const Graph& real, const CalibrationData& samples, const Work& work) {
  if (work.stage == "libtorch") {
    const Stopwatch loading;
    NIBBLE_TRY(check_train());
    return loading.seconds();
  }
  QuantizeReport report;
  NIBBLE_TRY(learn_quantized(real, samples, work.options, &report));
  std::optional<double> inputs, seconds;
  for (const StageTime& time : report.times) {
    if (time.name == "layer inputs") inputs = time.seconds;
    if (time.name == work.stage) seconds = time.seconds;
  }
  if (!seconds) return input_error("no stage " + work.stage);
  return *seconds + (work.stage == "calibration" ? 0 : inputs.value_or(0));
}

// In the process that measures.
Result<Cost> cost_of(const std::filesystem::path& shared, const ModelPair& pair, const Work& work) {
  const Stopwatch reading;
  NIBBLE_ASSIGN(const int64_t empty, memory_bytes("VmRSS"));
  NIBBLE_ASSIGN(Graph real, import_model(shared / "data/models" / pair.real));
  NIBBLE_ASSIGN(Dataset data, read_task(shared, pair, real, DataPart::kCalibration, work.samples));
  const CalibrationData once = calibration_data(data, real);
  if (once.count <= 0) return input_error("no calibration samples");
  const CalibrationData samples = {
      work.samples, [&once](int64_t index) { return once.sample(index % once.count); }};
  Cost cost;
  cost.seconds = reading.seconds();
  NIBBLE_TRY(forget_peak());
  NIBBLE_ASSIGN(const int64_t before, memory_bytes("VmRSS"));
  cost.bytes = before - empty;
  if (work.stage.empty()) return cost;
  NIBBLE_ASSIGN(cost.seconds, seconds_of(real, samples, work));
  NIBBLE_ASSIGN(const int64_t peak, memory_bytes("VmHWM"));
  cost.bytes = peak - before;
  return cost;
}

// In a child, which inherits nothing large: the parent reads no model.
Result<Cost> measured(const std::function<Result<Cost>()>& measure) {
  int ends[2];
  if (pipe(ends) != 0) return input_error(std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) return input_error(std::strerror(errno));
  if (child == 0) {
    close(ends[0]);
    const Result<Cost> cost = measure();
    const std::string text =
        cost.ok() ? fmt::format("{} {}", cost->seconds, cost->bytes) : cost.error().message;
    const bool written = write(ends[1], text.data(), text.size()) >= 0;
    _exit(cost.ok() && written ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = read(ends[0], part, sizeof part)) > 0;)
    text.append(part, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child) return input_error(std::strerror(errno));
  if (!WIFEXITED(status)) return input_error(fmt::format("died by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return input_error(text);
  const std::vector<std::string> numbers = split(text, ' ');
  Cost cost;
  NIBBLE_ASSIGN(cost.seconds, parse_double(numbers.at(0)));
  NIBBLE_ASSIGN(cost.bytes, parse_int(numbers.at(1)));
  return cost;
}

int run(int argc, char** argv) {
  std::vector<std::string> wanted(argv + 1, argv + argc);
  const bool learning = std::erase(wanted, "-q") == 0;
  auto is_wanted = [&](const std::string& model) {
    return wanted.empty() || std::ranges::any_of(wanted, [&](const std::string& part) {
             return model.find(part) != std::string::npos;
           });
  };
  Progress::disable();
  const std::filesystem::path shared = shared_folder();
  const std::vector<Work> work = all_work(learning);
  std::vector<std::vector<std::string>> rows(work.size() + 1);
  rows[0] = {fmt::format("{} threads", parallel_workers())};
  for (size_t w = 0; w < work.size(); ++w) rows[w + 1] = {work[w].name};
  int failures = 0;
  for (const ModelPair& pair : benchmark_pairs()) {
    if (pair.real.ends_with(".onnx") && pair.task != "ad") continue;  // twins of the others
    if (!is_wanted(pair.real)) continue;
    rows[0].push_back(std::filesystem::path(pair.real).stem().string());
    for (size_t w = 0; w < work.size(); ++w) {
      const Result<Cost> cost = measured([&] { return cost_of(shared, pair, work[w]); });
      failures += !cost.ok();
      rows[w + 1].push_back(
          cost.ok() ? fmt::format("{:.2f} s, {}", cost->seconds, human_bytes(cost->bytes))
                    : "failed");
      std::fprintf(stderr, "%s, %s: %s\n", rows[0].back().c_str(), work[w].name.c_str(),
                   cost.ok() ? rows[w + 1].back().c_str() : cost.error().message.c_str());
    }
  }
  std::printf("%s", format_table(rows).c_str());
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
