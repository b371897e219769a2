// The fitted latency model and what it predicts.
//
//   log cycles = gamma_core + delta_board + log sum_kind exp(beta_stack,kind) W_kind
//   beta_stack,kind = F_family + Fk_family,kind + S_stack + Sk_stack,kind
//
// W: cost/work.h. All effects are shrunk towards the priors of cost/catalogue.h (empirical Bayes;
// the form is that of a mixed-effects model in logs). The variance of a prediction, with q_k the
// share of kind k in the sum:
//
//   sd^2 = kRowSd^2 + q' Cov_stack q + var_core + var_board
//
// where a stack, core or board that was never measured has its prior's variance.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "cost/catalogue.h"

namespace nibble {

inline constexpr double kRowSd = 0.06;    // of a measurement around the model, log
inline constexpr double kBoardSd = 0.08;  // of boards around their core, log
inline constexpr double kStackKindSd = 0.15;

using KindMatrix = std::array<KindVector, kCostKinds>;

// beta of a stack, or of a family's mean, with its covariance.
struct StackEffect {
  std::string family;
  KindVector log{};
  KindMatrix covariance{};
};

struct CostModel {
  std::map<std::string, StackEffect> families, stacks;
  std::map<std::string, LogEffect> cores, boards;
  // |log error| / sd that 80 % and 95 % of left-out rows stay below.
  double z80 = 1.28, z95 = 1.96;
};

// What a prediction needs to know of a measurement or question.
struct CostCase {
  std::string core, board, stack, family;
  KindVector work{};
};

struct LogCycles {
  double log = 0, sd = 0;
  KindVector share{};  // of the kinds; sums to 1
  // "core", "board", "stack", "version": which of them were never measured.
  std::vector<std::string> unseen;
};

// A stack without measurements is predicted by the nearest version of its family (sd .15 more), or
// by the family's mean; a family without any by its prior.
LogCycles predict(const CostModel& model, const CostCase& question);
// Of gamma, of delta: fitted, or the prior.
LogEffect core_effect(const CostModel& model, const std::string& core);
LogEffect board_effect(const CostModel& model, const std::string& board);

}  // namespace nibble
