// parse_graph: the inverse of print_graph. Every value must be defined on a line before its first
// reader, so a text that parses is in topological order.
#include <algorithm>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "graph/text_reader.h"
#include "graph/text_writer.h"

namespace nibble {
namespace {

std::optional<Op> op_by_name(std::string_view name) {
#define NIBBLE_OPERATOR_BY_NAME(Type, text) \
  if (name == text) return Op(Type{});
  NIBBLE_OPERATORS(NIBBLE_OPERATOR_BY_NAME)
#undef NIBBLE_OPERATOR_BY_NAME
  return std::nullopt;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
#define NIBBLE_OPERATOR_TEXT(Type, text) names.push_back(text);
  NIBBLE_OPERATORS(NIBBLE_OPERATOR_TEXT)
#undef NIBBLE_OPERATOR_TEXT
  return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
  std::string nearest = nearest_word(word, candidates);
  if (!nearest.empty()) return "; did you mean '" + nearest + "'?";
  return "; known: " + join(candidates, " ");
}

Status read_field(TextReader& in, const std::string& what, int64_t& field) {
  NIBBLE_ASSIGN(field, in.integer(what));
  return {};
}
Status read_field(TextReader& in, const std::string& what, bool& field) {
  NIBBLE_ASSIGN(field, in.boolean(what));
  return {};
}
Status read_field(TextReader& in, const std::string& what, float& field) {
  NIBBLE_ASSIGN(field, in.number(what));
  return {};
}
Status read_field(TextReader& in, const std::string& what, std::vector<int64_t>& field) {
  NIBBLE_ASSIGN(field, in.integers(what));
  return {};
}
Status read_field(TextReader& in, const std::string& what, Bounds& field) {
  NIBBLE_ASSIGN(field, in.bounds(what));
  return {};
}

class GraphParser {
 public:
  GraphParser(std::string_view text, std::span<const uint8_t> blob) : in_(text), blob_(blob) {}

  Result<Graph> parse() {
    in_.skip_empty_lines();
    NIBBLE_TRY(header());
    for (in_.skip_empty_lines(); in_.peek().kind != TokenKind::kEnd; in_.skip_empty_lines()) {
      NIBBLE_TRY(statement());
      NIBBLE_TRY(in_.expect_line_end());
    }
    return std::move(graph_);
  }

 private:
  Status header() {
    NIBBLE_TRY(in_.expect_word("graph"));
    NIBBLE_ASSIGN(graph_.name, in_.string("the name of the graph"));
    NIBBLE_TRY(in_.expect_word("rounding"));
    NIBBLE_TRY(in_.expect('='));
    if (in_.accept_word("tflite")) {
      graph_.rounding = Rounding::kTflite;
    } else if (in_.accept_word("single")) {
      graph_.rounding = Rounding::kSingle;
    } else {
      return in_.expected("a rounding: tflite or single");
    }
    return in_.expect_line_end();
  }

  Status statement() {
    if (in_.accept_word("input")) return input();
    if (in_.accept_word("const")) return constant();
    if (in_.accept_word("node")) return node();
    if (in_.accept_word("output")) return output();
    return in_.expected("a line that starts with input, const, node or output");
  }

  // %name : type
  Result<ValueId> define() {
    Token start = in_.peek();
    NIBBLE_ASSIGN(std::string name, in_.name("a new value such as %x"));
    if (name.empty()) return TextReader::error_at(start, "a value needs a name");
    NIBBLE_TRY(in_.expect(':'));
    NIBBLE_ASSIGN(TensorType type, in_.tensor_type());
    auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(name, id).second)
      return TextReader::error_at(start, "the value " + value_name(name) + " is defined twice");
    graph_.values.push_back({std::move(name), std::move(type), std::nullopt});
    return id;
  }

  Result<ValueId> use() {
    Token start = in_.peek();
    NIBBLE_ASSIGN(std::string name, in_.name("a value such as %x"));
    auto found = ids_.find(name);
    if (found == ids_.end())
      return TextReader::error_at(
          start, "the value " + value_name(name) + " is not defined on a line before this one");
    return found->second;
  }

  Status source(Port& port) {
    if (in_.accept_word("source_perm")) {
      NIBBLE_TRY(in_.expect('='));
      NIBBLE_ASSIGN(port.source_perm, in_.integers("an axis", 0, kMaxRank - 1));
    }
    port.source_u8 = in_.accept_word("source_u8");
    return {};
  }

