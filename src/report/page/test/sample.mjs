// A report with all that the contract knows, of a made-up network with a branch; its numbers are invented and only hang together.

const kOps = ["conv2d", "depthwise_conv2d", "conv2d", "add", "avg_pool2d", "dense", "softmax"];

const range = (value, share = 0.15) => ({ value, low80: value * (1 - share), high80: value * (1 + share), low95: value * (1 - 2 * share), high95: value * (1 + 2 * share) });
const score = (arithmetic, value) => ({ metric: "accuracy", value, samples: 400, arithmetic });

function histogram(low, high) {
  const edges = Array.from({ length: 33 }, (_, i) => low + ((high - low) * i) / 32);
  return { edges, counts: Array.from({ length: 32 }, (_, i) => Math.round(4000 * Math.exp(-(((i - 15) / 6) ** 2)))), clip_min: low * 0.8, clip_max: high * 0.8 };
}

function confusion(arithmetic, wrong, classes = ["yes", "no", "silence", "unknown"]) {
  return { arithmetic, classes, counts: classes.map((_, t) => classes.map((_, p) => (t === p ? 100 - 3 * wrong : wrong))) };
}

// Shares by class add up to one; what happened between instructions is counted beside them.
const kShares = { alu: 0.2, multiply: 0.3, multiply_long: 0.02, divide: 0.01, load: 0.14, load_multiple: 0.1, store: 0.05, store_multiple: 0.01, branch: 0.05, loop: 0.01, fpu: 0.01, vector_load: 0.04, vector_multiply: 0.06 };
const mix = (instructions) => Object.fromEntries([...Object.entries(kShares), ["branch_taken", 0.02], ["load_words", 0.4]].map(([kind, share]) => [kind, Math.round(share * instructions)]));

