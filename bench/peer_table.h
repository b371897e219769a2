// What the peer's own executed instructions (peer_record.h) are predicted to take, beside published
// times of engines that run the same library on the board of MLPerf Tiny: tables of doc/cost.md,
// shared by the command that writes them (mix_table.cc) and the test that holds the document to
// them (tests/cost).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cost_data.h"
#include "graph/graph.h"
#include "peer_mix.h"
#include "peer_record.h"
#include "target/target.h"

namespace nibble {

inline constexpr const char* kMlperfBoard = "stm32l4r5";

// By engine and model, in milliseconds: the shortest on kMlperfBoard of those that the fit uses.
using EngineTimes = std::map<std::string, std::map<std::string, double>>;
Result<EngineTimes> published_times(const std::filesystem::path& shared);

struct PeerModel {
  std::string name;
  CostNetwork network;
  Program program;  // for kMlperfBoard, with all channels: the peer leaves none out
};
struct Peer {
  PeerRecord record;
  std::vector<PeerModel> models;  // that the record has
};
Result<Peer> read_peer(const std::filesystem::path& shared);

// Bytes of weights that one inference reads from flash. Low: as flash_read_bytes of plan/ has it of
// nibble's kernels, each read for about four outputs. High: for the outputs that the peer computes
// at once, two of CMSIS-NN (two pixels by two channels), one of the portable kernels.
LowHigh peer_reads(const Program& program, const Target& target, const std::string& kernels);

// Cycles without waits of the build with the peer's tuned kernels that executes the least; nothing
// where no such build of the target's core has mnemonics, or nothing is known of the core.
Result<std::optional<LowHigh>> least_peer_cycles(const PeerRecord& record, const Target& target,
                                                 const std::string& model);

// What stands in the document.
Result<std::string> peer_tables(const Peer& peer, const EngineTimes& times);

}  // namespace nibble
