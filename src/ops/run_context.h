// What the interpreter hands to the references beside their operands: a slot per node in which a
// reference keeps what does not change between calls (packed weights, a oneDNN primitive). Inside
// ops/ only.
#pragma once

#include <memory>

#include "ops/ops.h"

namespace nibble {

// Runs the float or the integer reference, by the element types of operands and output.
void run_operator(const Op& op, Rounding rounding, Inputs in, Tensor& out);

// The slot of the node that runs on this thread; null where nothing may be kept: outside an
// Interpreter, and for a node that takes more than its first operand from the graph's activations.
std::shared_ptr<void>* node_slot();

// Makes `slot` the current one for the lifetime of the object.
class NodeSlotScope {
 public:
  explicit NodeSlotScope(std::shared_ptr<void>* slot);
  ~NodeSlotScope();
  NodeSlotScope(const NodeSlotScope&) = delete;
  NodeSlotScope& operator=(const NodeSlotScope&) = delete;

 private:
  std::shared_ptr<void>* previous_;
};

// The T that `make` builds, kept in the node's slot where there is one. A node runs always the same
// reference on the same constants, so the slot needs no key.
template <class T, class Make>
std::shared_ptr<T> node_cached(Make&& make) {
  std::shared_ptr<void>* slot = node_slot();
  if (slot && *slot) return std::static_pointer_cast<T>(*slot);
  std::shared_ptr<T> made = make();
  if (slot) *slot = made;
  return made;
}

}  // namespace nibble
