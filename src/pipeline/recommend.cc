// The choices, their reasons, and the commands that follow.
#include "pipeline/recommend.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <tuple>

#include "base/text.h"
#include "pipeline/figure_text.h"

namespace nibble {
namespace {

using Key = std::function<double(const PartEstimate&)>;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

double value_of(const std::optional<CostFigure>& figure) {
  return figure ? figure->value : kInfinite;
}

// A power that nobody has published wins nothing by being small.
bool power_is_guess(const PartEstimate& part) { return part.npu && part.npu->power_is_guess; }

double latency_of(const PartEstimate& part) { return value_of(part.latency_ms); }
double power_of(const PartEstimate& part) {
  return power_is_guess(part) ? kInfinite : value_of(part.duty.average_mw);
}
double energy_of(const PartEstimate& part) {
  return power_is_guess(part) ? kInfinite : value_of(part.energy_uj);
}
// Prices are in no catalogue; more memory is dearer among parts of a family.
double size_of(const PartEstimate& part) {
  return static_cast<double>(part.target->flash_bytes) +
         4.0 * static_cast<double>(part.target->ram_bytes);
}

// A choice that the user can act on: its time is known, and what makes its code exists.
bool is_ready(const PartEstimate& part) {
  return part.fits() && part.latency_ms &&
         (part.of == EstimateOf::kNibble ? !part.target->toolchain.empty() : part.npu.has_value());
}

bool keeps(const std::optional<CostFigure>& figure, const std::optional<double>& limit) {
  return !limit || (figure && figure->high80 <= *limit);
}
// Even the bad end of the ranges keeps to the limits.
bool is_safe(const PartEstimate& part, const EstimateQuery& query) {
  return keeps(part.latency_ms, query.max_latency_ms) &&
         keeps(part.energy_uj, query.max_energy_uj) &&
         keeps(limited_power(part, query), query.max_power_mw);
}

std::string share_text(int64_t used, int64_t available) {
  return fmt::format("{} of {}", human_bytes(used), human_bytes(available));
}

// `factor`: to the unit of the text.
std::string limit_text(const std::string& what, const CostFigure& figure, double factor,
                       FigureText text, const std::optional<double>& limit) {
  const std::string line = what + " " + range_text(scaled(figure, factor), text);
  if (!limit) return line;
  const std::string most = text(*limit * factor);
  return line + (figure.high80 <= *limit ? ": the bad end, too, keeps to " + most
                                         : ": keeps to " + most + ", but may not");
}

class Recommender {
 public:
  Recommender(const Estimates& estimates, const std::string& model,
              std::span<const std::string> target_dirs)
      : estimates_(estimates), query_(estimates.query), model_(model) {
    for (const std::string& folder : target_dirs) program_ += " --target-dir " + shell_word(folder);
  }

  // The best by `key`, which is known of it, of those that `which` holds for: safe ones before
  // others. A part that is chosen already only gets the role beside its own.
  void add(const std::string& role, const Key& key,
           const std::function<bool(const PartEstimate&)>& which = {}) {
    std::optional<size_t> best;
    auto rank = [&](const PartEstimate& part) {
      return std::tuple(!is_safe(part, query_), key(part), size_of(part));
    };
    for (size_t i = 0; i < estimates_.parts.size(); ++i) {
      const PartEstimate& part = estimates_.parts[i];
      if (!is_ready(part) || key(part) == kInfinite || (which && !which(part))) continue;
      if (!best || rank(part) < rank(estimates_.parts[*best])) best = i;
    }
    if (!best) return;
    const auto same = std::ranges::find(choices_, *best, &Choice::part);
    if (same != choices_.end()) {
      // "fastest" says it of "fastest without an accelerator", too.
      const std::vector<std::string> roles = split(same->role, ',');
      if (std::ranges::none_of(
              roles, [&](const std::string& known) { return role.starts_with(trim(known)); }))
        same->role += ", " + role;
      return;
    }
    const PartEstimate& part = estimates_.parts[*best];
    choices_.push_back({role, *best, toolchain(part), because(part), how(part)});
  }

  std::vector<Choice> take() { return std::move(choices_); }

 private:
  std::vector<std::string> because(const PartEstimate& part) const {
    const Target& target = *part.target;
    std::vector<std::string> lines = {
        fmt::format("flash {}, RAM {}", share_text(part.flash_bytes, target.flash_bytes),
                    share_text(part.ram.total(), target.ram_bytes)),
        limit_text("latency", *part.latency_ms, 1e3, time_text, query_.max_latency_ms)};
    if (part.energy_uj)
      lines.push_back(limit_text("energy", *part.energy_uj, 1, energy_text, query_.max_energy_uj));
    else
      lines.emplace_back("energy is not known");
    if (part.duty.average_mw)
      lines.push_back(
          limit_text("average power", *part.duty.average_mw, 1e3, power_text, query_.max_power_mw));
    else if (query_.max_power_mw && part.power_mw)
      lines.push_back(limit_text("power", *part.power_mw, 1e3, power_text, query_.max_power_mw));
    if (part.duty.battery_days)
      lines.push_back(limit_text("battery", *part.duty.battery_days, 1, days_text, {}));
    if (part.npu)
      lines.push_back(fmt::format("{} layers on the accelerator, {} on the core",
                                  part.npu->there(part.npu_as_asked),
                                  part.npu->on_cpu(part.npu_as_asked)));
    if (part.npu) lines.push_back(part.provenance);
    if (!part.unseen.empty())
      lines.push_back("never measured, so the range is wide: " + join(part.unseen, ", "));
    for (const std::string& note : part.notes) lines.push_back(note);
    return lines;
  }

