// The rules of inclusion, and the text forms of rows and networks.
#include "cost/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/text.h"
#include "cost/csv.h"

namespace nibble {
namespace {

constexpr std::string_view kNotLayerByLayer =
    "a network that is not known layer by layer, or a single kernel";

struct Word {
  std::string_view part, name;
};

// The name beside the first part that `text` contains.
std::string first_match(std::span<const Word> words, std::string_view text) {
  for (const Word& word : words)
    if (text.find(word.part) != std::string_view::npos) return std::string(word.name);
  return "";
}

// "X-CUBE-AI v10.2.0" and "X-CUBE-AI 10.2" are one version.
std::string cube_ai_stack(std::string_view software) {
  size_t at = software.find_first_of("0123456789");
  size_t end = at;
  for (int dots = 0; end < software.size(); ++end) {
    if (software[end] == '.' && ++dots == 2) break;
    if (software[end] != '.' && !std::isdigit(static_cast<unsigned char>(software[end]))) break;
  }
  return "X-CUBE-AI " + std::string(software.substr(at, end - at));
}

// Which engine it really was, where the results call different things alike: TFLM 2.3.1 takes 6.8
// cycles per MAC on the L4R5, which its reference kernels cannot (10 instructions), and 40 on RV32.
std::string mlperf_stack(const std::string& software, const std::string& core,
                         const std::string& round) {
  if (software.starts_with("X-CUBE-AI")) return cube_ai_stack(software);
  if (software == "Plumerai Inference Engine") return "Plumerai " + round.substr(1);
  if (software == "TFLM + CMSIS-NN" && core == "rxv2") return "TFLM + CMSIS-NN (RX)";
  if (software.starts_with("TFLM 2.3.1"))
    return core == "cortex-m4" ? "TFLM 2.3.1 + CMSIS-NN" : "TFLM 2.3.1 reference";
  static constexpr Word kWords[] = {{"version 1.0.175", "Bosch HALE 1.0.175"},
                                    {"(HALE)", "Bosch HALE 1.0"},
                                    {"Plumerai Inference Engine 2023.05", "Plumerai 2023.05"},
                                    {"microTVM (CMSIS-NN", "microTVM + CMSIS-NN"},
                                    {"microTVM (native", "microTVM native"},
                                    {"ONNC", "ONNC"},
                                    {"TFLM + CMSIS-NN (Helium)", "TFLM + CMSIS-NN (Helium)"},
                                    {"TFLM + CMSIS-NN", "TFLM + CMSIS-NN"},
                                    {"Andes NN", "TFLM + Andes NN"},
                                    {"self-developed", "kai_jiang"}};
  const std::string name = first_match(kWords, software);
  return name.empty() ? software : name;
}

std::string mlperf_board(const std::string& soc, const std::string& board,
                         const std::string& core) {
  // One submission's soc is that of another board of the submitter; name and clock say H7A3.
  if (board.find("H7A3") != std::string::npos) return "stm32h7a3";
  if (core == "andes-d25f" || core == "andes-d45") return core + " on FPGA";
  static constexpr Word kWords[] = {
      {"L4R5", "stm32l4r5"},     {"U575", "stm32u5"},       {"U585", "stm32u5"},
      {"G0B1", "stm32g0b1"},     {"R7FA6M4", "ra6m4"},      {"R7FA8D1", "ra8d1"},
      {"RV32-A", "pcl-scepu02"}, {"Octopus", "octopus-b1"}, {"RX65N", "rx65n"}};
  const std::string name = first_match(kWords, soc);
  return name.empty() ? board : name;
}

std::string core_name(const std::string& core) {
  if (core == "renesas-rxv2") return "rxv2";
  return core == "rv32/unspecified" ? "rv32" : core;
}

bool has_profile(const std::string& core) {
  return std::ranges::any_of(cost_cores(), [&](const CostCore& c) { return c.name == core; });
}

// "Operating at 1.8V / SMPS" -> 1.8
std::optional<double> supply_of(const std::string& notes) {
  for (size_t at = notes.find("at "); at != std::string::npos; at = notes.find("at ", at + 1)) {
    const size_t begin = at + 3, end = notes.find_first_not_of("0123456789.", begin);
    if (end == std::string::npos || end == begin) continue;
    const size_t unit = notes.find_first_not_of(' ', end);
    if (unit == std::string::npos || notes[unit] != 'V') continue;
    if (const Result<double> volt = parse_double(notes.substr(begin, end - begin)); volt.ok())
      return *volt;
  }
  return std::nullopt;
}

double number(const std::string& text) {
  const Result<double> value = parse_double(text);
  return text.empty() || !value.ok() ? 0 : *value;
}

std::string mlperf_reason(const CsvRow& row, const CostRow& result) {
  if (!row["repeat_of"].empty()) return "repeats " + row["repeat_of"];
  if (!row["accelerator"].empty()) return "accelerator: " + row["accelerator"];
  if (row["dtype"] != "int8") return "computes in " + row["dtype"];
  if (!has_profile(result.core))
    return "core without kernels that work is counted for: " + result.core;
  if (result.latency_ms == 0) return "no time (an energy run at another clock)";
  if (row["system_id"].find("min_ram") != std::string::npos) return "built for least RAM";
  if (!find_stack(result.stack)) return "engine not in the table: " + result.stack;
  return "";
}

std::string elsewhere_reason(const CsvRow& row, const CostRow& result) {
  const std::string &core = row["core"], &source = row["source"];
  if (source.find("TinyMaix") != std::string::npos)
    return "TinyMaix: whole milliseconds, compilers and flash differ from chip to chip";
  if (source.find("esp-nn") != std::string::npos) return "ESP-NN: cores without a profile";
  if (number(row["clock_mhz"]) == 0) return "clock not stated";
  if (core.find("NPU") != std::string::npos || core.find("ethos") != std::string::npos)
    return "accelerator";
  if (result.model.empty()) return std::string(kNotLayerByLayer);
  if (row["dtype"] != "int8") return "computes in " + row["dtype"];
  if (!has_profile(core)) return "core without a profile: " + core;
  if (row["software"].find("Cube.AI 10") == std::string::npos) return "engine not in the table";
  if (result.latency_ms == 0) return "no time";
  return "";
}

// The name of a described network (described_networks).
std::string zoo_model(const CsvRow& row) {
  if (row["source"].find("stm32ai-modelzoo") == std::string::npos) return "";
  static constexpr Word kClasses[] = {
      {"flowers", "5"}, {"ImageNet", "1000"}, {"CIFAR-100", "100"}, {"CIFAR-10", "10"}};
  const std::string classes = first_match(kClasses, row["task_dataset"]);
  const std::string& model = row["model"];
  if (model.starts_with("MobileNetV1 "))
    return fmt::format("mobilenet_v1 {} {} {}", model.substr(12), row["input"], classes);
  if (model == "FdMobileNet 0.25")
    return fmt::format("fd_mobilenet 0.25 {} {}", row["input"], classes);
  if (model.starts_with("ResNet8 ")) return "ic";
  if (model == "ResNet32") return "resnet32";
  return model == "YAMNet-256" ? "yamnet256" : "";
}

constexpr std::string_view kRowHeader =
    "id,use,board,core,stack,model,clock_mhz,latency_ms,energy_uj,power_mw,supply_v,external_smps";
constexpr std::string_view kUses[] = {"fit", "power", "check", "out"};

}  // namespace

Result<std::vector<CostRow>> read_mlperf(const std::string& text) {
  NIBBLE_ASSIGN(const CsvTable table,
                parse_csv_table(text, "mlperf_tiny_results.csv",
                                {"round", "system_id", "board", "soc", "core", "clock_mhz",
                                 "accelerator", "software", "model", "dtype", "latency_ms",
                                 "energy_uJ", "avg_power_mW", "repeat_of", "hw_notes"}));
  std::vector<CostRow> rows;
  for (const CsvRow& row : table.rows()) {
    CostRow& result = rows.emplace_back();
    result.id = fmt::format("mlperf {}", row.line());
    result.core = core_name(row["core"]);
    result.board = mlperf_board(row["soc"], row["board"], result.core);
    result.stack = mlperf_stack(row["software"], result.core, row["round"]);
    result.model = row["model"];
    result.clock_mhz = number(row["clock_mhz"]);
    result.latency_ms = number(row["latency_ms"]);
    result.energy_uj = number(row["energy_uJ"]);
    result.power_mw = number(row["avg_power_mW"]);
    result.supply_v = supply_of(row["hw_notes"]);
    result.external_smps = row["hw_notes"].find("external SMPS") != std::string::npos;
    result.reason = mlperf_reason(row, result);
    if (!result.reason.empty()) result.use = RowUse::kOut;
  }
  return rows;
}

Result<std::vector<CostRow>> read_elsewhere(const std::string& text) {
  NIBBLE_ASSIGN(const CsvTable table,
                parse_csv_table(text, "mcu_measurements.csv",
                                {"source", "board", "soc", "core", "clock_mhz", "software", "model",
                                 "task_dataset", "input", "dtype", "latency_ms"}));
  std::vector<CostRow> rows;
  for (const CsvRow& row : table.rows()) {
    CostRow& result = rows.emplace_back();
    result.id = fmt::format("elsewhere {}", row.line());
    result.use = RowUse::kCheck;
    result.core = row["core"];
    result.board = board_group(row["soc"] == "STM32U585" ? "stm32u585" : row["soc"]);
    result.stack = "X-CUBE-AI 10.0";
    result.model = zoo_model(row);
    result.clock_mhz = number(row["clock_mhz"]);
    result.latency_ms = number(row["latency_ms"]);
    result.reason = elsewhere_reason(row, result);
    if (!result.reason.empty()) result.use = RowUse::kOut;
  }
  return rows;
}

std::vector<CostRow> single_measurements() {
  CostRow u385;
  u385.id = "STM32U385, MLPerf Tiny v1.3 keyword spotting";
  u385.use = RowUse::kPower;
  u385.board = "stm32u385";
  u385.core = "cortex-m33";
  u385.stack = "X-CUBE-AI 10.2";
  u385.model = "kws";
  u385.clock_mhz = 96;
  u385.latency_ms = 48.3;
  u385.energy_uj = 245;
  u385.power_mw = 245 / 48.3;
  u385.supply_v = 1.8;
  return {u385};
}

std::string print_rows(const std::vector<CostRow>& rows) {
  std::string text = std::string(kRowHeader) + "\n";
  for (const CostRow& row : rows) {
    if (row.use == RowUse::kOut) continue;
    text += fmt::format(
        "\"{}\",{},{},{},{},{},{},{},{},{},{},{}\n", row.id, kUses[static_cast<size_t>(row.use)],
        row.board, row.core, row.stack, row.model, format_double(row.clock_mhz),
        format_double(row.latency_ms), format_double(row.energy_uj), format_double(row.power_mw),
        row.supply_v ? format_double(*row.supply_v) : "", row.external_smps ? 1 : 0);
  }
  return text;
}

Result<std::vector<CostRow>> parse_rows(const std::string& text) {
  const std::vector<std::string> names = split(kRowHeader, ',');
  NIBBLE_ASSIGN(const CsvTable table, parse_csv_table(text, "measured.csv", names));
  std::vector<CostRow> rows;
  for (const CsvRow& row : table.rows()) {
    const auto* use = std::ranges::find(kUses, row["use"]);
    if (use == std::end(kUses))
      return input_error(fmt::format("measured.csv, line {}: use '{}' is none of fit, power, check",
                                     row.line(), row["use"]));
    CostRow& result = rows.emplace_back();
    result.id = row["id"];
    result.use = static_cast<RowUse>(use - std::begin(kUses));
    result.board = row["board"];
    result.core = row["core"];
    result.stack = row["stack"];
    result.model = row["model"];
    result.clock_mhz = number(row["clock_mhz"]);
    result.latency_ms = number(row["latency_ms"]);
    result.energy_uj = number(row["energy_uj"]);
    result.power_mw = number(row["power_mw"]);
    if (!row["supply_v"].empty()) result.supply_v = number(row["supply_v"]);
    result.external_smps = row["external_smps"] == "1";
  }
  return rows;
}

std::string print_networks(const CostNetworks& networks) {
  std::string text = "network,channels,kind,macs,outputs,inputs\n";
  auto print = [&](const std::string& name, std::string_view channels,
                   const NetworkTotals& totals) {
    for (size_t i = 0; i < kCostOps; ++i) {
      if (totals[i] == OpTotals{}) continue;
      text += fmt::format("{},{},{},{},{},{}\n", name, channels,
                          cost_op_name(static_cast<CostOp>(i)), format_double(totals[i].macs),
                          format_double(totals[i].outputs), format_double(totals[i].inputs));
    }
  };
  for (const auto& [name, network] : networks) {
    print(name, "all", network.all);
    if (network.live != network.all) print(name, "live", network.live);
  }
  return text;
}

Result<CostNetworks> parse_networks(const std::string& text) {
  NIBBLE_ASSIGN(const CsvTable table,
                parse_csv_table(text, "networks.csv",
                                {"network", "channels", "kind", "macs", "outputs", "inputs"}));
  CostNetworks networks;
  for (const CsvRow& row : table.rows()) {
    size_t op = 0;
    while (op < kCostOps && cost_op_name(static_cast<CostOp>(op)) != row["kind"]) ++op;
    if (op == kCostOps)
      return input_error(fmt::format("networks.csv, line {}: no kind of layer is called '{}'",
                                     row.line(), row["kind"]));
    CostNetwork& network = networks[row["network"]];
    NetworkTotals& totals = row["channels"] == "live" ? network.live : network.all;
    totals[op] = {number(row["macs"]), number(row["outputs"]), number(row["inputs"])};
  }
  // What has no lines of its own has no constant channels.
  for (auto& [name, network] : networks)
    if (network.live == NetworkTotals{}) network.live = network.all;
  return networks;
}

std::string text_hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

FitRow fit_row(const CostRow& row, const CostNetworks& networks) {
  FitRow result;
  CostCase& question = result.question;
  question.core = row.core;
  question.board = row.board;
  question.stack = row.stack;
  const std::optional<CostStack> stack = find_stack(row.stack);
  NIBBLE_CHECK(stack.has_value(), "stack {}", row.stack);
  question.family = stack->family;
  const auto network = networks.find(row.model);
  NIBBLE_CHECK(network != networks.end(), "network {}", row.model);
  question.work = work(stack->drops_dead ? network->second.live : network->second.all,
                       find_family(question.family).profile, core_or_unknown(row.core).isa);
  result.model = row.model;
  result.log_cycles = std::log(row.cycles());
  return result;
}

bool has_power(const CostRow& row) {
  return row.use != RowUse::kOut && row.power_mw > 0 && row.energy_uj > 0;
}

PowerRow power_row(const CostRow& row) {
  return {published_power(row.board, row.core, row.clock_mhz, row.supply_v, row.external_smps),
          row.power_mw};
}

bool is_headline(const CostRow& row) {
  return row.use == RowUse::kFit &&
         (row.core.starts_with("cortex-m") || row.core.starts_with("rv32"));
}

}  // namespace nibble
