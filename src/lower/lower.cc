// Integer graph → Program: every node becomes kernel calls. ops/ says which family of kernels
// computes a node and with which fields; here the variant for the target is chosen, fields are
// checked against the kernel's header, constants become named arrays, and values become buffers.
#include "lower/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/text.h"
#include "lower/arguments.h"
#include "lower/progress.h"
#include "lower/reference_cost.h"
#include "lower/variant.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// Where the elements of a value are. A reshape only adds another name for the same place.
struct Place {
  int buffer = -1;
  const Tensor* constant = nullptr;
};

// C promises 63 significant characters for a name; this leaves room for a prefix and a suffix.
constexpr size_t kMaxNameChars = 40;

// Of a call, about: beyond, moments are left out at the cost of as many parts of its dst.
constexpr int64_t kMaxMoments = 256;

// A short C name for a layer. Converters chain the names of fused nodes ("conv/Relu;bn/Fused;...");
// the first says enough.
std::string short_name(const std::string& layer) {
  std::string name = c_identifier(layer.substr(0, layer.find(';')));
  if (name.size() > kMaxNameChars) name = c_identifier(name.substr(name.size() - kMaxNameChars));
  return name;
}

bool is_border(const Node& node) {
  return std::holds_alternative<Quantize>(node.op) || std::holds_alternative<Dequantize>(node.op);
}

class Lowering {
 public:
  Lowering(const Graph& graph, const LowerOptions& options) : graph_(graph), options_(options) {}

  Result<Program> run() {
    program_.name = graph_.name;
    for (const Port& port : graph_.inputs)
      program_.inputs.push_back(make_port(port, new_buffer(port.value)));
    NIBBLE_TRY(ask_nodes());
    for (const Node& node : graph_.nodes) NIBBLE_TRY(lower_one(node));
    for (const Port& port : graph_.outputs) {
      Place place = place_of(port.value);
      if (place.constant)
        return input_error(fmt::format(
            "output \"{}\" of {} does not depend on the input (it is a constant); there is nothing "
            "to compute for it: remove that output from the model",
            graph_.value(port.value).name, graph_.name));
      program_.outputs.push_back(make_port(port, place.buffer));
    }
    return std::move(program_);
  }

 private:
  ProgramPort make_port(const Port& port, int buffer) {
    const Value& value = graph_.value(port.value);
    return {value.name, value.type, port.source_perm, buffer, 0};
  }

  int new_buffer(ValueId id) {
    const Value& value = graph_.value(id);
    int64_t bytes = elem_count(value.type.shape) * dtype_bytes(value.type.dtype);
    program_.buffers.push_back({value.name, bytes, std::max(4, dtype_bytes(value.type.dtype))});
    int buffer = static_cast<int>(program_.buffers.size()) - 1;
    places_[id] = {buffer, nullptr};
    return buffer;
  }

  Place place_of(ValueId id) {
    if (auto found = places_.find(id); found != places_.end()) return found->second;
    NIBBLE_CHECK(graph_.is_constant(id), "{} is read before it is written", graph_.value(id).name);
    return {-1, &*graph_.value(id).constant};
  }

  // What every node asks for, and the variants by which the whole program is best.
  Status ask_nodes() {
    for (const Node& node : graph_.nodes) {
      if (!is_border(node) && graph_.type(node.outputs[0]).dtype == DType::kF32)
        return input_error(fmt::format(
            "node \"{}\" ({}) computes in float; only integer operators have kernels, and quantize "
            "and dequantize at the border",
            node.name, op_name(node.op)));
      NIBBLE_ASSIGN(std::vector<KernelRequest> requests, lower_node(graph_, node));
      request_counts_.push_back(requests.size());
      std::ranges::move(requests, std::back_inserter(requests_));
    }
    variants_ = choose_variants(requests_, options_);
    return {};
  }

  // Nodes come in the order of ask_nodes().
  Status lower_one(const Node& node) {
    NIBBLE_CHECK(node.outputs.size() == 1, "{} has {} outputs", node.name, node.outputs.size());
    size_t count = request_counts_[next_node_++];
    if (count == 0) places_[node.outputs[0]] = place_of(node.inputs.at(0));
    for (size_t end = next_request_ + count; next_request_ < end; ++next_request_)
      NIBBLE_TRY(add_call(node, requests_[next_request_], std::move(variants_[next_request_])));
    return {};
  }

