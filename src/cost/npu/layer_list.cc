// From the text to lists; layer_list_graph.cc makes graphs of them.
#include "cost/npu/layer_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cost/npu/layer_words.h"

namespace nibble {
namespace {

constexpr int64_t kMaxRepeat = 100;

std::vector<std::string> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string> words = split(trim(line), ' ');
  std::erase(words, "");
  return words;
}

class Lists {
 public:
  explicit Lists(const std::string& name) : name_(name) {}

  Status add(int line, std::vector<std::string> words) {
    line_ = line;
    if (words[0] == "network") return begin(words);
    if (!list_) return fail("a layer before the first 'network NAME HxWxC'");
    if (words[0] == "repeat") return open(words);
    if (words[0] == "end") return close();
    (times_ ? repeated_ : list_->layers).push_back({line, std::move(words)});
    return {};
  }
  Result<LayerLists> finish() {
    if (times_) return fail("'repeat' without 'end'").error();
    return std::move(lists_);
  }

 private:
  Status fail(const std::string& what) const {
    return input_error(fmt::format("{}:{}: {}", name_, line_, what));
  }
  Status begin(const std::vector<std::string>& words) {
    if (times_) return fail("'repeat' without 'end'");
    LayerList list;
    if (words.size() >= 3)
      if (auto input = extents(words[2]); input.ok()) list.input = *input;
    if (words.size() == 4)
      if (auto classes = parse_int(words[3]); classes.ok()) list.classes = *classes;
    const bool good = words.size() == 3 || (words.size() == 4 && list.classes > 0);
    if (!good || list.input.size() != 3) return fail("expected 'network NAME HxWxC [CLASSES]'");
    if (lists_.contains(words[1])) return fail("the network '" + words[1] + "' stands here twice");
    list_ = &lists_.emplace(words[1], std::move(list)).first->second;
    return {};
  }
  Status open(const std::vector<std::string>& words) {
    if (times_) return fail("'repeat' inside 'repeat'");
    if (words.size() == 2)
      if (auto times = parse_int(words[1]); times.ok()) times_ = *times;
    if (times_ < 1 || times_ > kMaxRepeat)
      return fail(fmt::format("expected 'repeat N', N from 1 to {}", kMaxRepeat));
    return {};
  }
  Status close() {
    if (!times_) return fail("'end' without 'repeat'");
    for (; times_ > 0; --times_)
      list_->layers.insert(list_->layers.end(), repeated_.begin(), repeated_.end());
    repeated_.clear();
    return {};
  }

  const std::string& name_;
  LayerLists lists_;
  LayerList* list_ = nullptr;
  int line_ = 0;
  int64_t times_ = 0;  // of the open repeat
  std::vector<ListedLayer> repeated_;
};

}  // namespace

Result<Shape> extents(std::string_view text) {
  Shape shape;
  for (const std::string& part : split(text, 'x')) {
    NIBBLE_ASSIGN(const int64_t extent, parse_int(part));
    if (extent < 0 || extent > kMaxElems)
      return input_error(fmt::format("'{}' is no extent of an image", part));
    shape.push_back(extent);
  }
  return shape;
}

Result<LayerLists> parse_layer_lists(std::string_view text, const std::string& name) {
  Lists lists(name);
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    std::vector<std::string> words = words_of(line);
    if (!words.empty()) NIBBLE_TRY(lists.add(number, std::move(words)));
  }
  return lists.finish();
}

}  // namespace nibble
