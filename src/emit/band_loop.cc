// The loop of a group of calls over its bands, in NAME.c: a table with a line per band says up to
// which row each member has come, and from which row on each window holds rows.
#include <algorithm>

#include "base/text.h"
#include "emit/layout.h"

namespace nibble {
namespace {

int64_t number_of(const KernelCall& call, std::string_view name) {
  for (const auto& [field, value] : call.fields)
    if (field == name) return std::get<int64_t>(value);
  NIBBLE_UNREACHABLE("{} has no field {}", call.kernel, name);
}

bool has_field(const KernelCall& call, std::string_view name) {
  return std::ranges::any_of(call.fields, [&](const auto& field) { return field.first == name; });
}

class BandLoop {
 public:
  BandLoop(const Layout& layout, const KernelCall& group, size_t first_layer)
      : layout_(layout), group_(group), first_layer_(first_layer) {
    for (size_t i = 0; i < group.members.size(); ++i) add_columns(i);
    for (size_t i = 0; i < group.windows.size(); ++i) {
      window_columns_.push_back(columns_.size());
      columns_.push_back({0});
      for (const Band& band : group.bands) columns_.back().push_back(band.first_rows[i]);
    }
  }

  std::string text() const {
    int32_t most = 0;
    for (const std::vector<int32_t>& column : columns_)
      most = std::max(most, *std::ranges::max_element(column));
    const std::string type = most < 1 << 8 ? "uint8_t" : most < 1 << 16 ? "uint16_t" : "int32_t";
    const size_t lines = group_.bands.size() + 1;
    std::string text = fmt::format(
        "  /* {} to {} in {} bands, of which only windows of rows exist at one time. A line of the "
        "table:\n     the row up to which each has come{}. */\n  {{\n"
        "    static const {} rows[{}][{}] = {{\n",
        first_layer_, first_layer_ + group_.members.size() - 1, group_.bands.size(),
        group_.windows.empty() ? "" : ", and the first row in each window", type, lines,
        columns_.size());
    for (size_t line = 0; line < lines; ++line) text += table_line(line);
    text += fmt::format(
        "    }};\n    for (int32_t band = 1; band < {}; ++band) {{\n"
        "      const {} *from = rows[band - 1], *to = rows[band];\n",
        lines, type);
    for (size_t i = 0; i < group_.windows.size(); ++i) text += move_text(i);
    for (size_t i = 0; i < group_.members.size(); ++i) text += member_text(i);
    return text + "    }\n  }\n";
  }

 private:
  // Rows of the source are needed where a member is a kernel that knows whole images only.
  void add_columns(size_t member) {
    end_columns_.push_back(columns_.size());
    columns_.push_back({0});
    for (const Band& band : group_.bands) columns_.back().push_back(band.rows[member].end_row);
    src_columns_.push_back(columns_.size());
    if (!is_portable_image(member)) return;
    columns_.push_back({0});
    for (const Band& band : group_.bands)
      columns_.back().push_back(band.rows[member].src_first_row);
    columns_.push_back({0});
    for (const Band& band : group_.bands) columns_.back().push_back(band.rows[member].src_end_row);
  }

  bool is_image(size_t member) const { return has_field(group_.members[member], "out_h"); }
  bool is_portable_image(size_t member) const {
    return is_image(member) && group_.members[member].function < 0;
  }

  std::string table_line(size_t line) const {
    std::string text;
    for (const std::vector<int32_t>& column : columns_)
      text += (text.empty() ? "" : ", ") + std::to_string(column[line]);
    return "        {" + text + "},\n";
  }

  std::string end_row(size_t member, const char* line = "to") const {
    return fmt::format("{}[{}]", line, end_columns_[member]);
  }

  int64_t offset_of(int buffer) const { return layout_.plan.offsets[static_cast<size_t>(buffer)]; }

  // Rows that the next members still need stay; nothing is moved in the first band.
  std::string move_text(size_t index) const {
    const BandWindow& window = group_.windows[index];
    bool moves = false;
    for (size_t band = 1; band < group_.bands.size(); ++band)
      moves = moves || kept_rows(index, band) > 0;
    if (!moves) return "";
    auto writer =
        static_cast<size_t>(std::ranges::find_if(group_.members,
                                                 [&](const KernelCall& member) {
                                                   return dst_buffer(member) == window.buffer;
                                                 }) -
                            group_.members.begin());
    const std::string first = fmt::format("to[{}]", window_columns_[index]);
    return wrapped_call(
        "      ", "nibble_move_down",
        {fmt::format("arena + {}", offset_of(window.window)),
         fmt::format("({} - from[{}]) * {}", first, window_columns_[index], window.row_bytes),
         fmt::format("({} - {}) * {}", end_row(writer, "from"), first, window.row_bytes)});
  }

  int32_t kept_rows(size_t index, size_t band) const {
    for (size_t i = 0; i < group_.members.size(); ++i)
      if (dst_buffer(group_.members[i]) == group_.windows[index].buffer)
        return group_.bands[band].rows[i].first_row - group_.bands[band].first_rows[index];
    return 0;
  }

  static int dst_buffer(const KernelCall& call) {
    return std::ranges::find(call.operands, Operand::Role::kDst, &Operand::role)->buffer;
  }

