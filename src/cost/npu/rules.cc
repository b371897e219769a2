#include "cost/npu/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nibble {
namespace {

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::find(words, word) != words.end();
}

std::string figure_text(double value) {
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
}

// A divisor of zero (a field may be) divides nothing.
bool divides(double divisor, double value) { return divisor > 0 && std::fmod(value, divisor) == 0; }

NpuReason reason_of(const Npu& npu, const NpuLayer& layer, const NpuText& text,
                    Confidence confidence, const std::vector<NpuRanges>& any) {
  return {text.fix, filled_in(npu, layer, text.reason, any),
          filled_in(npu, layer, text.replacement, any), confidence};
}

// What an entry that selects the layer asks for and does not get. What is no work is not asked for
// types and sizes that the accelerator could work on.
std::vector<NpuReason> unmet(const Npu& npu, const NpuLayer& layer, const NpuAccept& accept) {
  std::vector<NpuReason> reasons;
  auto look = [&](const std::vector<NpuRequirement>& requirements) {
    for (const NpuRequirement& each : requirements)
      if (!is_met(npu, layer, each))
        reasons.push_back(reason_of(npu, layer, each.text, each.confidence, each.any));
  };
  if (!accept.free) look(npu.require);
  look(accept.require);
  if (accept.free) return reasons;
  for (const NpuLimit& limit : npu.limits)
    if (limit.over == NpuLimit::Over::kEach && names(limit.ops, layer) &&
        holds(npu, layer, limit.where) &&
        amount(npu, layer, limit.terms) > npu_number(npu, layer, limit.max))
      reasons.push_back(reason_of(npu, layer, limit.text, limit.confidence, {}));
  return reasons;
}

NpuVerdict verdict_of(const std::vector<NpuReason>& reasons) {
  auto has = [&](NpuFix fix) {
    return std::ranges::find(reasons, fix, &NpuReason::fix) != reasons.end();
  };
  if (has(NpuFix::kRedesign)) return NpuVerdict::kCpu;
  return has(NpuFix::kRequantize) ? NpuVerdict::kRequantize : NpuVerdict::kRewrite;
}

}  // namespace

double npu_number(const Npu& npu, const NpuLayer& layer, const NpuNumber& number) {
  if (const double* value = std::get_if<double>(&number)) return *value;
  if (const NpuParameter* parameter = std::get_if<NpuParameter>(&number))
    return npu.parameters[parameter->index].second;
  return layer.number(std::get<NpuField>(number));
}

bool holds(const Npu& npu, const NpuLayer& layer, const NpuRange& range) {
  if (is_word_field(range.field)) {
    const std::string& word = layer.word(range.field);
    return (!range.word_one_of || contains(*range.word_one_of, word)) &&
           (!range.word_none_of || !contains(*range.word_none_of, word));
  }
  const double value = layer.number(range.field);
  auto number = [&](const NpuNumber& each) { return npu_number(npu, layer, each); };
  auto among = [&](const std::vector<NpuNumber>& numbers) {
    return std::ranges::any_of(numbers, [&](const auto& each) { return number(each) == value; });
  };
  return (!range.min || value >= number(*range.min)) &&
         (!range.max || value <= number(*range.max)) &&
         (!range.multiple_of || divides(number(*range.multiple_of), value)) &&
         (!range.not_multiple_of || !divides(number(*range.not_multiple_of), value)) &&
         (!range.one_of || among(*range.one_of)) && (!range.none_of || !among(*range.none_of));
}

bool holds(const Npu& npu, const NpuLayer& layer, const NpuRanges& ranges) {
  return std::ranges::all_of(ranges,
                             [&](const NpuRange& range) { return holds(npu, layer, range); });
}

bool names(const std::vector<std::string>& ops, const NpuLayer& layer) {
  return ops.empty() || contains(ops, layer.op);
}

bool is_met(const Npu& npu, const NpuLayer& layer, const NpuRequirement& requirement) {
  if (!names(requirement.ops, layer) || !holds(npu, layer, requirement.when)) return true;
  return std::ranges::any_of(requirement.any,
                             [&](const NpuRanges& ranges) { return holds(npu, layer, ranges); });
}