// `name` names layer i: hostile reports have other names.
export function sampleReport(name = (i) => `block_${i}/output`, layers = kOps.length) {
  const op = (i) => kOps[i % kOps.length];
  const counted = (i) => 82000 + 6000 * i;
  const each = (make) => Array.from({ length: layers }, (_, i) => make(i));
  const effect = (i) => ({ ...score("emulated", 0.9), loss: 0.002 * (i % 4), output_sqnr_db: 30 + 2 * (i % 9) });
  const weighted = (i) => ["conv2d", "depthwise_conv2d", "dense"].includes(op(i));
  const weight = (i) => (weighted(i) ? 300 + 40 * i : 0);
  const kernels = [...new Set(each(op))].map((kind, i) => ({ owner: `nibble_${kind}_s8_dsp`, kind: "code", bytes: 500 + 90 * i }));
  const flash = [...each((i) => ({ owner: name(i), kind: "weights", bytes: weight(i) })).filter((owner) => owner.bytes > 0), { owner: "tables", kind: "tables", bytes: 256 }, ...kernels];
  const all = each(counted).reduce((sum, count) => sum + count, 0);
  const sum = (kind) => flash.filter((owner) => owner.kind === kind).reduce((all, owner) => all + owner.bytes, 0);
  const target = (i) => ({
    name: `mcu${i}`, title: `MCU ${i}`, core: "cortex-m4", engine: "nibble", fits: i % 9 !== 5, why_not: i % 9 === 5 ? "RAM: 9.6 KB of 4.0 KB" : undefined,
    latency_us: range(9000 * 1.2 ** i), energy_uj: range(300 * 1.1 ** i, 0.3), average_uw: range(300 + i), battery_days: range(900 / (i + 1)),
    flash_bytes: 30000, flash_available_bytes: 1 << 20, ram_bytes: 9000, ram_available_bytes: 1 << 17,
  });
  return {
    format: "nibble report 1",
    model: "models/sample.onnx",
    command: "nibble deploy models/sample.onnx --calibration calibration.npz --data test.npz --target mcu3 -o out",
    page_command: "nibble report out --estimate --recipes recipes.json",
    version: "nibble 0.1.0",
    notes: ["the inputs look raw: `--input-scale` says how they are meant"],
    scores: [score("float32", 0.93), score("int8", 0.91), score("int8 on cortex-m4", 0.91)],
    confusion: [confusion("float32", 2), confusion("int8 on cortex-m4", 3)],
    quantize: { calibrator: "mse", samples: 96, seconds: { calibration: 0.8, gptq: 3.1 }, learned: [{ method: "adaround", before: 2, after: 1, kept: 0, blocks: [] }], ranges: [] },
    layer_errors: each((i) => ({ name: name(i), op: op(i), sqnr_db: 40 - i, local_sqnr_db: 42 - i, max_abs_error: 0.1, clipped_share: 0.001 })),
    explain: {
      samples: 96,
      scores: { float: score("float32", 0.93), integer: score("int8", 0.91), emulated: effect(0) },
      layers: each((i) => ({
        position: i, name: name(i), op: op(i), sqnr_db: 40 - i, local_sqnr_db: 42 - i, cosine: 0.999, max_abs_error: 0.1, seen_min: -1, seen_max: 2, deviation: 0.4,
        saturation: { low: 2, high: 1, count: 1000, low_share: 0.002, high_share: 0.001, low_is_zero: false }, channels: 16, dead_channels: [{ channel: 3, why: "always zero" }],
        activation_bits: 8, weight_bits: weighted(i) ? 8 : null, weight_sqnr_db: 40, findings: i === 1 ? [{ kind: "weight-scales-apart", value: 812, limit: 64, channel: 3, text: "channel 3 has weights 812 times as large as the median channel" }] : [],
        activations: histogram(-1, 2), weights: weighted(i) ? histogram(-0.3, 0.3) : null, alone: effect(i), kept_in_float: effect(i + 1),
      })),
      worst_first: each((i) => (i + 1) % layers),
      certificate: { certified: true, rounding: "single", reasons: [], nodes: [] },
      advice: ["The scales of channels of one filter are far apart: --method equalize brings them together."],
    },
    stability: { samples: 96, enough: 48, resamplings: 20, metric: "accuracy", value: 0.91, low: 0.9, high: 0.92, ranges: [], subsets: [] },
    graph: {
      inputs: [{ name: "input", shape: [1, 32, 32, 3], dtype: "s8" }],
      outputs: [name(layers - 1)],
      nodes: each((i) => ({ name: name(i), op: op(i), inputs: i === 0 ? ["input"] : op(i) === "add" ? [name(i - 1), name(i - 3)] : [name(i - 1)], shape: [1, 16, 16, 8], dtype: "s8", macs: 20000 * (i % 3), parameters: weight(i), weight_bytes: weight(i) })),
    },
    plan: {
      arena_bytes: 6144, lower_bound_bytes: 6000, gap_bytes: 144, method: "best fit", bands_extra_share: 0,
      peak: { call: 2, layer: name(2), op: op(2), live_bytes: 6144, first_call: 2, last_call: 2, needed_bytes: 6144 },
      buffers: [{ name: "input", bytes: 3072, offset: 3072, first_call: -1, last_call: 0 }, ...each((i) => ({ name: name(i), bytes: 2048, offset: 2048 * (i % 3), first_call: i, last_call: i + 1 }))],
      calls: each((i) => ({ layer: name(i), op: op(i), live_bytes: 4096 + 1024 * (i % 3) })),
    },
    run: {
      target: "mcu3", core: "cortex-m4", machine: "mps2-an386", samples: 400, metric: "accuracy", value: 0.91, matches_host: true, first_difference: null,
      instructions_per_inference: all, macs: 20000 * layers, mix: mix(all),
      predicted: {
        by_mix: { cycles: 1.6 * all, wait_cycles: 0.1 * all, latency_ms: (1.6 * all) / 120e3, energy_uj: (1.6 * all) / 4000 },
        by_rules: { rule_cycles: 1.5 * all, cycles: range(1.8 * all), latency_ms: range((1.8 * all) / 120e3), energy_uj: range((1.8 * all) / 4000, 0.3) },
      },
      flash_bytes: { code: sum("code"), weights: sum("weights") + 256, startup: 900, total: sum("code") + sum("weights") + 256 },
      ram_bytes: { arena: 6144, stack: 320, static: 0, total: 6464 },
      layers: each((i) => ({ name: name(i), op: op(i), kernel: `nibble_${op(i)}_s8_dsp`, macs: 20000 * (i % 3), instructions: counted(i), mix: mix(counted(i)), cycles: 1.6 * counted(i), latency_ms: (1.6 * counted(i)) / 120e3, energy_uj: (1.6 * counted(i)) / 4000, rule_cycles: 1.5 * counted(i) })),
    },
    target: { name: "mcu3", title: "MCU 3 on its board", core: "cortex-m4", clock_mhz: 120, flash_bytes: 1 << 20, ram_bytes: 1 << 17 },
    flash,
    estimate: {
      target: "mcu3", error: "Left out of the fit, a board's latency is missed by 12 % in the median.", conditions: "At one inference a second from 220 mAh at 3 V.",
      targets: Array.from({ length: 24 }, (_, i) => target(i)), layers: each((i) => ({ name: name(i), cycles: range(90000 + 9000 * i), energy_uj: range(20 + i) })),
    },
    recipes: {
      model: "models/sample.onnx", metric: "accuracy", samples: 400, calibration_samples: 96, float: { value: 0.93, interval: [0.9, 0.95], bytes: 90000 }, recommended: "w4a8 gptq",
      advice: "Use w4a8 gptq: half the size of int8 at the same accuracy.", notes: [],
      recipes: [
        { name: "int8", arguments: "--scheme int8", error: null, integer: true, bytes: 22000, value: 0.92, interval: [0.9, 0.94], drop: 1, drop_interval: [0, 2], size_class: 2, rank: 1, on_front: true },
        { name: "w4a8 gptq", arguments: "--scheme w4a8 --method gptq", error: null, integer: true, bytes: 12000, value: 0.915, interval: [0.89, 0.93], drop: 1.5, drop_interval: [0.2, 2.5], size_class: 1, rank: 1, on_front: true },
        { name: "w4a8", arguments: "--scheme w4a8", error: null, integer: true, bytes: 12000, value: 0.8, interval: [0.77, 0.83], drop: 13, drop_interval: [11, 15], size_class: 1, rank: 2, on_front: false },
        { name: "w2a8 brecq", arguments: "--scheme w2a8 --method brecq", layer_rules: 0, error: "libtorch is missing" },
      ],
    },
  };
}