  Result<const KernelInfo*> choose_kernel(const Node& node, const std::string& family) {
    for (const KernelInfo& kernel : all_kernels()) {
      bool usable = kernel.isa == Isa::kPortable || has(options_, kernel.isa);
      if (kernel.family == family && usable) return &kernel;
    }
    return input_error(fmt::format(
        "node \"{}\" ({}): there is no kernel {} in this nibble; leave this operator out of the "
        "quantized part or quantize it to another width",
        node.name, op_name(node.op), family));
  }

  Status add_call(const Node& node, const KernelRequest& request,
                  std::optional<KernelVariant> variant) {
    NIBBLE_ASSIGN(const KernelInfo* kernel, choose_kernel(node, request.family));
    KernelCall call;
    call.layer = node.name;
    call.op = std::string(op_name(node.op));
    call.shapes = shapes_of(node);
    call.kernel = std::string(kernel->function);
    call.macs = request.macs;
    fill_fields(node, *kernel, request, call);
    fill_operands(node, *kernel, request, variant ? &*variant : nullptr, call);
    if (variant)
      use_variant(node, std::move(*variant), call);
    else
      use_portable(request, call);
    program_.calls.push_back(std::move(call));
    return {};
  }

  void use_portable(const KernelRequest& request, KernelCall& call) {
    call.progress = usable_progress(call, dst_of(call), portable_progress(request));
    call.cycles = static_cast<int64_t>(reference_cycles(request, options_));
  }

  void use_variant(const Node& node, KernelVariant variant, KernelCall& call) {
    auto [known, is_new] = function_index_.try_emplace(variant.function.name,
                                                       static_cast<int>(program_.functions.size()));
    call.function = known->second;
    for (PackedConstant& packed : variant.packed)
      call.arguments.push_back(
          ConstantRef{add_bytes(node, packed.role, std::move(packed.bytes), packed.ctype)});
    for (int64_t number : variant.numbers) call.arguments.push_back(number);
    call.in_place = variant.in_place && may_share(call, dst_of(call));
    call.progress = usable_progress(call, dst_of(call), variant.progress);
    if (!variant.scratch_progress.empty())
      call.scratch_progress = usable_progress(call, call.operands.back(), variant.scratch_progress);
    if (!call.progress.empty()) call.progress_unit = variant.progress_unit;
    call.cycles = static_cast<int64_t>(variant.cycles);
    call.row_cost = variant.row_cost;
    const bool ends_with_len =
        !variant.numbers.empty() && FieldValue(variant.numbers.back()) == len_of(call);
    NIBBLE_CHECK(len_of(call) == FieldValue(int64_t{0}) || ends_with_len, "{}",
                 variant.function.name);
    if (is_new) {
      program_.functions.push_back(std::move(variant.function));
      return;
    }
    const KernelFunction& same = program_.functions[static_cast<size_t>(call.function)];
    NIBBLE_CHECK(same == variant.function, "two functions are called {}", same.name);
  }

  // Of an element-wise kernel; else 0.
  static FieldValue len_of(const KernelCall& call) {
    auto len = std::ranges::find(call.fields, "len", &std::pair<std::string, FieldValue>::first);
    return len == call.fields.end() ? FieldValue(int64_t{0}) : len->second;
  }

  // In place, and moments, speak of what is written and the first source from their first bytes on.
  static bool may_share(const KernelCall& call, const Operand& written) {
    const Operand& first = call.operands.front();
    return first.role == Operand::Role::kSrc && first.buffer >= 0 && written.offset_bytes == 0;
  }

  std::vector<AccessStep> usable_progress(const KernelCall& call, const Operand& written,
                                          std::span<const AccessStep> progress) const {
    if (!may_share(call, written)) return {};
    const int64_t bytes = program_.buffers[static_cast<size_t>(written.buffer)].bytes;
    const bool exact = options_.draw_seed != 0 || written.role == Operand::Role::kScratch;
    return thin_out(progress, bytes, exact ? 0 : bytes / kMaxMoments);
  }

  static const Operand& dst_of(const KernelCall& call) {
    auto dst = std::ranges::find(call.operands, Operand::Role::kDst, &Operand::role);
    NIBBLE_CHECK(dst != call.operands.end(), "{} has no dst", call.kernel);
    return *dst;
  }