  // Of the catalogue: what else runs networks on the part, its maker's tools among them.
  static std::string others_there(const Target& target) {
    if (target.engines.empty()) return "";
    return "; there is also " + join(target.engines, ", ");
  }

  // The survey's step between quantization and part.
  static std::string toolchain(const PartEstimate& part) {
    if (part.of == EstimateOf::kNibble)
      return fmt::format("nibble writes C, the {} compiler makes the program; no runtime{}",
                         part.target->toolchain, others_there(*part.target));
    const std::string compiler =
        part.npu->compiler.empty() ? "its maker's toolchain" : part.npu->compiler;
    const bool all_there = part.npu->on_cpu(part.npu_as_asked) == 0;
    return fmt::format("{} makes the accelerator's program, its maker's runtime starts it{}",
                       compiler,
                       all_there ? "" : "; layers left on the core are priced as nibble's code");
  }

  std::vector<std::string> how(const PartEstimate& part) const {
    const std::string model = shell_word(model_);
    if (part.of == EstimateOf::kNpu)
      return {fmt::format("{} estimate {} --target {}", program_, model, part.target->name)};
    return {
        estimates_.was_float
            ? fmt::format("{} deploy {} --calibration DATA --data DATA --target {} -o DIR",
                          program_, model, part.target->name)
            : fmt::format("{} compile {} --target {} -o DIR", program_, model, part.target->name)};
  }

  const Estimates& estimates_;
  const EstimateQuery& query_;
  std::string model_, program_ = "nibble";
  std::vector<Choice> choices_;
};

struct Priority {
  std::string role, why;
  Key key;
};

Priority priority_of(const EstimateQuery& query, const Application* application) {
  EstimateBy first = query.duty.rate_hz > 0 ? EstimateBy::kPower
                     : query.max_latency_ms && !query.max_energy_uj && !query.max_power_mw
                         ? EstimateBy::kLatency
                         : EstimateBy::kEnergy;
  std::string why =
      query.duty.rate_hz > 0          ? "it runs at a rate, so what it draws on average decides"
      : first == EstimateBy::kLatency ? "a limit of time was given"
                                      : "nothing says that another figure comes first";
  if (application) {
    first = application->first;
    why = application->why_first;
  }
  if (first == EstimateBy::kLatency) return {"fastest", why, latency_of};
  // At a rate the energy of an inference is not all: parts draw different currents asleep.
  if (query.duty.rate_hz > 0) return {"least average power", why, power_of};
  return {"least energy", why, energy_of};
}

// By what each part is out for first.
std::string advice_of(const Estimates& estimates) {
  int flash = 0, ram = 0, limits = 0, unknown = 0;
  for (const PartEstimate& part : estimates.parts) {
    if (part.fits()) {
      ++unknown;  // else it were a choice
      continue;
    }
    const std::string& of = part.shortfalls.front().of;
    ++(of == "flash" ? flash : of == "RAM" ? ram : limits);
  }
  std::vector<std::string> advice;
  if (ram > 0)
    advice.push_back(fmt::format("{} lack RAM: a smaller input or narrower first layers", ram));
  if (flash > 0)
    advice.push_back(fmt::format("{} lack flash: fewer channels, or weights of fewer bits", flash));
  if (limits > 0)
    advice.push_back(fmt::format(
        "{} miss the limits: relax them; `nibble estimate --all` says how far each is off",
        limits));
  if (unknown > 0)
    advice.push_back(fmt::format(
        "{} may fit, but nothing is known of their time, or nibble has no compiler for them",
        unknown));
  return join(advice, "; ");
}

}  // namespace

Recommendation recommend(const Estimates& estimates, const std::string& model_path,
                         const Application* application, std::span<const std::string> target_dirs) {
  Recommendation result;
  result.application = application;
  const Priority priority = priority_of(estimates.query, application);
  result.first = priority.role + ": " + priority.why;
  result.quantization =
      application ? std::string(application->quantization)
                  : "8 bits with a scale per channel: what every toolchain runs; `nibble compare` "
                    "measures what each width loses on your data";
  Recommender recommender(estimates, model_path, target_dirs);
  auto on_core = [](const PartEstimate& part) { return part.of == EstimateOf::kNibble; };
  auto on_npu = [](const PartEstimate& part) { return part.of == EstimateOf::kNpu; };
  recommender.add(priority.role, priority.key);
  recommender.add(priority.role + " without an accelerator", priority.key, on_core);
  recommender.add("smallest memories", size_of, on_core);
  recommender.add("fastest", latency_of);
  recommender.add("least energy", energy_of);
  recommender.add(priority.role + " with an accelerator", priority.key, on_npu);
  result.choices = recommender.take();
  if (result.choices.empty()) result.advice = advice_of(estimates);
  return result;
}

}  // namespace nibble
