// Tables of text with named columns: RFC 4180, a header line first.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble {

class CsvRow {
 public:
  CsvRow(const std::map<std::string, size_t>* columns, std::vector<std::string> cells, int line)
      : columns_(columns), cells_(std::move(cells)), line_(line) {}
  // The cell of a column that parse_csv_table was told of.
  const std::string& operator[](const std::string& column) const;
  // Where the row stands, the header being 1; a row counts once, whatever line breaks are in it.
  int line() const { return line_; }

 private:
  const std::map<std::string, size_t>* columns_;
  std::vector<std::string> cells_;
  int line_ = 0;
};

class CsvTable {
 public:
  const std::vector<CsvRow>& rows() const { return rows_; }

 private:
  friend Result<CsvTable> parse_csv_table(std::string_view, const std::string&,
                                          const std::vector<std::string>&);
  std::unique_ptr<std::map<std::string, size_t>> columns_;
  std::vector<CsvRow> rows_;
};

// Errors: a wanted column is missing, a row has another number of cells than the header; `name`
// stands for the file.
Result<CsvTable> parse_csv_table(std::string_view text, const std::string& name,
                                 const std::vector<std::string>& wanted);

}  // namespace nibble