  std::string shapes_of(const Node& node) {
    std::string text;
    for (ValueId id : node.inputs)
      if (id != kNoValue && !graph_.is_constant(id))
        text += (text.empty() ? "" : ", ") + format_shape(graph_.type(id).shape);
    return text + " -> " + format_shape(graph_.type(node.outputs[0]).shape);
  }

  void fill_fields(const Node& node, const KernelInfo& kernel, const KernelRequest& request,
                   KernelCall& call) {
    auto is_field = [&](const std::string& name) {
      return std::any_of(kernel.fields.begin(), kernel.fields.end(),
                         [&](const KernelField& field) { return field.name == name; });
    };
    for (const auto& [name, value] : request.fields)
      NIBBLE_CHECK(is_field(name), "{} has no field {}", kernel.args_struct, name);
    for (const auto& [name, value] : request.constants)
      NIBBLE_CHECK(is_field(name), "{} has no field {}", kernel.args_struct, name);
    for (const KernelField& field : kernel.fields) {
      std::string name(field.name);
      call.fields.emplace_back(name, field.is_pointer ? pointer_field(node, field, request)
                                                      : number_field(kernel, field, request));
    }
  }

  FieldValue number_field(const KernelInfo& kernel, const KernelField& field,
                          const KernelRequest& request) {
    auto found = std::find_if(request.fields.begin(), request.fields.end(),
                              [&](const auto& entry) { return entry.first == field.name; });
    NIBBLE_CHECK(found != request.fields.end(), "{}.{} is not given", kernel.args_struct,
                 field.name);
    int64_t value = found->second;
    int64_t high = field.ctype == "float" ? int64_t{std::numeric_limits<uint32_t>::max()}
                                          : int64_t{std::numeric_limits<int32_t>::max()};
    NIBBLE_CHECK(value >= std::numeric_limits<int32_t>::min() && value <= high,
                 "{}.{} = {} is not a {}", kernel.args_struct, field.name, value, field.ctype);
    return value;
  }

  FieldValue pointer_field(const Node& node, const KernelField& field,
                           const KernelRequest& request) {
    auto found = std::find_if(request.constants.begin(), request.constants.end(),
                              [&](const auto& entry) { return entry.first == field.name; });
    if (found == request.constants.end()) return int64_t{0};
    return ConstantRef{
        add_constant(node, std::string(field.name), found->second, pointee(field.ctype))};
  }

  // Equal arrays of the same type are stored once.
  int add_constant(const Node& node, const std::string& role, const Tensor& tensor,
                   std::string_view ctype) {
    NIBBLE_CHECK(ctype_of(tensor.dtype()) == ctype, "{}: constant {} is {}, the kernel reads {}",
                 node.name, role, dtype_name(tensor.dtype()), ctype);
    return add_bytes(node, role, {tensor.bytes().begin(), tensor.bytes().end()}, ctype);
  }

  int add_bytes(const Node& node, const std::string& role, std::vector<uint8_t> bytes,
                std::string_view ctype) {
    auto [known, is_new] = constant_index_.try_emplace({std::string(ctype), bytes},
                                                       static_cast<int>(program_.constants.size()));
    if (is_new) {
      std::string wanted = short_name(node.name) + "_" + role;
      std::string name = wanted;
      for (int n = 2; !constant_names_.insert(name).second; ++n)
        name = fmt::format("{}_{}", wanted, n);
      program_.constants.push_back({name, std::string(ctype), std::move(bytes)});
    }
    return known->second;
  }

  // Scratch is that of the variant, if there is one.
  void fill_operands(const Node& node, const KernelInfo& kernel, const KernelRequest& request,
                     const KernelVariant* variant, KernelCall& call) {
    size_t next_src = 0;
    for (const KernelParameter& parameter : kernel.parameters) {
      switch (parameter.role) {
        case Operand::Role::kSrc:
          NIBBLE_CHECK(next_src < request.src.size(), "{}: {} sources", kernel.function,
                       request.src.size());
          call.operands.push_back(source_operand(node, parameter, request.src[next_src++]));
          break;
        case Operand::Role::kDst:
          call.operands.push_back(dst_operand(parameter, request));
          break;
        case Operand::Role::kScratch:
          if (!variant)
            call.operands.push_back(scratch_operand(node, portable_scratch(kernel, call)));
          break;
      }
    }
    if (variant && variant->scratch_bytes > 0)
      call.operands.push_back(scratch_operand(node, variant->scratch_bytes));
    NIBBLE_CHECK(next_src == request.src.size(), "{} takes {} sources, not {}", kernel.function,
                 next_src, request.src.size());
    call.in_place = request.in_place && may_share(call, dst_of(call));
  }

