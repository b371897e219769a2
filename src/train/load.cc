// Loads the module with libtorch when it is first needed, and passes calls on to it.
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/progress.h"
#include "base/text.h"
#include "train/module.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "NIBBLE_TRAIN_MODULE";

// Beside an installed program, or in the build tree.
std::vector<fs::path> usual_places() {
  std::vector<fs::path> places;
  std::error_code error;
  const fs::path built(NIBBLE_TRAIN_MODULE_FILE);
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error)
    places.push_back(program.parent_path().parent_path() / "lib" / "nibble" / built.filename());
  places.push_back(built);
  return places;
}

template <class Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

Result<const TrainModule*> load(const fs::path& file) {
  // A name without a slash would be searched for in other folders.
  void* library = dlopen(fs::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return input_error(fmt::format(
        "{} cannot be loaded: {}; build nibble again, or set {} to the module of this build",
        file.string(), dlerror(), kVariable));
  const auto build = symbol<const char*()>(library, kTrainBuildSymbol);
  const auto table = symbol<const TrainModule*()>(library, kTrainModuleSymbol);
  if (!build || !table)
    return input_error(fmt::format(
        "{} is not nibble's module with libtorch, or one of another version; build nibble again, "
        "or set {} to the module of this build",
        file.string(), kVariable));
  if (std::string_view(build()) != NIBBLE_TRAIN_BUILD)
    return input_error(
        fmt::format("{} was built from other sources or by another compiler than this program; "
                    "build both again, together",
                    file.string()));
  return table();
}

Result<const TrainModule*> load() {
  std::error_code ignored;
  // The variable alone counts; empty: there is no module.
  const char* variable = std::getenv(kVariable);
  if (variable && *variable) {
    if (fs::is_regular_file(variable, ignored)) return load(variable);
    return input_error(
        fmt::format("{} names {}, and there is no such file; unset it, or set it to the module of "
                    "this build",
                    kVariable, variable));
  }
  if (!variable)
    for (const fs::path& place : usual_places())
      if (fs::is_regular_file(place, ignored)) return load(place);
  return input_error(
      "this needs libtorch, which nibble was built without: install it (tools/setup train; "
      "Debian's package is libtorch-dev) and build again");
}

Result<const TrainModule*> module() {
  static const Result<const TrainModule*> loaded = load();
  return loaded;
}

// A bar for what the module counts, while this lives.
class ModuleProgress {
 public:
  ModuleProgress(const TrainModule& module, std::string label) : module_(module) {
    module_.set_progress([this, label = std::move(label)](int64_t done, int64_t total) {
      if (!bar_) bar_ = std::make_unique<Progress>(label, total);
      bar_->add(done - done_);
      done_ = done;
    });
  }
  ~ModuleProgress() { module_.set_progress({}); }
  ModuleProgress(const ModuleProgress&) = delete;
  ModuleProgress& operator=(const ModuleProgress&) = delete;

 private:
  const TrainModule& module_;
  std::unique_ptr<Progress> bar_;
  int64_t done_ = 0;
};

}  // namespace

Status check_train() {
  NIBBLE_ASSIGN(const TrainModule* found, module());
  NIBBLE_CHECK(found != nullptr);
  return {};
}

Result<std::vector<BlockLoss>> reconstruct(const Graph& real, Graph& integer,
                                           std::span<const Tensor> samples,
                                           const ReconstructOptions& options) {
  NIBBLE_ASSIGN(const TrainModule* found, module());
  ModuleProgress progress(*found, "reconstructing");
  return found->reconstruct(real, integer, samples, options);
}

Result<RangesLoss> learn_ranges(const Graph& real, Graph& integer, std::span<const Tensor> samples,
                                const LearnRangesOptions& options) {
  NIBBLE_ASSIGN(const TrainModule* found, module());
  ModuleProgress progress(*found, "learning ranges");
  return found->learn_ranges(real, integer, samples, options);
}

Result<std::vector<Tensor>> synthesize(const Graph& real, std::span<const WantedStatistics> wanted,
                                       const SynthesizeOptions& options) {
  NIBBLE_ASSIGN(const TrainModule* found, module());
  ModuleProgress progress(*found, "making calibration inputs");
  return found->synthesize(real, wanted, options);
}

Result<std::vector<std::vector<Tensor>>> torch_outputs(const Graph& real,
                                                       std::span<const Tensor> samples) {
  NIBBLE_ASSIGN(const TrainModule* found, module());
  return found->torch_outputs(real, samples);
}

}  // namespace nibble
