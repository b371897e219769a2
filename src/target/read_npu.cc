// One npus/NAME.toml → Npu, and where such files are found. Every key is checked; errors name file,
// line and field.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/text.h"
#include "target/folders.h"
#include "target/npu_fields.h"
#include "target/target.h"
#include "target/words.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxMegahertz = 10000, kMaxMilliwatts = 100000, kMaxVolts = 100;
constexpr std::string_view kNpuFolder = "npus";
constexpr double kMaxMacs = 1e6, kMaxPercent = 1000;

bool is_parameter_name(std::string_view name) {
  return is_lower_name(name, '_') && !(name[0] >= '0' && name[0] <= '9');
}

// The sections of one file, read in turn into `npu`.
class NpuFile {
 public:
  NpuFile(const toml::table& table, const std::string& file)
      : top_(table, file, "", "an accelerator"), fields_(npu_, file) {}

  Result<Npu> read() {
    head();
    sources(top_.table("sources"));
    parameters(top_.table("parameters", false));
    figures_of_the_head();
    each("variant", [this](TableReader& reader) { variant(reader); });
    each("require", [this](TableReader& reader) { npu_.require.push_back(requirement(reader)); });
    each("accept", [this](TableReader& reader) { accept(reader); });
    each("refuse", [this](TableReader& reader) { refuse(reader); });
    each("join", [this](TableReader& reader) { joins(reader); });
    each("limit", [this](TableReader& reader) { limit(reader); });
    each("way", [this](TableReader& reader) { way(reader); });
    each("stream", [this](TableReader& reader) { stream(reader); });
    each("power", [this](TableReader& reader) { power(reader); });
    cost(top_.table("cost", false));
    top_.refuse_unknown_keys();
    check_whole();
    NIBBLE_TRY(top_.status());
    return std::move(npu_);
  }

 private:
  // Of each table [[key]]: `read`, then nothing else may stand in it.
  template <class Read>
  void each(const char* key, Read read) {
    for (const toml::table* table : top_.tables(key, false)) {
      TableReader reader = fields_.reader(*table, std::string(key) + ".");
      read(reader);
      reader.refuse_unknown_keys();
      top_.take(reader.status());
    }
  }

  void head() {
    npu_.name = top_.string("name");
    if (top_.status().ok() && !is_npu_name(npu_.name))
      top_.fail("name", "is '" + npu_.name + "'; it has lower-case letters, digits and -");
    npu_.title = top_.string("title");
    npu_.vendor = top_.string("vendor");
    npu_.compiler = top_.string("compiler");
    npu_.rules_known = top_.one_of("legality", {"rules", "unknown"}) == "rules";
    npu_.unknown_reason = top_.string("legality_reason", !npu_.rules_known);
    if (npu_.rules_known && top_.has("legality_reason"))
      top_.fail("legality_reason", "stands beside legality = \"rules\"; it belongs to \"unknown\"");
    if (npu_.rules_known) return;
    for (const char* key : {"require", "accept", "refuse", "join", "limit"})
      if (top_.has(key))
        top_.fail(key, "stands beside legality = \"unknown\": either the rules are known, or not");
  }

  void sources(const toml::table* table) {
    if (!table) return;
    for (const auto& [key, node] : *table) {
      const toml::table* entry = node.as_table();
      const std::string name(key.str());
      if (!entry)
        return top_.fail(
            "sources",
            "has '" + name + "', which is no { confidence = \"high\", source = \"...\" }");
      TableReader reader = fields_.reader(*entry, "sources." + name + ".");
      npu_.sources.push_back(read_source(reader, name));
      top_.take(reader.status());
    }
  }

  void parameters(const toml::table* table) {
    if (!table) return;
    TableReader reader = fields_.reader(*table, "parameters.");
    for (const auto& [key, node] : *table) {
      const std::string name(key.str());
      if (!is_parameter_name(name))
        reader.fail(name, "is no name: lower-case letters, digits, _, no digit first");
      if (find_npu_field(name)) reader.fail(name, "is called like a field of a layer");
      if (auto value = reader.number_from_zero(name, kMaxNpuFigure))
        npu_.parameters.emplace_back(name, *value);
    }
    top_.take(reader.status());
  }

  void figures_of_the_head() {
    npu_.clock_hz = std::llround(top_.number("clock_mhz", kMaxMegahertz, false) * 1e6);
    npu_.macs_per_cycle = top_.number("macs_per_cycle", kMaxMacs, false);
    const std::pair<const char*, const char*> kFigures[] = {{"clock_mhz", "clock"},
                                                            {"macs_per_cycle", "peak"}};
    for (const auto& [key, source] : kFigures) {
      if (!top_.has(key)) continue;
      fields_.use_source(source);
      if (std::ranges::find(npu_.sources, source, &Source::figure) == npu_.sources.end())
        top_.fail(key, fmt::format("has no source: [sources] needs the key '{}'", source));
    }
  }

