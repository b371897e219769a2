// What the page reads: report.json, the data contract between the compiler (src/report/*.cc writes it) and this front end.
// doc/report.md explains it. Everything but `format`, `model` and `command` may be missing: the page then leaves the section out and
// names the command that adds it. Units stand in the names: _bytes, _us, _uj, _db (decibel), _share (0 to 1); `null` is "not known" or,
// of a ratio of signal to noise, "exact". Layers are told apart by name: the name of a node is the same in every list.

// ---- whole documents ------------------------------------------------------------------------------------------------------------

export interface Report {
  format: "nibble report 1";
  model: string; // path as it was given
  command: string; // a line for a shell: it makes report.json again
  page_command?: string; // of `nibble report`, where it added estimates or recipes
  notes?: string[]; // options that had no effect, data that look raw
  version?: string; // "nibble 0.1.0"
  scores?: Score[]; // float host, integer host, integer core, in this order
  confusion?: Confusion[]; // of classifiers: float host, integer core
  quantize?: Quantize;
  layer_errors?: LayerError[];
  explain?: Explanation; // of `deploy --explain`, `quantize --explain`
  stability?: Stability; // of `deploy --stability`, `quantize --stability`
  graph?: Graph; // the network that was lowered
  plan?: MemoryPlan;
  run?: Run;
  target?: Target;
  flash?: FlashOwner[]; // the program's flash by who needs it; sums to run.flash_bytes.total
  estimate?: Estimate; // the document of `nibble estimate --all --json`
  recipes?: Comparison; // the document of `nibble compare --json`
}

// Two reports side by side: `nibble compare-reports A B`.
export interface ReportPair {
  format: "nibble reports 1";
  names: [string, string]; // the folders, as given
  reports: [Report, Report];
}

// ---- results --------------------------------------------------------------------------------------------------------------------

export interface Score {
  metric: "accuracy" | "mse" | "reconstruction_mse" | "none";
  value: number | null; // accuracy as a share, 0 to 1
  samples: number;
  arithmetic: string; // "float32", "int8", "int8 on cortex-m4"
  not_scored?: string; // why, of "none"
}

// counts[t][p]: samples of true class t that were taken for class p; square. Of more than 64 classes, `pairs` instead: those of
// different classes that are mixed up most often, at most 100, the most frequent first.
export interface Confusion {
  arithmetic: string; // as in Score; float first
  classes?: string[]; // names, where data give them (folders); else numbers are shown
  counts?: number[][];
  pairs?: [truth: number, taken_for: number, samples: number][];
}

// ---- quantization ---------------------------------------------------------------------------------------------------------------

export interface Quantize {
  calibrator: string;
  samples: number;
  seconds?: Record<string, number>;
  learned?: { method: string; before: number; after: number; kept: number; blocks: unknown[] }[];
  ranges?: { value: string; seen_min: number | null; seen_max: number | null; min: number; max: number }[];
}

export interface LayerError {
  name: string;
  op: string;
  sqnr_db: number | null; // with all that was lost before
  local_sqnr_db: number | null; // the layer alone, on the float network's values
  max_abs_error: number;
  clipped_share: number;
}

export interface Histogram {
  edges: number[]; // one more than counts; real numbers
  counts: number[];
  clip_min: number; // what the integers can hold
  clip_max: number;
}

export interface Effect extends Score {
  loss: number | null; // against float, in the metric's own unit; negative: better
  output_sqnr_db: number | null;
}

export interface LayerEvidence {
  position: number;
  name: string;
  op: string;
  sqnr_db: number | null;
  local_sqnr_db: number | null;
  cosine: number;
  max_abs_error: number;
  seen_min: number;
  seen_max: number;
  deviation: number;
  saturation: { low: number; high: number; count: number; low_share: number; high_share: number; low_is_zero: boolean };
  channels: number;
  dead_channels: { channel: number; why: string }[];
  activation_bits: number;
  weight_bits: number | null;
  weight_sqnr_db: number | null;
  findings: { kind: string; value: number; limit: number; channel: number | null; text: string }[];
  activations: Histogram;
  weights: Histogram | null;
  alone: Effect | null; // only this layer quantized: its sensitivity
  kept_in_float: Effect | null; // all but this layer quantized
}

export interface Explanation {
  samples: number;
  scores: { float: Score; integer: Score; emulated: Effect } | null;
  layers: LayerEvidence[];
  worst_first: number[]; // positions
  certificate: { certified: boolean; rounding: string; reasons: string[] };
  advice: string[];
}

export interface Stability {
  samples: number;
  enough: number; // samples after which the median scale stays
  resamplings: number;
  metric?: string;
  value?: number;
  low?: number; // 95 %
  high?: number;
  subsets: { samples: number; median_change: number; largest_change: number; value: string; metric?: number }[];
}

// ---- the network and its program ------------------------------------------------------------------------------------------------

