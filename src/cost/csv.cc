// One pass over the text.
#include "cost/csv.h"

#include <fmt/format.h>

#include "base/check.h"

namespace nibble {
namespace {

// Cells of each row; quoted ones may hold commas, line breaks and doubled quotes.
std::vector<std::vector<std::string>> cells_of(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string cell;
  bool quoted = false, started = false;
  auto end_cell = [&] {
    row.push_back(std::move(cell));
    cell.clear();
  };
  auto end_row = [&] {
    if (!started) return;
    end_cell();
    rows.push_back(std::move(row));
    row.clear();
    started = false;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"')
        cell += c;
      else if (i + 1 < text.size() && text[i + 1] == '"')
        cell += text[++i];
      else
        quoted = false;
      continue;
    }
    if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      started = true;
      if (c == '"')
        quoted = true;
      else if (c == ',')
        end_cell();
      else
        cell += c;
    }
  }
  end_row();
  return rows;
}

}  // namespace

const std::string& CsvRow::operator[](const std::string& column) const {
  const auto found = columns_->find(column);
  NIBBLE_CHECK(found != columns_->end(), "column {}", column);
  return cells_[found->second];
}

Result<CsvTable> parse_csv_table(std::string_view text, const std::string& name,
                                 const std::vector<std::string>& wanted) {
  std::vector<std::vector<std::string>> rows = cells_of(text);
  CsvTable table;
  table.columns_ = std::make_unique<std::map<std::string, size_t>>();
  if (!rows.empty())
    for (size_t i = 0; i < rows[0].size(); ++i) (*table.columns_)[rows[0][i]] = i;
  for (const std::string& column : wanted)
    if (!table.columns_->contains(column))
      return input_error(name + ": its first line names no column '" + column +
                         "'; the table is not the one that is expected here");
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].size() != rows[0].size())
      return input_error(fmt::format("{}: row {} has {} cells, its header {}", name, i + 1,
                                     rows[i].size(), rows[0].size()));
    table.rows_.emplace_back(table.columns_.get(), std::move(rows[i]), static_cast<int>(i + 1));
  }
  return table;
}

}  // namespace nibble