  void variant(TableReader& reader) {
    NpuVariant variant;
    fields_.entry(reader, variant, nullptr, false);
    variant.macs_per_cycle = reader.number("macs_per_cycle", kMaxMacs, true);
    variant.title = reader.string("title");
    if (const toml::table* table = reader.table("parameters", false)) {
      TableReader values = fields_.reader(*table, "variant.parameters.");
      for (size_t i = 0; i < npu_.parameters.size(); ++i)
        if (auto value = values.number_from_zero(npu_.parameters[i].first, kMaxNpuFigure))
          variant.parameters.emplace_back(NpuParameter{i}, *value);
      values.refuse_unknown_keys();
      reader.take(values.status());
    }
    npu_.variants.push_back(std::move(variant));
  }

  NpuRequirement requirement(TableReader& reader) {
    NpuRequirement requirement;
    fields_.entry(reader, requirement, "op", false);
    requirement.when = fields_.ranges(reader, "when");
    NpuRanges that = fields_.ranges(reader, "that");
    requirement.any = fields_.alternatives(reader, "any");
    if (reader.status().ok() && that.empty() == requirement.any.empty())
      reader.fail("that", that.empty() ? "is missing: a requirement has `that` or `any`"
                                       : "stands beside `any`: a requirement has one of the two");
    if (!that.empty()) requirement.any.push_back(std::move(that));
    requirement.text = fields_.text(reader, &requirement.any, true);
    return requirement;
  }

  void accept(TableReader& reader) {
    NpuAccept accept;
    fields_.entry(reader, accept, "op", true);
    accept.name = reader.string("name");
    accept.where = fields_.ranges(reader, "where");
    accept.free = reader.one_of("runs", {"npu", "free"}, false) == "free";
    for (const toml::table* table : reader.tables("require", false)) {
      TableReader below = fields_.reader(*table, "accept.require.");
      accept.require.push_back(requirement(below));
      below.refuse_unknown_keys();
      reader.take(below.status());
    }
    npu_.accept.push_back(std::move(accept));
  }

  void refuse(TableReader& reader) {
    NpuRefusal refusal;
    fields_.entry(reader, refusal, "op", true);
    refusal.text = fields_.text(reader, nullptr, true);
    npu_.refuse.push_back(std::move(refusal));
  }

  void joins(TableReader& reader) {
    NpuJoin join;
    fields_.entry(reader, join, "first", true);
    join.then = fields_.operators(reader, "then", true);
    join.where = fields_.ranges(reader, "where");
    join.first_is_free = reader.one_of("free", {"first", "then"}, false) != "then";
    npu_.joins.push_back(std::move(join));
  }

  void limit(TableReader& reader) {
    NpuLimit limit;
    fields_.entry(reader, limit, "op", false);
    limit.name = reader.string("name");
    limit.unit = reader.string("unit");
    limit.where = fields_.ranges(reader, "where");
    const std::string over = reader.one_of("over", {"each", "sum", "count"});
    limit.over = over == "count" ? NpuLimit::Over::kCount
                 : over == "sum" ? NpuLimit::Over::kSum
                                 : NpuLimit::Over::kEach;
    limit.terms = fields_.terms(reader, "times", limit.over == NpuLimit::Over::kCount);
    if (limit.over == NpuLimit::Over::kCount && !limit.terms.empty())
      reader.fail("terms", "stand beside over = \"count\", which counts layers");
    reader.node("max", true);
    limit.max = fields_.number(reader, "max", 0.0);
    limit.text = fields_.text(reader, nullptr, limit.over == NpuLimit::Over::kEach);
    npu_.limits.push_back(std::move(limit));
  }

  void way(TableReader& reader) {
    NpuWay way;
    fields_.entry(reader, way, "op", true);
    way.name = reader.string("name");
    way.where = fields_.ranges(reader, "where");
    way.terms = fields_.terms(reader, "cycles", false);
    npu_.ways.push_back(std::move(way));
  }

  void stream(TableReader& reader) {
    NpuStream stream;
    fields_.entry(reader, stream, "op", false);
    stream.unit = reader.string("unit");
    stream.where = fields_.ranges(reader, "where");
    const std::vector<std::string> of = reader.strings("of");
    if (of.empty() && reader.status().ok()) reader.fail("of", "is empty: it must name fields");
    for (const std::string& name : of)
      stream.of.push_back(fields_.number_field(reader, "of", *reader.node("of", true), name));
    reader.node("bytes_per_cycle", true);
    stream.bytes_per_cycle = fields_.number(reader, "bytes_per_cycle", 1.0);
    if (const double* rate = std::get_if<double>(&stream.bytes_per_cycle); rate && *rate == 0)
      reader.fail("bytes_per_cycle", "is 0; it must be above 0");
    stream.of_weights = reader.one_of("memory", {"data", "weights"}) == "weights";
    npu_.streams.push_back(std::move(stream));
  }