  Operand source_operand(const Node& node, const KernelParameter& parameter, ValueId id) {
    const TensorType& type = graph_.type(id);
    NIBBLE_CHECK(ctype_of(type.dtype) == pointee(parameter.ctype), "{}: {} is {}, not {}",
                 node.name, parameter.name, dtype_name(type.dtype), parameter.ctype);
    Place place = place_of(id);
    Operand operand;
    operand.role = Operand::Role::kSrc;
    operand.buffer = place.buffer;
    if (place.constant)
      operand.constant = add_constant(node, std::string(parameter.name), *place.constant,
                                      pointee(parameter.ctype));
    return operand;
  }

  Operand dst_operand(const KernelParameter& parameter, const KernelRequest& request) {
    const TensorType& type = graph_.type(request.dst);
    NIBBLE_CHECK(ctype_of(type.dtype) == pointee(parameter.ctype), "{} is {}, not {}",
                 graph_.value(request.dst).name, dtype_name(type.dtype), parameter.ctype);
    // The later calls of a node write other parts of the same buffer (concat).
    auto found = places_.find(request.dst);
    Operand operand;
    operand.role = Operand::Role::kDst;
    operand.buffer = found != places_.end() ? found->second.buffer : new_buffer(request.dst);
    operand.offset_bytes = request.dst_offset_bytes;
    NIBBLE_CHECK(
        operand.offset_bytes >= 0 &&
            operand.offset_bytes < program_.buffers[static_cast<size_t>(operand.buffer)].bytes,
        "offset {}", operand.offset_bytes);
    return operand;
  }

  int64_t portable_scratch(const KernelInfo& kernel, const KernelCall& call) {
    NIBBLE_CHECK(kernel.scratch_bytes != nullptr);
    std::vector<uint64_t> args = build_args(kernel, call, program_.constants);
    int64_t bytes = kernel.scratch_bytes(args.data());
    NIBBLE_CHECK(bytes >= 0, "{} wants {} bytes of scratch", kernel.function, bytes);
    return bytes;
  }

  Operand scratch_operand(const Node& node, int64_t bytes) {
    program_.buffers.push_back({node.name + ".scratch", bytes, 8});
    Operand operand;
    operand.role = Operand::Role::kScratch;
    operand.buffer = static_cast<int>(program_.buffers.size()) - 1;
    return operand;
  }

  const Graph& graph_;
  const LowerOptions& options_;
  Program program_;
  std::vector<KernelRequest> requests_;                 // of all nodes, in order
  std::vector<size_t> request_counts_;                  // per node
  std::vector<std::optional<KernelVariant>> variants_;  // per request
  size_t next_node_ = 0, next_request_ = 0;
  std::map<ValueId, Place> places_;
  std::map<std::pair<std::string, std::vector<uint8_t>>, int> constant_index_;
  std::set<std::string> constant_names_;
  std::map<std::string, int> function_index_;
};

}  // namespace

const std::vector<std::string>& optimize_names() {
  static const std::vector<std::string> kNames = {"speed", "balanced", "size"};
  return kNames;
}

std::string_view optimize_name(Optimize optimize) {
  return optimize_names()[static_cast<size_t>(optimize)];
}

Result<Optimize> parse_optimize(std::string_view name) {
  for (Optimize optimize : {Optimize::kSpeed, Optimize::kBalanced, Optimize::kSize})
    if (optimize_name(optimize) == name) return optimize;
  return input_error(fmt::format("optimize is '{}'; known: {}", name, join(optimize_names(), " ")));
}

bool has(const LowerOptions& options, Isa isa) {
  return std::ranges::find(options.isa, isa) != options.isa.end();
}

bool has_float_unit(const LowerOptions& options) {
  return has(options, Isa::kDsp) || has(options, Isa::kMve) || has(options, Isa::kRvv);
}

LowerOptions lower_options(const Target& target, Optimize optimize) {
  return {target.isa, target.core, optimize, 0};
}

Result<Program> lower(const Graph& graph, const LowerOptions& options) {
  return Lowering(graph, options).run();
}

}  // namespace nibble
