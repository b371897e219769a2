// The passes, one file each; passes.cc puts them in order. Inside passes/ only. Each returns how
// many places it changed.
#pragma once

#include "graph/graph.h"

namespace nibble {

int remove_dead(Graph& graph);
int fold_constants(Graph& graph);
int lower_u8(Graph& graph);
int remove_noops(Graph& graph);
int simplify_reshapes(Graph& graph);
int fold_batch_norm(Graph& graph);
int fold_affine(Graph& graph);
int fuse_pads(Graph& graph);
int restate_depthwise(Graph& graph);
int fuse_activations(Graph& graph);
int fold_qdq(Graph& graph);
int layout(Graph& graph);
int absorb_transposes(Graph& graph);
int fold_dequantized_constants(Graph& graph);
int lower_batch_norm(Graph& graph);
int trim_windows(Graph& graph);
int merge_nodes(Graph& graph);
int remove_identities(Graph& graph);
int fold_constant_channels(Graph& graph);
int merge_channels(Graph& graph);
int remove_channels(Graph& graph);
int integer_ports(Graph& graph);

}  // namespace nibble
