// Prediction and its variance.
#include "cost/model.h"

#include <cmath>
#include <limits>

namespace nibble {
namespace {

// What versions of one engine differ by, beside what their measurements say.
constexpr double kOtherVersionSd = 0.15;

// The measured version nearest to `stack`; null if the family has none, or the stack no version.
const StackEffect* nearest_version(const CostModel& model, const CostStack& stack) {
  if (stack.version == 0) return nullptr;
  const StackEffect* nearest = nullptr;
  double distance = std::numeric_limits<double>::infinity();
  for (const auto& [name, effect] : model.stacks) {
    const std::optional<CostStack> other = find_stack(name);
    if (!other || other->family != stack.family || other->version == 0) continue;
    const double apart = std::abs(other->version - stack.version);
    if (apart < distance) {
      distance = apart;
      nearest = &effect;
    }
  }
  return nearest;
}

// Adds a variance that the kinds share, and one that each has for itself.
void widen(KindMatrix& covariance, double common, double own) {
  for (size_t i = 0; i < kCostKinds; ++i) {
    for (size_t j = 0; j < kCostKinds; ++j) covariance[i][j] += common;
    covariance[i][i] += own;
  }
}

StackEffect stack_effect(const CostModel& model, const CostCase& question,
                         std::vector<std::string>& unseen) {
  if (const auto found = model.stacks.find(question.stack); found != model.stacks.end())
    return found->second;
  unseen.emplace_back("stack");
  const CostStack stack =
      find_stack(question.stack).value_or(CostStack{question.stack, question.family});
  if (const StackEffect* nearest = nearest_version(model, stack)) {
    unseen.back() = "version";
    StackEffect effect = *nearest;
    widen(effect.covariance, kOtherVersionSd * kOtherVersionSd, 0);
    return effect;
  }
  const CostFamily& family = find_family(question.family);
  StackEffect effect{question.family, {}, {}};
  if (const auto found = model.families.find(question.family); found != model.families.end()) {
    effect = found->second;
  } else {
    effect.log.fill(std::log(family.factor));
    widen(effect.covariance, family.sd * family.sd, family.kind_sd * family.kind_sd);
  }
  widen(effect.covariance, family.stack_sd * family.stack_sd, kStackKindSd * kStackKindSd);
  return effect;
}

}  // namespace

LogEffect core_effect(const CostModel& model, const std::string& core) {
  if (const auto found = model.cores.find(core); found != model.cores.end()) return found->second;
  const CostCore prior = core_or_unknown(core);
  return {std::log(prior.cycles), prior.sd};
}

LogEffect board_effect(const CostModel& model, const std::string& board) {
  const auto found = model.boards.find(board);
  return found == model.boards.end() ? LogEffect{0, kBoardSd} : found->second;
}

LogCycles predict(const CostModel& model, const CostCase& question) {
  LogCycles result;
  const StackEffect stack = stack_effect(model, question, result.unseen);
  const LogEffect core = core_effect(model, question.core);
  const LogEffect board = board_effect(model, question.board);
  if (!model.cores.contains(question.core)) result.unseen.emplace_back("core");
  if (!model.boards.contains(question.board)) result.unseen.emplace_back("board");
  double sum = 0;
  for (size_t k = 0; k < kCostKinds; ++k) {
    result.share[k] = question.work[k] * std::exp(stack.log[k]);
    sum += result.share[k];
  }
  for (double& share : result.share) share /= sum;
  double variance = kRowSd * kRowSd + core.sd * core.sd + board.sd * board.sd;
  for (size_t i = 0; i < kCostKinds; ++i)
    for (size_t j = 0; j < kCostKinds; ++j)
      variance += result.share[i] * stack.covariance[i][j] * result.share[j];
  result.log = std::log(sum) + core.log + board.log;
  result.sd = std::sqrt(variance);
  return result;
}

}  // namespace nibble
