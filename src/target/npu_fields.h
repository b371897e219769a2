// What the entries of an accelerator's file are made of: figures, ranges, terms, texts, sources.
// Inside target/ only.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "target/npu.h"
#include "target/table_reader.h"

namespace nibble {

// Figures in a file stay below this, so that no product of a few of them overflows.
inline constexpr double kMaxNpuFigure = 1e12;

// Reads parts of entries through the TableReader of their table, which keeps the first error.
class NpuFields {
 public:
  // `npu` has its parameters and sources.
  NpuFields(const Npu& npu, std::string file) : npu_(npu), file_(std::move(file)) {}

  TableReader reader(const toml::table& table, std::string prefix) const;
  // source, confidence and, where `ops` is not null, the list of operators under that key.
  void entry(TableReader& reader, NpuEntry& entry, const char* ops, bool ops_required);
  std::vector<std::string> operators(TableReader& reader, const char* key, bool required);
  // A number in [0, kMaxNpuFigure] or the name of a parameter; `otherwise` if absent.
  NpuNumber number(TableReader& reader, const char* key, NpuNumber otherwise);
  NpuRanges ranges(TableReader& reader, const char* key);
  std::vector<NpuRanges> alternatives(TableReader& reader, const char* key);
  // `factor`: "times" of a limit, "cycles" of a way, whose terms have a unit.
  std::vector<NpuTerm> terms(TableReader& reader, const char* factor, bool empty_allowed);
  // fix, reason and replacement. `legal`: fields that may stand as {field.legal}; null: the text is
  // not of one layer and has no {field}.
  NpuText text(TableReader& reader, const std::vector<NpuRanges>* legal, bool of_layer);
  NpuField number_field(TableReader& reader, const std::string& key, const toml::node& node,
                        std::string_view name);

  void use_source(std::string_view name) { used_.emplace(name); }
  bool is_used(const std::string& source) const { return used_.contains(source); }

 private:
  NpuNumber figure(TableReader& reader, const std::string& key, const toml::node& node,
                   bool fields_too);
  NpuRange range(TableReader& reader, const std::string& key, NpuField field,
                 const toml::node& node);
  void range_part(TableReader& reader, const std::string& key, const toml::key& part,
                  const toml::node& node, NpuRange& range);
  std::vector<NpuNumber> figures(TableReader& reader, const std::string& key,
                                 const toml::node& node);
  std::vector<std::string> words(TableReader& reader, const std::string& key, NpuField field,
                                 const toml::node& node);
  NpuRanges range_table(TableReader& reader, const std::string& key, const toml::node& node);
  NpuTerm term(TableReader& reader, const char* factor, const toml::node& node);
  void check_text(TableReader& reader, const char* key, const std::string& text,
                  const std::vector<NpuRanges>* legal, bool of_layer);

  const Npu& npu_;
  std::string file_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace nibble
