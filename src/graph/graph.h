// The public header of graph/: both IRs and everything that reads, prints, checks and changes them.
#pragma once

#include "graph/dtype.h"
#include "graph/ir.h"
#include "graph/operators.h"
#include "graph/patch.h"
#include "graph/permutation.h"
#include "graph/program.h"
#include "graph/tensor.h"
#include "graph/text.h"
