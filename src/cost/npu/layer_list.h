// Networks of published figures whose files are not at hand, as lists of layers: networks.txt
// beside this, whose head says the notation. Public architectures each, with the document it is
// described in. Their graphs have weights of zero: they serve to count, not to compute.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// One line of a list, its words as they stand there.
struct ListedLayer {
  int line = 0;
  std::vector<std::string> words;
};

// repeat is already written out.
struct LayerList {
  Shape input;  // H W C
  int64_t classes = 0;
  std::vector<ListedLayer> layers;
};
using LayerLists = std::map<std::string, LayerList>;

// Errors: file, line, and what would be right there.
Result<LayerLists> parse_layer_lists(std::string_view text, const std::string& name);

// kUsual: data with a zero point, weights with a scale per channel. kPowersOfTwo: no zero points,
// one scale per tensor, all powers of two, which engines that only shift ask for.
enum class ListedScales { kUsual, kPowersOfTwo };

// `network` is a name of the lists, then in any order, where they differ from what the list says: a
// width ("0.35", with a point), an input ("128x128x3"), a number of classes ("101"). Errors name
// the network; a layer that does not fit its input is one.
Result<Graph> listed_network(const LayerLists& lists, const std::string& network,
                             ListedScales scales);

}  // namespace nibble
