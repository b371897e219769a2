// verify_program: a Program names only kernels, fields, buffers and constants that exist. lower()
// makes no other, but a program may have been read back from a file.
#include <algorithm>
#include <limits>

#include "lower/arguments.h"
#include "lower/lower.h"

namespace nibble {
namespace {

Error wrong(const KernelCall& call, const std::string& what) {
  return input_error(fmt::format("program: call of {} for layer \"{}\": {}; lower the model again",
                                 call.kernel, call.layer, what));
}

Status verify_constant(const Program& program, const KernelCall& call, int index,
                       std::string_view pointer_ctype) {
  if (index < 0 || static_cast<size_t>(index) >= program.constants.size())
    return wrong(call, fmt::format("there is no constant {}", index));
  const ConstantData& constant = program.constants[static_cast<size_t>(index)];
  if (constant.ctype != pointee(pointer_ctype))
    return wrong(call, fmt::format("constant {} is {}, the kernel reads {}", constant.name,
                                   constant.ctype, pointee(pointer_ctype)));
  return {};
}

Status verify_fields(const Program& program, const KernelCall& call, const KernelInfo& kernel) {
  if (call.fields.size() != kernel.fields.size())
    return wrong(call, fmt::format("{} fields, {} has {}", call.fields.size(), kernel.args_struct,
                                   kernel.fields.size()));
  for (size_t i = 0; i < call.fields.size(); ++i) {
    const auto& [name, value] = call.fields[i];
    const KernelField& field = kernel.fields[i];
    if (name != field.name)
      return wrong(call, fmt::format("field {} stands where {} belongs", name, field.name));
    if (const auto* ref = std::get_if<ConstantRef>(&value)) {
      if (!field.is_pointer) return wrong(call, fmt::format("field {} is a number", name));
      NIBBLE_TRY(verify_constant(program, call, ref->index, field.ctype));
      continue;
    }
    int64_t number = std::get<int64_t>(value);
    if (field.is_pointer && number != 0)
      return wrong(call, fmt::format("field {} is a pointer", name));
    int64_t high = field.ctype == "float" ? int64_t{std::numeric_limits<uint32_t>::max()}
                                          : int64_t{std::numeric_limits<int32_t>::max()};
    if (number < std::numeric_limits<int32_t>::min() || number > high)
      return wrong(call, fmt::format("field {} = {} is not a {}", name, number, field.ctype));
  }
  return {};
}

// What a call's operands must be: the kernel's own parameters, or, where a function computes it,
// the kernel's sources and dst and the function's scratch.
std::vector<KernelParameter> expected_parameters(const Program& program, const KernelCall& call,
                                                 const KernelInfo& kernel) {
  std::vector<KernelParameter> expected(kernel.parameters.begin(), kernel.parameters.end());
  if (call.function < 0) return expected;
  std::erase_if(expected, [](const KernelParameter& parameter) {
    return parameter.role == Operand::Role::kScratch;
  });
  if (program.functions[static_cast<size_t>(call.function)].parameters.size() > expected.size())
    expected.push_back({"scratch", "void *", Operand::Role::kScratch});
  return expected;
}

Status verify_function(const Program& program, const KernelCall& call) {
  if (call.function < 0)
    return call.arguments.empty() ? Status() : wrong(call, "arguments without a function");
  if (static_cast<size_t>(call.function) >= program.functions.size())
    return wrong(call, fmt::format("there is no function {}", call.function));
  const KernelFunction& function = program.functions[static_cast<size_t>(call.function)];
  if (function.parameters.size() != call.operands.size())
    return wrong(call, fmt::format("{} operands, {} has {}", call.operands.size(), function.name,
                                   function.parameters.size()));
  for (const FieldValue& argument : call.arguments)
    if (const auto* ref = std::get_if<ConstantRef>(&argument))
      if (ref->index < 0 || static_cast<size_t>(ref->index) >= program.constants.size())
        return wrong(call, fmt::format("there is no constant {}", ref->index));
  return {};
}

Status verify_operands(const Program& program, const KernelCall& call, const KernelInfo& kernel) {
  std::vector<KernelParameter> parameters = expected_parameters(program, call, kernel);
  if (call.operands.size() != parameters.size())
    return wrong(call, fmt::format("{} operands, the kernel has {}", call.operands.size(),
                                   parameters.size()));
  for (size_t i = 0; i < call.operands.size(); ++i) {
    const Operand& operand = call.operands[i];
    const KernelParameter& parameter = parameters[i];
    if (operand.role != parameter.role)
      return wrong(call, fmt::format("operand {} has the wrong role", parameter.name));
    if (operand.role == Operand::Role::kSrc && operand.buffer < 0) {
      NIBBLE_TRY(verify_constant(program, call, operand.constant, parameter.ctype));
      continue;
    }
    if (operand.buffer < 0 || static_cast<size_t>(operand.buffer) >= program.buffers.size())
      return wrong(call, fmt::format("there is no buffer {}", operand.buffer));
    const Buffer& buffer = program.buffers[static_cast<size_t>(operand.buffer)];
    if (operand.offset_bytes < 0 || operand.offset_bytes > buffer.bytes)
      return wrong(call, fmt::format("offset {} leaves {}", operand.offset_bytes, buffer.name));
  }
  return {};
}

// The shape of a group. Whether its rows are right is for check_plan.
Status verify_group(const Program& program, const KernelCall& group) {
  auto is_buffer = [&](int index) {
    return index >= 0 && static_cast<size_t>(index) < program.buffers.size();
  };
  auto is_operand = [&](int buffer) {
    return std::ranges::find(group.operands, buffer, &Operand::buffer) != group.operands.end();
  };
  for (const Operand& operand : group.operands)
    if (!is_buffer(operand.buffer) || operand.offset_bytes != 0)
      return wrong(group, "an operand of the group is no whole buffer");
  for (const BandWindow& window : group.windows)
    if (!is_buffer(window.buffer) || !is_buffer(window.window) || !is_operand(window.window) ||
        is_operand(window.buffer) || window.row_bytes < 1)
      return wrong(group, "a window of the group is none of its operands");
  for (const KernelCall& member : group.members) {
    if (!member.members.empty()) return wrong(group, "a group in a group");
    for (const Operand& operand : member.operands)
      if (operand.buffer < 0 ||
          (!is_operand(operand.buffer) && !find_window(group, operand.buffer)))
        return wrong(group, fmt::format("layer \"{}\" uses a buffer that is none of the group's",
                                        member.layer));
  }
  if (group.bands.empty()) return wrong(group, "a group without bands");
  for (const Band& band : group.bands)
    if (band.rows.size() != group.members.size() || band.first_rows.size() != group.windows.size())
      return wrong(group, "a band with other members or windows than the group");
  return {};
}

Status verify_port(const Program& program, const ProgramPort& port) {
  bool known = port.buffer >= 0 && static_cast<size_t>(port.buffer) < program.buffers.size();
  int64_t bytes = elem_count(port.type.shape) * dtype_bytes(port.type.dtype);
  if (!known || port.offset_bytes < 0 || bytes < 0 ||
      port.offset_bytes > program.buffers[static_cast<size_t>(port.buffer)].bytes - bytes)
    return input_error(fmt::format(
        "program: input or output \"{}\" does not lie in a buffer; lower the model again",
        port.name));
  return {};
}

}  // namespace

Status verify_program(const Program& program) {
  for (const KernelFunction& function : program.functions)
    for (const std::string& file : function.files)
      if (!has_kernel_source(file))
        return input_error(
            fmt::format("program: function {} relies on {}, which this nibble does not have; lower "
                        "the model again",
                        function.name, file));
  for (const Buffer& buffer : program.buffers)
    if (buffer.bytes < 0 || buffer.align_bytes < 1)
      return input_error(
          fmt::format("program: buffer {} of {} bytes, aligned to {}; lower the model "
                      "again",
                      buffer.name, buffer.bytes, buffer.align_bytes));
  for (const KernelCall* call : layer_calls(program)) {
    const KernelInfo* kernel = find_kernel(call->kernel);
    if (!kernel) return wrong(*call, "there is no such kernel in this nibble");
    NIBBLE_TRY(verify_fields(program, *call, *kernel));
    NIBBLE_TRY(verify_function(program, *call));
    NIBBLE_TRY(verify_operands(program, *call, *kernel));
  }
  for (const KernelCall& call : program.calls)
    if (!call.members.empty()) NIBBLE_TRY(verify_group(program, call));
  for (const ProgramPort& port : program.inputs) NIBBLE_TRY(verify_port(program, port));
  for (const ProgramPort& port : program.outputs) NIBBLE_TRY(verify_port(program, port));
  return {};
}

}  // namespace nibble
