// print_program and parse_program: one line per buffer, constant, port and kernel call, exact in
// both directions.
//
//   program "tiny"
//   buffer "x" bytes=4 align=4
//   const "fc_filter" "int8_t" bytes=8 = hex:01ff...
//   input "x" : s8[1,4] {...} buffer=0 offset=0
//   output "y" : s8[1,2] {...} buffer=1 offset=0
//   function "nibble_dense_s8_dsp_k4" "dsp" ("common/requant.h") ("const int8_t *", "int8_t *")
//     takes_rows=false code_bytes=310 = "static void ..."
//   call "fc" "dense" shapes="1x4 -> 1x2" "nibble_dense_s8_ref" in_place=false macs=8
//     {"in_c"=4, "filter"=const:0} (src buffer:0 offset:0, dst buffer:1 offset:0)
//     function:0 (const:1, 2) progress (2 4) unit:4 scratch_progress (0 4) cycles 700
//     rows 2 1 8 150 90
//
// A function, and a call, is one line in the text. What follows the operands stands only where
// there is a function, progress, cycles, a cost of rows. A group of calls ends with
//
//     members 2 windows (2 3 16) bands ((0 2 0 3, 0 1 0 2) (0), (2 4 2 5, 1 2 1 3) (1))
//
// and is followed by its members, each a line of the same form that starts with "member": a window
// is buffer, window, bytes of a row; a band the four rows of each member, and the first row of each
// window.
#include "base/text.h"
#include "graph/text_reader.h"
#include "graph/text_writer.h"

namespace nibble {
namespace {

constexpr int64_t kMaxMembers = 1 << 16;

std::string_view role_name(Operand::Role role) {
  switch (role) {
    case Operand::Role::kSrc:
      return "src";
    case Operand::Role::kDst:
      return "dst";
    case Operand::Role::kScratch:
      return "scratch";
  }
  NIBBLE_UNREACHABLE("role {}", static_cast<int>(role));
}

std::string port_text(std::string_view kind, const ProgramPort& port) {
  std::string text = std::string(kind) + " " + quoted(port.name) + " : " + text_of(port.type) +
                     " buffer=" + std::to_string(port.buffer) +
                     " offset=" + std::to_string(port.offset_bytes);
  if (!port.source_perm.empty())
    text += " source_perm=" + text_of(std::span<const int64_t>(port.source_perm));
  return text + "\n";
}

std::string operand_text(const Operand& operand) {
  std::string text(role_name(operand.role));
  if (operand.constant >= 0) text += " const:" + std::to_string(operand.constant);
  if (operand.constant < 0 || operand.buffer >= 0)
    text += " buffer:" + std::to_string(operand.buffer);
  return text + " offset:" + std::to_string(operand.offset_bytes);
}

std::string value_text(const FieldValue& value) {
  if (const auto* constant = std::get_if<ConstantRef>(&value))
    return "const:" + std::to_string(constant->index);
  return std::to_string(std::get<int64_t>(value));
}

// (item, item), each as `text` puts it.
template <class List, class Text>
std::string list_text(const List& list, Text text) {
  std::string result = "(";
  for (size_t i = 0; i < list.size(); ++i) result += (i ? ", " : "") + text(list[i]);
  return result + ")";
}

std::string function_text(const KernelFunction& function) {
  return "function " + quoted(function.name) + " " + quoted(function.isa) + " " +
         list_text(function.files, [](const std::string& file) { return quoted(file); }) + " " +
         list_text(function.parameters, [](const std::string& type) { return quoted(type); }) +
         " takes_rows=" + text_of(function.takes_rows) +
         " code_bytes=" + std::to_string(function.code_bytes) + " = " + quoted(function.text) +
         "\n";
}

std::string band_text(const Band& band) {
  return list_text(band.rows,
                   [](const BandRows& rows) {
                     return std::to_string(rows.first_row) + " " + std::to_string(rows.end_row) +
                            " " + std::to_string(rows.src_first_row) + " " +
                            std::to_string(rows.src_end_row);
                   }) +
         " " + list_text(band.first_rows, [](int32_t row) { return std::to_string(row); });
}

std::string window_text(const BandWindow& window) {
  return std::to_string(window.buffer) + " " + std::to_string(window.window) + " " +
         std::to_string(window.row_bytes);
}

std::string call_text(const KernelCall& call, std::string_view kind = "call") {
  std::string text = std::string(kind) + " " + quoted(call.layer) + " " + quoted(call.op) +
                     " shapes=" + quoted(call.shapes) + " " + quoted(call.kernel) +
                     " in_place=" + text_of(call.in_place) + " macs=" + std::to_string(call.macs) +
                     " {";
  for (size_t i = 0; i < call.fields.size(); ++i) {
    const auto& [name, value] = call.fields[i];
    text += (i ? ", " : "") + quoted(name) + "=" + value_text(value);
  }
  text += "} " + list_text(call.operands, operand_text);
  if (call.function >= 0)
    text +=
        " function:" + std::to_string(call.function) + " " + list_text(call.arguments, value_text);
  auto moments = [](const AccessStep& step) {
    return std::to_string(step.written_bytes) + " " + std::to_string(step.unread_from_bytes);
  };
  if (!call.progress.empty()) text += " progress " + list_text(call.progress, moments);
  if (call.progress_unit != 1) text += " unit:" + std::to_string(call.progress_unit);
  if (!call.scratch_progress.empty())
    text += " scratch_progress " + list_text(call.scratch_progress, moments);
  if (call.cycles != 0) text += " cycles " + std::to_string(call.cycles);
  if (const RowCost& cost = call.row_cost; cost != RowCost())
    text += " rows " + std::to_string(cost.rows) + " " + std::to_string(cost.pixels) + " " +
            std::to_string(cost.strip_rows) + " " + std::to_string(cost.strip_cycles) + " " +
            std::to_string(cost.call_cycles);
  if (!call.members.empty())
    text += " members " + std::to_string(call.members.size()) + " windows " +
            list_text(call.windows, window_text) + " bands " + list_text(call.bands, band_text);
  text += "\n";
  for (const KernelCall& member : call.members) text += call_text(member, "member");
  return text;
}

class ProgramParser {
 public:
  explicit ProgramParser(std::string_view text) : in_(text) {}

