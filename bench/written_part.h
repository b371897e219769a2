// The part of a document that a command writes, between two marks in it.
#pragma once

#include <string>

#include "base/result.h"

namespace nibble {

struct WrittenPart {
  std::string before, tables, after;  // the marks belong to what is around
};

// `page` stands for the file. Error: a mark is missing.
inline Result<WrittenPart> split_written_part(const std::string& text, const std::string& page,
                                              const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin), to = text.find(end, from);
  if (from == std::string::npos || to == std::string::npos)
    return input_error(page + ": the marks between which the tables stand are gone");
  const size_t tables = from + begin.size();
  return WrittenPart{text.substr(0, tables), text.substr(tables, to - tables), text.substr(to)};
}

}  // namespace nibble