double nearest_legal(const Npu& npu, const NpuLayer& layer, const NpuRange& range) {
  double value = layer.number(range.field);
  auto number = [&](const NpuNumber& each) { return npu_number(npu, layer, each); };
  if (range.one_of) {
    double above = std::numeric_limits<double>::infinity(), largest = -above;
    for (const NpuNumber& each : *range.one_of) {
      if (number(each) >= value) above = std::min(above, number(each));
      largest = std::max(largest, number(each));
    }
    return std::isinf(above) ? largest : above;
  }
  const double step = range.multiple_of ? number(*range.multiple_of) : 0;
  if (range.min) value = std::max(value, number(*range.min));
  if (step > 0) value = std::ceil(value / step) * step;
  if (range.max && value > number(*range.max))
    value = step > 0 ? std::floor(number(*range.max) / step) * step : number(*range.max);
  return value;
}

std::string filled_in(const Npu& npu, const NpuLayer& layer, const std::string& text,
                      const std::vector<NpuRanges>& any) {
  std::string filled;
  size_t at = 0;
  for (size_t open = text.find('{'); open != std::string::npos; open = text.find('{', at)) {
    const size_t close = text.find('}', open);
    std::string name = text.substr(open + 1, close - open - 1);
    const size_t dot = name.find('.');
    const NpuField field = *find_npu_field(name.substr(0, dot));
    const NpuRange* range = nullptr;
    if (dot != std::string::npos)
      for (const NpuRanges& ranges : any)
        for (const NpuRange& each : ranges)
          if (!range && each.field == field) range = &each;
    filled += text.substr(at, open - at);
    if (is_word_field(field))
      filled += range && range->word_one_of ? range->word_one_of->front() : layer.word(field);
    else if (is_flag_field(field))
      filled += layer.flag(field) ? "true" : "false";
    else
      filled += figure_text(range ? nearest_legal(npu, layer, *range) : layer.number(field));
    at = close + 1;
  }
  return filled + text.substr(at);
}

double amount(const Npu& npu, const NpuLayer& layer, const NpuTerm& term) {
  double product = npu_number(npu, layer, term.times);
  for (const auto& [field, granule] : term.of)
    product *= std::ceil(layer.number(field) / npu_number(npu, layer, granule));
  return product;
}

double amount(const Npu& npu, const NpuLayer& layer, const std::vector<NpuTerm>& terms) {
  double sum = 0;
  for (const NpuTerm& term : terms) sum += amount(npu, layer, term);
  return sum;
}

NpuLegality npu_legality(const Npu& npu, const NpuLayer& layer) {
  if (!npu.rules_known)
    return {NpuVerdict::kUnknown, {{NpuFix::kRedesign, npu.unknown_reason, "", Confidence::kHigh}}};
  std::optional<std::vector<NpuReason>> fewest;
  for (const NpuAccept& accept : npu.accept) {
    if (!names(accept.ops, layer) || !holds(npu, layer, accept.where)) continue;
    std::vector<NpuReason> reasons = unmet(npu, layer, accept);
    if (reasons.empty()) return {accept.free ? NpuVerdict::kFree : NpuVerdict::kNpu, {}};
    if (!fewest || reasons.size() < fewest->size()) fewest = std::move(reasons);
  }
  if (fewest) {
    std::stable_partition(fewest->begin(), fewest->end(),
                          [](const NpuReason& each) { return each.fix == NpuFix::kRedesign; });
    const NpuVerdict verdict = verdict_of(*fewest);
    return {verdict, std::move(*fewest)};
  }
  for (const NpuRefusal& refusal : npu.refuse)
    if (names(refusal.ops, layer)) {
      std::vector<NpuReason> reasons = {
          reason_of(npu, layer, refusal.text, refusal.confidence, {})};
      const NpuVerdict verdict = verdict_of(reasons);
      return {verdict, std::move(reasons)};
    }
  return {NpuVerdict::kCpu,
          {{NpuFix::kRedesign, "no rule accepts this operator", "", Confidence::kHigh}}};
}

}  // namespace nibble
