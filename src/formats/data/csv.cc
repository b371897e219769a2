// Tables of numbers as data sets: one sample per line.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "formats/data/sources.h"

namespace nibble {
namespace {

std::string_view next_line(std::string_view& text) {
  size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

std::string_view unquoted(std::string_view cell) {
  cell = trim(cell);
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"')
    cell = trim(cell.substr(1, cell.size() - 2));
  return cell;
}

bool read_number(std::string_view cell, double& value) {
  if (!cell.empty() && cell.front() == '+') cell.remove_prefix(1);
  auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error == std::errc() && end == cell.data() + cell.size();
}

// The separator that occurs in the first line; a comma if none does.
char find_separator(std::string_view line) {
  for (char candidate : {',', ';', '\t'})
    if (line.find(candidate) != std::string_view::npos) return candidate;
  return ',';
}

std::vector<std::string_view> split_cells(std::string_view line, char separator) {
  std::vector<std::string_view> cells;
  while (true) {
    size_t end = line.find(separator);
    cells.push_back(unquoted(line.substr(0, end)));
    if (end == std::string_view::npos) return cells;
    line.remove_prefix(end + 1);
  }
}

bool is_header(const std::vector<std::string_view>& cells) {
  double number = 0;
  return std::any_of(cells.begin(), cells.end(),
                     [&](std::string_view cell) { return !read_number(cell, number); });
}

bool names_labels(std::string_view cell) {
  const std::string lower = lower_case(cell);
  return lower == "label" || lower == "labels" || lower == "y" || lower == "class";
}

struct Table {
  size_t columns = 0;
  bool has_labels = false;
  std::vector<float> values;
  std::vector<double> labels;
  bool real_labels = false;
  int64_t rows = 0;
};

Status add_row(const std::vector<std::string_view>& cells, const std::string& name, int64_t line,
               Table& table) {
  if (cells.size() != table.columns)
    return input_error(
        fmt::format("{}, line {}: has {} columns, the first line has {}; every line is "
                    "one sample with the same number of values",
                    name, line, cells.size(), table.columns));
  size_t values = table.columns - (table.has_labels ? 1 : 0);
  for (size_t i = 0; i < cells.size(); ++i) {
    double number = 0;
    if (!read_number(cells[i], number))
      return input_error(fmt::format("{}, line {}, column {}: '{}' is not a number", name, line,
                                     i + 1, cells[i].substr(0, 40)));
    if (i < values) {
      table.values.push_back(static_cast<float>(number));
      continue;
    }
    table.labels.push_back(number);
    // "3.0" is a real number, "3" a class.
    table.real_labels |= !(std::abs(number) < 0x1p53) ||
                         cells[i].find_first_not_of("+-0123456789") != std::string_view::npos;
  }
  ++table.rows;
  return {};
}

Tensor label_tensor(const Table& table) {
  if (table.real_labels)
    return Tensor::of_floats({table.rows},
                             std::vector<float>(table.labels.begin(), table.labels.end()));
  return Tensor::of<int64_t>({table.rows}, DType::kS64,
                             std::vector<int64_t>(table.labels.begin(), table.labels.end()));
}

}  // namespace

Result<RawData> parse_csv(std::string_view text, const std::string& name, int64_t max_samples) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Table table;
  char separator = ',';
  for (int64_t line = 1; !text.empty(); ++line) {
    std::string_view content = trim(next_line(text));
    if (content.empty()) continue;
    if (table.columns == 0) {
      separator = find_separator(content);
      auto cells = split_cells(content, separator);
      table.columns = cells.size();
      if (is_header(cells)) {
        table.has_labels = names_labels(cells.back());
        continue;
      }
    }
    if (max_samples > 0 && table.rows >= max_samples) break;
    NIBBLE_TRY(add_row(split_cells(content, separator), name, line, table));
  }
  if (table.rows == 0)
    return input_error(
        fmt::format("{}: holds no samples; a CSV file has one sample per line", name));
  RawData data;
  auto columns = static_cast<int64_t>(table.columns) - (table.has_labels ? 1 : 0);
  data.samples = Tensor::of_floats({table.rows, columns}, table.values);
  if (table.has_labels) data.labels = label_tensor(table);
  return data;
}

}  // namespace nibble
