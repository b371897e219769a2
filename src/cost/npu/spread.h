// How wide the range of an accelerator's figures must be, by its checks: what error_percent and
// energy_error_percent of targets/npus/*.toml are held to. An error that a rule makes on figures
// that its own constants were fitted on says nothing of a new network, so only others count:
//
// kIndependent: checks with figures that no constant comes from, where there are any.
// kLeftOut: otherwise each network is left out in turn, the constants of the file that were fitted
//   (fits.csv beside this) are fitted anew on the figures of the others, and those predict it:
//     min over x of sum ((log predicted(x) - log published)^2) + kStay sum (x_k^2),
//   x_k the log of a constant over the file's. Only where as many figures are left as constants.
// kGuess: neither. kGuessPercent, or the largest error seen, if that is more.
//
// Of n such networks (one name with all its sizes, clocks and widths is one), e_i the root of the
// mean square of log(predicted / published) over the figures of one:
//   percent = 100 (exp(max(t(n) s, largest |log| seen)) - 1),   s = sqrt(sum e_i^2 / n)
// where s is no smaller than that of all checks with the file as it is, those of the fit included,
// with t(n) the 90 % quantile of Student's t with n degrees of freedom (the errors' mean is taken
// to be 0), 3.08 for one network, 1.28 for many: few checks, a wider range. What is normal lies
// within it in 80 of 100 cases.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cost/npu/figures.h"

namespace nibble {

// A constant of an accelerator's file that was fitted on the figures.
struct NpuConstant {
  enum class Entry { kCost, kWay, kStream, kPower, kParameter };
  std::string engine;
  Entry entry = Entry::kCost;
  std::string name;  // "layer_cycles"; of a way; "data", "weights"; clock in MHz; of a parameter
  size_t term = 0;   // of a way
};
// Columns: accelerator, entry, name, term (from 1, of ways). Errors name file, row and column.
Result<std::vector<NpuConstant>> parse_npu_constants(std::string_view text,
                                                     const std::string& name);
// Multiplies it (a rate of bytes per cycle is divided: more is slower). Errors: the file has no
// such constant.
Status scale_constant(Npu& npu, const NpuConstant& constant, double factor);

enum class NpuSpreadBasis { kIndependent, kLeftOut, kGuess };
// "independent checks", "left out of the fit", "a guess"
std::string_view npu_spread_basis_name(NpuSpreadBasis basis);

struct NpuSpread {
  NpuSpreadBasis basis = NpuSpreadBasis::kGuess;
  int networks = 0;    // that it rests on
  double mean = 0;     // s
  double largest = 0;  // |log|, of all checks, those of the fit among them
  double percent = kGuessPercent;
};
// Quantile of 90 % of Student's t.
double student_t90(int degrees);
// Of time or of energy. `checks`: all of check_npu_figures. Errors: as scale_constant; what
// `networks` says.
Result<NpuSpread> npu_spread(const Npu& npu, bool energy, const std::vector<NpuCheck>& checks,
                             const std::vector<NpuConstant>& constants,
                             const NpuNetworks& networks);

// Markdown: errors of every accelerator with the range that follows, then every figure. `time`,
// `energy`: one for each of `npus`.
std::string npu_check_tables(const std::vector<NpuCheck>& checks, const std::vector<Npu>& npus,
                             const std::vector<NpuSpread>& time,
                             const std::vector<NpuSpread>& energy);

}  // namespace nibble
