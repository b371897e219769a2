#include "target/npu_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "target/words.h"

namespace nibble {
namespace {

constexpr std::string_view kFieldNames[] = {
#define NIBBLE_NPU_NAME(Name, name) name,
    NIBBLE_NPU_NUMBERS(NIBBLE_NPU_NAME) NIBBLE_NPU_FLAGS(NIBBLE_NPU_NAME)
        NIBBLE_NPU_WORDS(NIBBLE_NPU_NAME)
#undef NIBBLE_NPU_NAME
};
static_assert(std::size(kFieldNames) == static_cast<size_t>(NpuField::kCount));

constexpr std::string_view kOperators[] = {"conv2d",
                                           "depthwise_conv2d",
                                           "dense",
                                           "add",
                                           "sub",
                                           "mul",
                                           "max_pool2d",
                                           "avg_pool2d",
                                           "mean",
                                           "pad",
                                           "concat",
                                           "reshape",
                                           "transpose",
                                           "slice",
                                           "resize_nearest",
                                           "batch_norm",
                                           "clamp",
                                           "leaky_relu",
                                           "sigmoid",
                                           "tanh",
                                           "hard_swish",
                                           "hard_sigmoid",
                                           "softmax",
                                           "quantize",
                                           "dequantize"};

std::vector<std::string> strings_of(std::span<const std::string_view> views) {
  return {views.begin(), views.end()};
}

// "is not known; did you mean 'x'?"
std::string unknown(std::string_view what, std::string_view name,
                    const std::vector<std::string>& known) {
  const std::string near = nearest_word(name, known);
  return fmt::format(
      "has {} '{}', which is not known{}", what, name,
      near.empty() ? "; known: " + join(known, ", ") : "; did you mean '" + near + "'?");
}

bool has_letters_of(std::string_view word, std::string_view letters) {
  return word.find_first_not_of(letters) == std::string_view::npos;
}

// Nothing if the word may stand for that field.
std::string wrong_word(NpuField field, const std::string& word) {
  static const std::vector<std::string> kActs = {"none",         "relu",        "relu6",
                                                 "relu_n1_to_1", "relu_0_to_1", "clamp"};
  static const std::vector<std::string> kTypes = {"s8", "u8", "s16", "s32", "f32"};
  if (field == NpuField::kAxes || field == NpuField::kPerm)
    return has_letters_of(word, "nhwc") ? ""
                                        : "has '" + word + "'; axes are letters of n, h, w and c";
  const std::vector<std::string>& known = field == NpuField::kAct ? kActs : kTypes;
  return std::ranges::find(known, word) != known.end() ? "" : unknown("word", word, known);
}

const NpuRange* range_of(NpuField field, const std::vector<NpuRanges>& alternatives) {
  for (const NpuRanges& ranges : alternatives)
    for (const NpuRange& range : ranges)
      if (range.field == field) return &range;
  return nullptr;
}

}  // namespace

std::string_view npu_field_name(NpuField field) { return kFieldNames[static_cast<size_t>(field)]; }

std::optional<NpuField> find_npu_field(std::string_view name) {
  const auto* found = std::ranges::find(kFieldNames, name);
  if (found == std::end(kFieldNames)) return std::nullopt;
  return static_cast<NpuField>(found - std::begin(kFieldNames));
}

std::span<const std::string_view> npu_operators() { return kOperators; }

TableReader NpuFields::reader(const toml::table& table, std::string prefix) const {
  return {table, file_, std::move(prefix), "this table"};
}

void NpuFields::entry(TableReader& reader, NpuEntry& entry, const char* ops, bool ops_required) {
  if (ops) entry.ops = operators(reader, ops, ops_required);
  entry.source = reader.string("source");
  const auto found = std::ranges::find(npu_.sources, entry.source, &Source::figure);
  if (found != npu_.sources.end()) {
    entry.confidence = found->confidence;
    use_source(entry.source);
  } else if (reader.status().ok()) {
    std::vector<std::string> names;
    for (const Source& source : npu_.sources) names.push_back(source.figure);
    reader.fail("source", unknown("source", entry.source, names));
  }
  if (reader.node("confidence", false))
    entry.confidence = read_word(reader, "confidence", kConfidences);
}

std::vector<std::string> NpuFields::operators(TableReader& reader, const char* key, bool required) {
  std::vector<std::string> ops = reader.strings(key, required);
  if (ops.empty() && reader.has(key) && reader.status().ok())
    reader.fail(key, "is empty: it must name operators, or be left out where it may");
  for (const std::string& op : ops)
    if (std::ranges::find(kOperators, op) == std::end(kOperators))
      reader.fail(key, unknown("operator", op, strings_of(kOperators)));
  return ops;
}

NpuNumber NpuFields::figure(TableReader& reader, const std::string& key, const toml::node& node,
                            bool fields_too) {
  if (auto name = node.value_exact<std::string>()) {
    for (size_t i = 0; i < npu_.parameters.size(); ++i)
      if (npu_.parameters[i].first == *name) return NpuParameter{i};
    const std::optional<NpuField> field = find_npu_field(*name);
    if (fields_too && field && is_number_field(*field)) return *field;
    std::vector<std::string> known;
    for (const auto& [parameter, value] : npu_.parameters) known.push_back(parameter);
    if (fields_too)
      for (std::string_view each : kFieldNames)
        if (is_number_field(*find_npu_field(each))) known.emplace_back(each);
    reader.fail(node, key,
                unknown(fields_too ? "parameter or number field" : "parameter", *name, known));
    return 0.0;
  }
  auto value = node.is_number() ? node.value<double>() : std::nullopt;
  if (!value) {
    reader.fail(node, key, "must be a number or the name of a parameter");
    return 0.0;
  }
  if (!(std::abs(*value) <= kMaxNpuFigure))
    reader.fail(node, key, fmt::format("is {}; at most {} is allowed", *value, kMaxNpuFigure));
  return *value;
}

NpuNumber NpuFields::number(TableReader& reader, const char* key, NpuNumber otherwise) {
  const toml::node* node = reader.node(key, false);
  if (!node) return otherwise;
  NpuNumber number = figure(reader, key, *node, false);
  if (const double* value = std::get_if<double>(&number); value && *value < 0)
    reader.fail(*node, key, fmt::format("is {}; it must not be negative", *value));
  return number;
}

std::vector<NpuNumber> NpuFields::figures(TableReader& reader, const std::string& key,
                                          const toml::node& node) {
  std::vector<NpuNumber> numbers;
  const toml::array* array = node.as_array();
  if (!array || array->empty()) {
    reader.fail(node, key, "must be a list of numbers, one at least");
    return numbers;
  }
  for (const toml::node& element : *array) numbers.push_back(figure(reader, key, element, true));
  return numbers;
}

std::vector<std::string> NpuFields::words(TableReader& reader, const std::string& key,
                                          NpuField field, const toml::node& node) {
  std::vector<std::string> words;
  const toml::array* array = node.as_array();
  if (!array || array->empty()) {
    reader.fail(node, key, "must be a list of words, one at least");
    return words;
  }
  for (const toml::node& element : *array) {
    const auto word = element.value_exact<std::string>();
    const std::string wrong = word ? wrong_word(field, *word) : "must be a list of words";
    if (!wrong.empty()) {
      reader.fail(element, key, wrong);
      return words;
    }
    words.push_back(*word);
  }
  return words;
}

void NpuFields::range_part(TableReader& reader, const std::string& key, const toml::key& part,
                           const toml::node& node, NpuRange& range) {
  const std::string below = key + "." + std::string(part.str());
  const bool word = is_word_field(range.field);
  if (part == "one_of" && word)
    range.word_one_of = words(reader, below, range.field, node);
  else if (part == "none_of" && word)
    range.word_none_of = words(reader, below, range.field, node);
  else if (part == "one_of")
    range.one_of = figures(reader, below, node);
  else if (part == "none_of")
    range.none_of = figures(reader, below, node);
  else if (part == "min" && !word)
    range.min = figure(reader, below, node, true);
  else if (part == "max" && !word)
    range.max = figure(reader, below, node, true);
  else if (part == "multiple_of" && !word)
    range.multiple_of = figure(reader, below, node, true);
  else if (part == "not_multiple_of" && !word)
    range.not_multiple_of = figure(reader, below, node, true);
  else
    reader.fail(node, below,
                word ? "is no part of a range of words; known: one_of, none_of"
                     : "is no part of a range; known: min, max, multiple_of, not_multiple_of, "
                       "one_of, none_of");
  for (const auto* divisor : {&range.multiple_of, &range.not_multiple_of})
    if (*divisor)
      if (const double* value = std::get_if<double>(&**divisor); value && !(*value > 0))
        reader.fail(node, below, fmt::format("is {}; it must be above 0", *value));
}

NpuRange NpuFields::range(TableReader& reader, const std::string& key, NpuField field,
                          const toml::node& node) {
  NpuRange range;
  range.field = field;
  const toml::table* parts = node.as_table();
  if (is_flag_field(field)) {
    const auto flag = node.value_exact<bool>();
    if (!flag) reader.fail(node, key, "is a flag: it must be true or false");
    range.one_of = {{flag.value_or(false) ? 1.0 : 0.0}};
  } else if (parts) {
    if (parts->empty()) reader.fail(node, key, "is an empty range");
    for (const auto& [part, value] : *parts) range_part(reader, key, part, value, range);
  } else if (is_word_field(field)) {
    const auto word = node.value_exact<std::string>();
    const std::string wrong =
        word ? wrong_word(field, *word) : "must be a word or a range of words";
    if (!wrong.empty()) reader.fail(node, key, wrong);
    range.word_one_of = {word.value_or("")};
  } else {
    range.one_of = {{figure(reader, key, node, true)}};
  }
  return range;
}

NpuRanges NpuFields::range_table(TableReader& reader, const std::string& key,
                                 const toml::node& node) {
  NpuRanges ranges;
  const toml::table* table = node.as_table();
  if (!table || table->empty()) {
    reader.fail(node, key, "must be a table of fields with their ranges, not empty");
    return ranges;
  }
  for (const auto& [name, value] : *table) {
    const std::optional<NpuField> field = find_npu_field(name.str());
    if (!field)
      reader.fail(value, key, unknown("field", name.str(), strings_of(kFieldNames)));
    else
      ranges.push_back(range(reader, key + "." + std::string(name.str()), *field, value));
  }
  return ranges;
}

NpuRanges NpuFields::ranges(TableReader& reader, const char* key) {
  const toml::node* node = reader.node(key, false);
  return node ? range_table(reader, key, *node) : NpuRanges{};
}

std::vector<NpuRanges> NpuFields::alternatives(TableReader& reader, const char* key) {
  std::vector<NpuRanges> alternatives;
  const toml::node* node = reader.node(key, false);
  if (!node) return alternatives;
  const toml::array* array = node->as_array();
  if (!array || array->empty())
    reader.fail(*node, key, "must be a list of tables of fields with their ranges, one at least");
  else
    for (const toml::node& element : *array)
      alternatives.push_back(range_table(reader, key, element));
  return alternatives;
}

NpuField NpuFields::number_field(TableReader& reader, const std::string& key,
                                 const toml::node& node, std::string_view name) {
  const std::optional<NpuField> field = find_npu_field(name);
  if (field && is_number_field(*field)) return *field;
  std::vector<std::string> known;
  for (std::string_view each : kFieldNames)
    if (is_number_field(*find_npu_field(each))) known.emplace_back(each);
  reader.fail(node, key, unknown("number field", name, known));
  return NpuField::kBatch;
}

NpuTerm NpuFields::term(TableReader& outer, const char* factor, const toml::node& node) {
  NpuTerm term;
  const toml::table* table = node.as_table();
  if (!table) {
    outer.fail(node, "terms", "must be a list of tables");
    return term;
  }
  TableReader reader = this->reader(*table, "terms.");
  const bool of_way = std::string_view(factor) == "cycles";
  if (of_way) term.unit = reader.has("unit") ? reader.string("unit") : "serial";
  if (of_way) reader.node(factor, true);
  term.times = number(reader, factor, 1.0);
  if (const toml::table* of = reader.table("of", false))
    for (const auto& [name, granule] : *of) {
      const std::string key = "of." + std::string(name.str());
      const NpuField field = number_field(reader, "of", granule, name.str());
      const NpuNumber each = figure(reader, key, granule, false);
      if (const double* value = std::get_if<double>(&each); value && !(*value > 0))
        reader.fail(granule, key, fmt::format("is {}; a granule must be above 0", *value));
      term.of.emplace_back(field, each);
    }
  reader.refuse_unknown_keys();
  outer.take(reader.status());
  return term;
}

std::vector<NpuTerm> NpuFields::terms(TableReader& reader, const char* factor, bool empty_allowed) {
  std::vector<NpuTerm> terms;
  const toml::node* node = reader.node("terms", !empty_allowed);
  if (!node) return terms;
  const toml::array* array = node->as_array();
  if (!array || (array->empty() && !empty_allowed))
    reader.fail(*node, "terms", "must be a list of tables, one at least");
  else
    for (const toml::node& element : *array) terms.push_back(term(reader, factor, element));
  return terms;
}

void NpuFields::check_text(TableReader& reader, const char* key, const std::string& text,
                           const std::vector<NpuRanges>* legal, bool of_layer) {
  for (size_t at = text.find_first_of("{}"); at != std::string::npos;) {
    const size_t end = text[at] == '{' ? text.find_first_of("{}", at + 1) : std::string::npos;
    if (end == std::string::npos || text[end] != '}')
      return reader.fail(key, "has a '{' or '}' without the other; they stand around a field");
    std::string name = text.substr(at + 1, end - at - 1);
    const bool wants_legal = name.ends_with(".legal");
    if (wants_legal) name.resize(name.size() - std::string_view(".legal").size());
    const std::optional<NpuField> field = find_npu_field(name);
    if (!of_layer)
      return reader.fail(key, "has {" + name + "}, but it does not speak of a single layer");
    if (!field) return reader.fail(key, unknown("field", name, strings_of(kFieldNames)));
    const NpuRange* range = wants_legal && legal ? range_of(*field, *legal) : nullptr;
    if (wants_legal && (!range || range->none_of || range->not_multiple_of || range->word_none_of))
      return reader.fail(key, "has {" + name +
                                  ".legal}, but the requirement gives that field no range with a "
                                  "nearest value (min, max, multiple_of, one_of)");
    at = text.find_first_of("{}", end + 1);
  }
}

NpuText NpuFields::text(TableReader& reader, const std::vector<NpuRanges>* legal, bool of_layer) {
  NpuText text;
  text.reason = reader.string("reason");
  text.replacement = reader.string("replacement");
  const std::string fix = reader.one_of("fix", {"redesign", "requantize", "rewrite"}, false);
  text.fix = fix == "rewrite"      ? NpuFix::kRewrite
             : fix == "requantize" ? NpuFix::kRequantize
                                   : NpuFix::kRedesign;
  check_text(reader, "reason", text.reason, legal, of_layer);
  check_text(reader, "replacement", text.replacement, legal, of_layer);
  return text;
}

}  // namespace nibble