// In topological order. An edge runs from each of `inputs` to the node; constants are not edges.
export interface Graph {
  inputs: { name: string; shape: number[]; dtype: string }[];
  outputs: string[]; // names of nodes
  nodes: GraphNode[];
}
export interface GraphNode {
  name: string; // as in run.layers, explain.layers, plan.calls
  op: string; // "conv2d"
  inputs: string[]; // names of nodes or of graph inputs
  shape: number[]; // of the output, NHWC
  dtype: string; // of the output, "s8"
  macs: number;
  parameters: number;
  weight_bytes: number; // of its constants in flash
}

export interface MemoryPlan {
  arena_bytes: number;
  lower_bound_bytes: number; // no plan needs less
  gap_bytes: number;
  method: string;
  peak?: { call: number; layer: string; op: string; live_bytes: number; first_call: number; last_call: number; needed_bytes: number } | null;
  bands_extra_share: number;
  // Lives from the start of first_call to the end of last_call; -1 is the time before the first call, calls.length after the last.
  buffers: { name: string; bytes: number; offset: number; first_call: number; last_call: number }[];
  calls: { layer: string; op: string; live_bytes: number; layers?: string[]; bands?: number; extra_cycles?: number }[];
}

export interface Run {
  target: string;
  core: string;
  machine: string;
  samples: number;
  metric: string;
  value: number | null;
  matches_host: boolean;
  first_difference?: { sample: number; output: string; layer: string | null; op?: string; kernel?: string; why?: string } | null;
  instructions_per_inference: number;
  macs: number;
  flash_bytes: { code: number; weights: number; startup: number; total: number }; // total without startup
  ram_bytes: { arena: number; stack: number; static: number; total: number };
  mix?: Record<string, number>; // instructions by class; the names are in doc/cli.md
  predicted?: {
    by_mix: { cycles: number; wait_cycles: number; latency_ms?: number; energy_uj?: number } | null;
    by_rules: { rule_cycles?: number; cycles?: Range; latency_ms?: Range; energy_uj?: Range } | null;
  };
  // cycles, latency_ms and energy_uj: of predicted.by_mix; rule_cycles of predicted.by_rules.rule_cycles
  layers: {
    name: string;
    op: string;
    kernel: string;
    macs: number;
    instructions: number;
    mix?: Record<string, number>;
    cycles?: number;
    latency_ms?: number;
    energy_uj?: number;
    rule_cycles?: number;
  }[];
}

export interface Target {
  flash_bytes: number; // 0: not known
  ram_bytes: number;
  name?: string;
  title?: string; // "STM32L4R5ZI (Nucleo-L4R5ZI)"
  core?: string;
  clock_mhz?: number; // missing: an emulator's board without a clock
}

// Every byte once. Constants that several layers share are the first one's; a function that the compiler drew into another is that one's.
export interface FlashOwner {
  owner: string; // a layer's name for its constants; a function's name for code; "tables" (arguments); "runtime" (initial values, the C library's tables, alignment)
  kind: "weights" | "code" | "tables" | "other";
  bytes: number;
}

// ---- estimates ------------------------------------------------------------------------------------------------------------------

// A predicted figure with the model's own published error: 80 and 95 of 100 boards left out of the fit fell into the range.
export interface Range {
  value: number;
  low80: number;
  high80: number;
  low95: number;
  high95: number;
}

export interface Estimate {
  target?: string; // the one that was deployed to; a name in `targets`
  error?: string; // a sentence: the leave-one-board-out error of latency and energy
  order?: string; // what they are ranked by
  conditions?: string; // a sentence: rate and battery that average power and battery life are of
  targets: TargetEstimate[]; // ranked, the best first
  layers?: LayerEstimate[]; // on `target`
}
export interface TargetEstimate {
  name: string;
  title?: string;
  core: string;
  clock_mhz?: number;
  engine?: string; // "nibble", "TFLM"; the program that is predicted
  fits: boolean;
  why_not?: string; // where it does not
  latency_us: Range | null;
  energy_uj: Range | null;
  average_uw?: Range | null;
  battery_days?: Range | null;
  flash_bytes: number;
  flash_available_bytes: number;
  ram_bytes: number;
  ram_available_bytes: number;
}
export interface LayerEstimate {
  name: string;
  cycles: Range;
  energy_uj: Range | null;
}

// ---- recipes: `nibble compare --json` -------------------------------------------------------------------------------------------

export type Interval = [low: number, high: number]; // 95 %
export interface Comparison {
  metric: string;
  samples: number;
  calibration_samples: number;
  notes?: string[];
  float: { value: number; interval: Interval | null; bytes: number };
  recipes: Recipe[];
  recommended: string | null;
  advice: string;
}
export interface Recipe {
  name: string;
  arguments: string;
  layer_rules?: number;
  error: string | null;
  integer?: boolean;
  bytes?: number;
  value?: number;
  interval?: Interval | null;
  drop?: number | null; // points of accuracy, or percent of a mean squared error
  drop_interval?: Interval | null;
  size_class?: number;
  rank?: number;
  on_front?: boolean;
}