  Result<Program> parse() {
    in_.skip_empty_lines();
    NIBBLE_TRY(in_.expect_word("program"));
    NIBBLE_ASSIGN(program_.name, in_.string("the name of the program"));
    NIBBLE_TRY(in_.expect_line_end());
    for (in_.skip_empty_lines(); in_.peek().kind != TokenKind::kEnd; in_.skip_empty_lines()) {
      NIBBLE_TRY(statement());
      NIBBLE_TRY(in_.expect_line_end());
    }
    return std::move(program_);
  }

 private:
  Status statement() {
    if (in_.accept_word("buffer")) return buffer();
    if (in_.accept_word("const")) return constant();
    if (in_.accept_word("input")) return port(program_.inputs);
    if (in_.accept_word("output")) return port(program_.outputs);
    if (in_.accept_word("function")) return function();
    if (in_.accept_word("call")) {
      NIBBLE_ASSIGN(KernelCall parsed, call(true));
      program_.calls.push_back(std::move(parsed));
      return {};
    }
    return in_.expected("a line that starts with buffer, const, input, output, function or call");
  }

  // word=integer
  Result<int64_t> field(std::string_view word, int64_t low = 0, int64_t high = INT64_MAX) {
    NIBBLE_TRY(in_.expect_word(word));
    NIBBLE_TRY(in_.expect('='));
    return in_.integer("the value of " + std::string(word), low, high);
  }
  // word:integer, a place in one of the program's lists
  Result<int> index(std::string_view word, size_t count, int64_t low = 0) {
    NIBBLE_TRY(in_.expect(':'));
    NIBBLE_ASSIGN(int64_t value,
                  in_.integer("the index of a " + std::string(word) + " on a line before this one",
                              low, static_cast<int64_t>(count) - 1));
    return static_cast<int>(value);
  }

  Status buffer() {
    Buffer buffer;
    NIBBLE_ASSIGN(buffer.name, in_.string("the name of the buffer"));
    NIBBLE_ASSIGN(buffer.bytes, field("bytes"));
    NIBBLE_ASSIGN(buffer.align_bytes, field("align", 1));
    program_.buffers.push_back(std::move(buffer));
    return {};
  }

  Status constant() {
    ConstantData constant;
    NIBBLE_ASSIGN(constant.name, in_.string("the name of the constant"));
    NIBBLE_ASSIGN(constant.ctype, in_.string("the C type of the elements"));
    NIBBLE_ASSIGN(int64_t bytes, field("bytes", 0, kMaxElems));
    constant.in_ram = in_.accept_word("in_ram");
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(constant.bytes, in_.data(bytes, {}));
    program_.constants.push_back(std::move(constant));
    return {};
  }

  Status port(std::vector<ProgramPort>& ports) {
    ProgramPort port;
    NIBBLE_ASSIGN(port.name, in_.string("the name of the port"));
    NIBBLE_TRY(in_.expect(':'));
    NIBBLE_ASSIGN(port.type, in_.tensor_type());
    auto buffers = static_cast<int64_t>(program_.buffers.size());
    NIBBLE_ASSIGN(int64_t index, field("buffer", -1, buffers - 1));
    port.buffer = static_cast<int>(index);
    NIBBLE_ASSIGN(port.offset_bytes, field("offset"));
    if (in_.accept_word("source_perm")) {
      NIBBLE_TRY(in_.expect('='));
      NIBBLE_ASSIGN(port.source_perm, in_.integers("an axis", 0, kMaxRank - 1));
    }
    ports.push_back(std::move(port));
    return {};
  }