  int64_t row_bytes(size_t member, const Operand& operand) const {
    const KernelCall& call = group_.members[member];
    const int64_t bytes = layout_.program.buffers[static_cast<size_t>(operand.buffer)].bytes;
    const bool is_src = operand.role == Operand::Role::kSrc;
    const int64_t rows = is_image(member) ? number_of(call, is_src ? "in_h" : "out_h")
                                          : group_.bands.back().rows[member].end_row;
    return bytes / rows;
  }

  // `row`: the row that is passed, a number of the table; empty: row 0.
  std::string place_text(size_t member, size_t operand_index, const std::string& row) const {
    const Operand& operand = group_.members[member].operands[operand_index];
    const std::string_view ctype = operand_ctype(layout_, first_layer_ + member, operand_index);
    const BandWindow* window = find_window(group_, operand.buffer);
    const int64_t offset = offset_of(window ? window->window : operand.buffer);
    std::string sum = std::to_string(offset);
    if (window) {
      const auto index = static_cast<size_t>(window - group_.windows.data());
      const std::string first = fmt::format("to[{}]", window_columns_[index]);
      sum += row.empty() ? fmt::format(" - {} * {}", first, window->row_bytes)
                         : fmt::format(" + ({} - {}) * {}", row, first, window->row_bytes);
    } else if (!row.empty()) {
      sum += fmt::format(" + {} * {}", row, row_bytes(member, operand));
    }
    return fmt::format("({})nibble_row_address(arena, {})", ctype, sum);
  }

  std::vector<std::string> operand_texts(size_t member, const std::string& src_row,
                                         const std::string& dst_row) const {
    std::vector<std::string> texts;
    const KernelCall& call = group_.members[member];
    for (size_t i = 0; i < call.operands.size(); ++i) {
      const Operand::Role role = call.operands[i].role;
      texts.push_back(place_text(member, i,
                                 role == Operand::Role::kSrc   ? src_row
                                 : role == Operand::Role::kDst ? dst_row
                                                               : ""));
    }
    return texts;
  }

  std::string member_text(size_t member) const {
    const size_t layer = first_layer_ + member;
    std::string body = member_body(member);
    const bool sometimes = std::ranges::any_of(group_.bands, [&](const Band& band) {
      return band.rows[member].first_row == band.rows[member].end_row;
    });
    const std::string before =
        sometimes ? fmt::format("      if ({} < {}) {{\n", end_row(member, "from"), end_row(member))
                  : "      {\n";
    return layer_comment(layout_, layer, "      ") + before + body + "      }\n" +
           hook_text(layout_, layer, "      ");
  }

  std::string member_body(size_t member) const {
    const KernelCall& call = group_.members[member];
    const std::string& function = function_name(layout_.program, call);
    const std::string indent = "        ", first = end_row(member, "from"), end = end_row(member);
    if (call.function < 0) {
      const KernelInfo& kernel = *layout_.kernels[first_layer_ + member];
      std::string text = fmt::format("{}{} args = {};\n", indent, kernel.args_struct,
                                     layout_.args_names[first_layer_ + member]);
      std::string src_row = first;
      if (is_image(member)) {
        src_row = fmt::format("to[{}]", src_columns_[member]);
        const std::string src_end = fmt::format("to[{}]", src_columns_[member] + 1);
        text += fmt::format("{0}args.in_h = {1} - {2};\n{0}args.out_h = {3} - {4};\n", indent,
                            src_end, src_row, end, first);
        text += fmt::format("{}args.pad_top = {} + {} - {} * {};\n", indent,
                            c_integer(number_of(call, "pad_top")), src_row, first,
                            number_of(call, "stride_h"));
      } else {
        text +=
            fmt::format("{}args.len = ({} - {}) * {};\n", indent, end, first, row_elems(member));
      }
      std::vector<std::string> arguments = operand_texts(member, src_row, first);
      arguments.insert(arguments.begin(), "&args");
      return text + wrapped_call(indent, function, arguments);
    }
    const bool slice = !is_image(member);
    std::vector<std::string> arguments =
        operand_texts(member, slice ? first : "", slice ? first : "");
    for (const FieldValue& value : call.arguments) arguments.push_back(value_text(layout_, value));
    if (slice) {
      arguments.back() = fmt::format("({} - {}) * {}", end, first, row_elems(member));
    } else {
      arguments.push_back(first);
      arguments.push_back(end);
    }
    return wrapped_call(indent, function, arguments);
  }

  int64_t row_elems(size_t member) const {
    return number_of(group_.members[member], "len") / group_.bands.back().rows[member].end_row;
  }

  const Layout& layout_;
  const KernelCall& group_;
  const size_t first_layer_;
  std::vector<std::vector<int32_t>> columns_;  // of the table; entry 0 stands before the first band
  std::vector<size_t> end_columns_, src_columns_;  // per member
  std::vector<size_t> window_columns_;             // per window
};

}  // namespace

std::string band_loop(const Layout& layout, const KernelCall& group, size_t first_layer) {
  return BandLoop(layout, group, first_layer).text();
}

}  // namespace nibble