  Status input() {
    Port port;
    NIBBLE_ASSIGN(port.value, define());
    NIBBLE_TRY(source(port));
    graph_.inputs.push_back(std::move(port));
    return {};
  }

  Status output() {
    Port port;
    NIBBLE_ASSIGN(port.value, use());
    NIBBLE_TRY(source(port));
    graph_.outputs.push_back(std::move(port));
    return {};
  }

  Status constant() {
    NIBBLE_ASSIGN(ValueId id, define());
    NIBBLE_TRY(in_.expect('='));
    Value& value = graph_.value(id);
    int64_t bytes = elem_count(value.type.shape) * dtype_bytes(value.type.dtype);
    NIBBLE_ASSIGN(std::vector<uint8_t> data, in_.data(bytes, blob_));
    Tensor tensor(value.type);
    std::copy(data.begin(), data.end(), tensor.mutable_bytes().begin());
    value.constant = std::move(tensor);
    return {};
  }

  Status node() {
    Node node;
    Token start = in_.peek();
    NIBBLE_ASSIGN(node.name, in_.string("the name of the node"));
    if (node.name.empty()) return TextReader::error_at(start, "a node needs a name");
    if (!node_names_.insert(node.name).second)
      return TextReader::error_at(start, "the node " + quoted(node.name) + " is defined twice");
    // The outputs become known only after the operands are read: a node cannot read what it writes.
    std::vector<std::pair<Token, TensorType>> outputs;
    do {
      Token name = in_.peek();
      NIBBLE_TRY(in_.name("the output of the node"));
      NIBBLE_TRY(in_.expect(':'));
      NIBBLE_ASSIGN(TensorType type, in_.tensor_type());
      outputs.emplace_back(std::move(name), std::move(type));
    } while (in_.accept(','));
    NIBBLE_TRY(in_.expect('='));
    NIBBLE_TRY(operation(node));
    for (auto& [token, type] : outputs) {
      if (token.text.empty()) return TextReader::error_at(token, "a value needs a name");
      auto id = static_cast<ValueId>(graph_.values.size());
      if (!ids_.emplace(token.text, id).second)
        return TextReader::error_at(token,
                                    "the value " + value_name(token.text) + " is defined twice");
      graph_.values.push_back({token.text, std::move(type), std::nullopt});
      node.outputs.push_back(id);
    }
    graph_.nodes.push_back(std::move(node));
    return {};
  }

  // conv2d(%x, %w, _) stride_h=2
  Status operation(Node& node) {
    Token start = in_.peek();
    NIBBLE_ASSIGN(std::string name, in_.word("an operator such as conv2d"));
    auto op = op_by_name(name);
    if (!op)
      return TextReader::error_at(start,
                                  "unknown operator '" + name + "'" + suggestion(name, op_names()));
    node.op = std::move(*op);
    NIBBLE_TRY(in_.expect('('));
    if (!in_.accept(')')) {
      do {
        if (in_.accept_word("_")) {
          node.inputs.push_back(kNoValue);
          continue;
        }
        NIBBLE_ASSIGN(ValueId id, use());
        node.inputs.push_back(id);
      } while (in_.accept(','));
      NIBBLE_TRY(in_.expect(')'));
    }
    while (in_.peek().kind == TokenKind::kWord) {
      node.keep_float = in_.accept_word("keep_float");
      if (node.keep_float) break;
      NIBBLE_TRY(attribute(node.op));
    }
    return {};
  }

  Status attribute(Op& op) {
    Token start = in_.take();
    NIBBLE_TRY(in_.expect('='));
    bool found = false;
    Status status;
    std::vector<std::string> names;
    auto visit_field = [&](std::string_view name, auto& field) {
      names.emplace_back(name);
      if (found || name != start.text) return;
      found = true;
      status = read_field(in_, "the value of " + start.text, field);
    };
    std::visit(
        [&](auto& typed) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(typed)>, std::monostate>)
            typed.attributes(visit_field);
        },
        op);
    if (found) return status;
    std::string message =
        "operator " + std::string(op_name(op)) + " has no attribute '" + start.text + "'";
    return TextReader::error_at(
        start, message + (names.empty() ? "; it has none" : suggestion(start.text, names)));
  }

  TextReader in_;
  std::span<const uint8_t> blob_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::unordered_set<std::string> node_names_;
};

}  // namespace

Result<Graph> parse_graph(std::string_view text, std::span<const uint8_t> blob) {
  return GraphParser(text, blob).parse();
}

}  // namespace nibble