  void power(TableReader& reader) {
    NpuPower power;
    fields_.entry(reader, power, nullptr, false);
    power.clock_hz = reader.number("clock_mhz", kMaxMegahertz, true) * 1e6;
    power.active_mw = reader.number("active_mw", kMaxMilliwatts, true);
    if (const double volts = reader.number("supply_v", kMaxVolts, false); volts > 0)
      power.supply_v = volts;
    power.covers_chip = reader.one_of("covers", {"chip", "npu"}) == "chip";
    for (const NpuPower& other : npu_.power) {
      if (other.clock_hz == power.clock_hz)
        reader.fail("clock_mhz", "is that of another [[power]]: one figure for a clock");
      if (other.covers_chip != power.covers_chip)
        reader.fail("covers",
                    "differs from another [[power]]: between two clocks the power is "
                    "read off a line, so both must be of one thing");
    }
    npu_.power.push_back(power);
    std::ranges::sort(npu_.power, {}, &NpuPower::clock_hz);
  }

  void cost(const toml::table* table) {
    if (!table) return;
    TableReader reader = fields_.reader(*table, "cost.");
    fields_.entry(reader, npu_.cost, nullptr, false);
    auto cycles = [&](const char* key) {
      return reader.number_from_zero(key, kMaxNpuFigure).value_or(0);
    };
    npu_.cost.inference_cycles = cycles("inference_cycles");
    npu_.cost.layer_cycles = cycles("layer_cycles");
    npu_.cost.handover_cycles = cycles("handover_cycles");
    npu_.cost.error_percent = reader.number_from_zero("error_percent", kMaxPercent);
    npu_.cost.energy_error_percent = reader.number_from_zero("energy_error_percent", kMaxPercent);
    reader.refuse_unknown_keys();
    top_.take(reader.status());
  }

  // A parameter that divides must not be zero in any variant, and every source stands for
  // something.
  void check_whole() {
    if (!top_.status().ok()) return;
    for (const Source& source : npu_.sources)
      if (!fields_.is_used(source.figure))
        return top_.fail("sources", "has '" + source.figure +
                                        "', which no entry names: name it, or leave it out");
    std::vector<NpuNumber> divisors;
    auto add_terms = [&](const std::vector<NpuTerm>& terms) {
      for (const NpuTerm& term : terms)
        for (const auto& [field, granule] : term.of) divisors.push_back(granule);
    };
    for (const NpuWay& way : npu_.ways) add_terms(way.terms);
    for (const NpuLimit& limit : npu_.limits) add_terms(limit.terms);
    for (const NpuStream& stream : npu_.streams) divisors.push_back(stream.bytes_per_cycle);
    for (const NpuNumber& divisor : divisors) {
      const NpuParameter* parameter = std::get_if<NpuParameter>(&divisor);
      if (!parameter) continue;
      const auto& [name, value] = npu_.parameters[parameter->index];
      bool zero = value == 0;
      for (const NpuVariant& variant : npu_.variants)
        for (const auto& [replaced, figure] : variant.parameters)
          zero |= replaced.index == parameter->index && figure == 0;
      if (zero) top_.fail("parameters", "has " + name + " = 0, by which an entry divides");
    }
  }

  Npu npu_;
  TableReader top_;
  NpuFields fields_;
};

}  // namespace

bool is_npu_name(std::string_view name) { return is_lower_name(name, '-'); }

Result<Npu> parse_npu(std::string_view text, const std::string& name) {
  NIBBLE_ASSIGN(toml::table table, parse_toml(text, name));
  return NpuFile(table, name).read();
}

Result<Npu> read_npu(const fs::path& path) {
  NIBBLE_ASSIGN(std::string text, read_text_file(path));
  NIBBLE_ASSIGN(Npu npu, parse_npu(text, path.string()));
  if (npu.name != path.stem())
    return input_error(fmt::format(
        "{}: name is '{}', but an accelerator is found by its file: call the file '{}.toml'",
        path.string(), npu.name, npu.name));
  return npu;
}

Result<std::optional<Npu>> find_npu(const std::string& engine) {
  NIBBLE_ASSIGN(std::vector<fs::path> files, catalogue_files(kNpuFolder));
  const auto file =
      std::ranges::find_if(files, [&](const fs::path& path) { return path.stem() == engine; });
  if (file == files.end()) return std::optional<Npu>();
  NIBBLE_ASSIGN(Npu npu, read_npu(*file));
  return std::optional<Npu>(std::move(npu));
}

Result<std::vector<Npu>> all_npus() {
  NIBBLE_ASSIGN(std::vector<fs::path> files, catalogue_files(kNpuFolder));
  std::ranges::sort(files, {}, [](const fs::path& path) { return path.stem(); });
  std::vector<Npu> npus;
  for (const fs::path& file : files) {
    NIBBLE_ASSIGN(Npu npu, read_npu(file));
    npus.push_back(std::move(npu));
  }
  return npus;
}

Npu with_variant(Npu npu, double macs_per_cycle) {
  const double wanted = macs_per_cycle > 0 ? macs_per_cycle : npu.macs_per_cycle;
  if (npu.variants.empty() || wanted <= 0) return npu;
  const auto nearest = std::ranges::min_element(npu.variants, {}, [&](const NpuVariant& variant) {
    return std::abs(variant.macs_per_cycle - wanted);
  });
  npu.macs_per_cycle = nearest->macs_per_cycle;
  for (const auto& [parameter, value] : nearest->parameters)
    npu.parameters[parameter.index].second = value;
  return npu;
}

}  // namespace nibble
