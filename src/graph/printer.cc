// print_graph: the text form of a graph. Inputs first, then the nodes in order, each constant on
// the line before its first reader, outputs last. Values that nothing uses are not printed.
#include <type_traits>

#include "graph/text_writer.h"

namespace nibble {
namespace {

struct AttributeText {
  std::string_view name;
  std::string value;
};

template <class T>
std::vector<AttributeText> attribute_texts(const T& op) {
  std::vector<AttributeText> texts;
  op.attributes([&](std::string_view name, const auto& field) {
    texts.push_back({name, text_of(field)});
  });
  return texts;
}

// Attributes that differ from those of a default-constructed operator.
std::string attributes_text(const Op& op) {
  return std::visit(
      [](const auto& typed) -> std::string {
        using T = std::decay_t<decltype(typed)>;
        std::string text;
        if constexpr (!std::is_same_v<T, std::monostate>) {
          auto mine = attribute_texts(typed), defaults = attribute_texts(T{});
          for (size_t i = 0; i < mine.size(); ++i)
            if (mine[i].value != defaults[i].value)
              text += " " + std::string(mine[i].name) + "=" + mine[i].value;
        }
        return text;
      },
      op);
}

class GraphPrinter {
 public:
  GraphPrinter(const Graph& graph, PrintOptions options, std::vector<uint8_t>* blob)
      : graph_(graph), options_(options), blob_(blob), printed_(graph.values.size(), false) {}

  std::string print() {
    text_ = "graph " + quoted(graph_.name) +
            " rounding=" + (graph_.rounding == Rounding::kTflite ? "tflite" : "single") + "\n";
    for (const Port& port : graph_.inputs) {
      text_ += "input " + typed_name(port.value) + source_text(port) + "\n";
      printed_[static_cast<size_t>(port.value)] = true;
    }
    for (const Node& node : graph_.nodes) print_node(node);
    for (const Port& port : graph_.outputs) print_constant(port.value);
    for (const Port& port : graph_.outputs)
      text_ += "output " + name(port.value) + source_text(port) + "\n";
    return std::move(text_);
  }

 private:
  std::string name(ValueId id) const {
    return id == kNoValue ? "_" : value_name(graph_.value(id).name);
  }
  std::string typed_name(ValueId id) const { return name(id) + " : " + text_of(graph_.type(id)); }
  // What the model file had otherwise.
  static std::string source_text(const Port& port) {
    std::string text;
    if (!port.source_perm.empty())
      text += " source_perm=" + text_of(std::span<const int64_t>(port.source_perm));
    if (port.source_u8) text += " source_u8";
    return text;
  }

  void print_constant(ValueId id) {
    if (!graph_.is_constant(id) || printed_[static_cast<size_t>(id)]) return;
    printed_[static_cast<size_t>(id)] = true;
    text_ += "const " + typed_name(id) + " = " +
             data_text(graph_.value(id).constant->bytes(), options_, blob_) + "\n";
  }

  void print_node(const Node& node) {
    for (ValueId id : node.inputs) print_constant(id);
    text_ += "node " + quoted(node.name) + " ";
    for (size_t i = 0; i < node.outputs.size(); ++i)
      text_ += (i ? ", " : "") + typed_name(node.outputs[i]);
    text_ += " = " + std::string(op_name(node.op)) + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) text_ += (i ? ", " : "") + name(node.inputs[i]);
    text_ += ")" + attributes_text(node.op) + (node.keep_float ? " keep_float" : "") + "\n";
  }

  const Graph& graph_;
  PrintOptions options_;
  std::vector<uint8_t>* blob_;
  std::vector<bool> printed_;
  std::string text_;
};

}  // namespace

std::string print_graph(const Graph& graph, PrintOptions options, std::vector<uint8_t>* blob) {
  return GraphPrinter(graph, options, blob).print();
}

}  // namespace nibble