  Result<KernelCall> call(bool may_be_group) {
    KernelCall call;
    NIBBLE_ASSIGN(call.layer, in_.string("the layer of the call"));
    NIBBLE_ASSIGN(call.op, in_.string("the operator of the call"));
    NIBBLE_TRY(in_.expect_word("shapes"));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(call.shapes, in_.string("the shapes of the call"));
    NIBBLE_ASSIGN(call.kernel, in_.string("the kernel of the call"));
    NIBBLE_TRY(in_.expect_word("in_place"));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(call.in_place, in_.boolean("the value of in_place"));
    NIBBLE_ASSIGN(call.macs, field("macs", INT64_MIN));
    NIBBLE_TRY(list('{', '}', [&] { return kernel_field(call); }));
    NIBBLE_TRY(list('(', ')', [&] { return operand(call); }));
    if (in_.accept_word("function")) {
      NIBBLE_ASSIGN(call.function, index("function", program_.functions.size()));
      NIBBLE_TRY(list('(', ')', [&]() -> Status {
        NIBBLE_ASSIGN(FieldValue argument, value());
        call.arguments.push_back(argument);
        return {};
      }));
    }
    NIBBLE_TRY(moments("progress", call.progress));
    if (in_.accept_word("unit")) {
      NIBBLE_TRY(in_.expect(':'));
      NIBBLE_ASSIGN(call.progress_unit, in_.integer("the bytes of a unit", 1, kMaxElems));
    }
    NIBBLE_TRY(moments("scratch_progress", call.scratch_progress));
    if (in_.accept_word("cycles")) {
      NIBBLE_ASSIGN(call.cycles, in_.integer("a number of cycles", 0));
    }
    if (in_.accept_word("rows")) {
      NIBBLE_ASSIGN(call.row_cost.rows, row(1));
      NIBBLE_ASSIGN(call.row_cost.pixels, row(1));
      NIBBLE_ASSIGN(call.row_cost.strip_rows, row());
      NIBBLE_ASSIGN(call.row_cost.strip_cycles, in_.integer("a number of cycles", 0));
      NIBBLE_ASSIGN(call.row_cost.call_cycles, in_.integer("a number of cycles", 0));
    }
    if (may_be_group && in_.accept_word("members")) NIBBLE_TRY(group(call));
    return call;
  }

  Result<int> buffer_index(const std::string& what) {
    NIBBLE_ASSIGN(int64_t index,
                  in_.integer(what, 0, static_cast<int64_t>(program_.buffers.size()) - 1));
    return static_cast<int>(index);
  }
  Result<int32_t> row(int64_t low = 0) {
    NIBBLE_ASSIGN(int64_t row, in_.integer("a number of rows", low, INT32_MAX));
    return static_cast<int32_t>(row);
  }

  Status group(KernelCall& group) {
    NIBBLE_ASSIGN(int64_t count, in_.integer("the number of members", 1, kMaxMembers));
    NIBBLE_TRY(in_.expect_word("windows"));
    NIBBLE_TRY(list('(', ')', [&]() -> Status {
      BandWindow window;
      NIBBLE_ASSIGN(window.buffer, buffer_index("the index of a buffer"));
      NIBBLE_ASSIGN(window.window, buffer_index("the index of its window"));
      NIBBLE_ASSIGN(window.row_bytes, in_.integer("the bytes of a row", 1));
      group.windows.push_back(window);
      return {};
    }));
    NIBBLE_TRY(in_.expect_word("bands"));
    NIBBLE_TRY(list('(', ')', [&] { return band(group); }));
    for (int64_t i = 0; i < count; ++i) {
      NIBBLE_TRY(in_.expect_line_end());
      NIBBLE_TRY(in_.expect_word("member"));
      NIBBLE_ASSIGN(KernelCall member, call(false));
      group.members.push_back(std::move(member));
    }
    return {};
  }

  Status band(KernelCall& group) {
    Band& band = group.bands.emplace_back();
    NIBBLE_TRY(list('(', ')', [&]() -> Status {
      BandRows rows;
      NIBBLE_ASSIGN(rows.first_row, row());
      NIBBLE_ASSIGN(rows.end_row, row());
      NIBBLE_ASSIGN(rows.src_first_row, row());
      NIBBLE_ASSIGN(rows.src_end_row, row());
      band.rows.push_back(rows);
      return {};
    }));
    return list('(', ')', [&]() -> Status {
      NIBBLE_ASSIGN(int32_t first_row, row());
      band.first_rows.push_back(first_row);
      return {};
    });
  }