// Names, numbers and shapes that a careless page trips over.
export function hostileReports() {
  const evil = ["</script><script>window.hacked=1</script>", '<img src=x onerror="window.hacked=2">', "__proto__", "constructor", "", "]]>&lt;!--<style>*{display:none}</style>", `${"long/".repeat(400)}end`, "\u202eright to left\u0000"];
  const named = sampleReport((i) => evil[i] ?? `layer ${i}`, evil.length + 4);
  named.model = "<b>model</b>.onnx";
  named.command = "nibble deploy </script><script>window.hacked=3</script>";
  named.notes = ["`unclosed <i>"];
  named.page_command = "nibble report <img src=x onerror=window.hacked=4>";
  named.run.core = "<style>*{display:none}</style>";
  const huge = sampleReport();
  const enlarge = (value) => (typeof value === "number" ? (value === 0 ? -1e308 : value * 1e300) : Array.isArray(value) ? value.map(enlarge) : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, enlarge(one)])) : value);
  const empty = (value) => (Array.isArray(value) ? [] : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, empty(one)])) : value);
  const nothing = (value) => (Array.isArray(value) ? value.map(nothing) : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, nothing(one)])) : typeof value === "number" ? null : value);
  const wrong = Object.fromEntries(Object.keys(sampleReport()).map((key, i) => [key, ["text", 7, [null, 3, "x"], { a: 1 }, null, true][i % 6]]));
  const loop = sampleReport();
  loop.graph.nodes[0].inputs = [loop.graph.nodes[6].name, "nobody", loop.graph.nodes[0].name];
  loop.graph.nodes.push({ ...loop.graph.nodes[2] });
  return { named, huge: enlarge(huge), empty: empty(sampleReport()), nothing: nothing(sampleReport()), wrong, loop };
}