  Status moments(std::string_view word, std::vector<AccessStep>& progress) {
    if (!in_.accept_word(word)) return {};
    return list('(', ')', [&]() -> Status {
      AccessStep step;
      NIBBLE_ASSIGN(step.written_bytes, in_.integer("bytes that are written", 0));
      NIBBLE_ASSIGN(step.unread_from_bytes, in_.integer("the first byte still read", 0));
      progress.push_back(step);
      return {};
    });
  }

  // Items between brackets, separated by commas; there may be none.
  template <class Item>
  Status list(char open, char close, Item item) {
    NIBBLE_TRY(in_.expect(open));
    if (in_.accept(close)) return {};
    do {
      NIBBLE_TRY(item());
    } while (in_.accept(','));
    return in_.expect(close);
  }

  Status function() {
    KernelFunction function;
    NIBBLE_ASSIGN(function.name, in_.string("the name of the function"));
    NIBBLE_ASSIGN(function.isa, in_.string("the function's instruction set"));
    auto strings = [&](std::vector<std::string>& items, const std::string& what) {
      return list('(', ')', [&]() -> Status {
        NIBBLE_ASSIGN(std::string item, in_.string(what));
        items.push_back(std::move(item));
        return {};
      });
    };
    NIBBLE_TRY(strings(function.files, "a file of the kernels"));
    NIBBLE_TRY(strings(function.parameters, "the C type of an operand"));
    NIBBLE_TRY(in_.expect_word("takes_rows"));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(function.takes_rows, in_.boolean("the value of takes_rows"));
    NIBBLE_TRY(in_.expect_word("code_bytes"));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(function.code_bytes, in_.integer("the value of code_bytes", 0));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(function.text, in_.string("the C text of the function"));
    program_.functions.push_back(std::move(function));
    return {};
  }

  Status kernel_field(KernelCall& call) {
    NIBBLE_ASSIGN(std::string name, in_.string("a field of the kernel's arguments"));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_ASSIGN(FieldValue content, value());
    call.fields.emplace_back(std::move(name), content);
    return {};
  }

  Result<FieldValue> value() {
    if (in_.accept_word("const")) {
      NIBBLE_ASSIGN(int place, index("constant", program_.constants.size()));
      return FieldValue(ConstantRef{place});
    }
    NIBBLE_ASSIGN(int64_t number, in_.integer("an integer or const:INDEX"));
    return FieldValue(number);
  }

  Status operand(KernelCall& call) {
    Operand operand;
    if (in_.accept_word("src")) {
      operand.role = Operand::Role::kSrc;
    } else if (in_.accept_word("dst")) {
      operand.role = Operand::Role::kDst;
    } else if (in_.accept_word("scratch")) {
      operand.role = Operand::Role::kScratch;
    } else {
      return in_.expected("src, dst or scratch");
    }
    if (in_.accept_word("const")) {
      NIBBLE_ASSIGN(operand.constant, index("constant", program_.constants.size()));
    }
    if (in_.accept_word("buffer")) {
      NIBBLE_ASSIGN(operand.buffer, index("buffer", program_.buffers.size(), -1));
    }
    NIBBLE_TRY(in_.expect_word("offset"));
    NIBBLE_TRY(in_.expect(':'));
    NIBBLE_ASSIGN(operand.offset_bytes, in_.integer("an offset in bytes", 0));
    call.operands.push_back(operand);
    return {};
  }

  TextReader in_;
  Program program_;
};

}  // namespace

std::string print_program(const Program& program, PrintOptions options) {
  NIBBLE_CHECK(options.constants != PrintOptions::Constants::kBlob, "programs have no blob form");
  std::string text = "program " + quoted(program.name) + "\n";
  for (const Buffer& buffer : program.buffers)
    text += "buffer " + quoted(buffer.name) + " bytes=" + std::to_string(buffer.bytes) +
            " align=" + std::to_string(buffer.align_bytes) + "\n";
  for (const ConstantData& constant : program.constants)
    text += "const " + quoted(constant.name) + " " + quoted(constant.ctype) +
            " bytes=" + std::to_string(constant.bytes.size()) + (constant.in_ram ? " in_ram" : "") +
            " = " + data_text(constant.bytes, options, nullptr) + "\n";
  for (const ProgramPort& port : program.inputs) text += port_text("input", port);
  for (const ProgramPort& port : program.outputs) text += port_text("output", port);
  for (const KernelFunction& function : program.functions) text += function_text(function);
  for (const KernelCall& call : program.calls) text += call_text(call);
  return text;
}

Result<Program> parse_program(std::string_view text) { return ProgramParser(text).parse(); }

}  // namespace nibble
