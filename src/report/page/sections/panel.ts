// The selected layer: all its numbers and its histograms.
import { scaleLinear } from "d3-scale";

import { html, numbers, svg, type Child } from "../dom";
import * as format from "../format";
import { noise, type Context, type Layer } from "../layers";
import { plot, title, xAxis, type Frame } from "../plot";
import { cyclesByMix, cyclesByRules, energy, type Figure } from "../predictions";
import { amount, isObject, list, numberOf, textOf } from "../read";
import type { Effect, Histogram, Report } from "../report";

export function lossText(effect: Effect | null | undefined): string {
  const loss = numberOf(effect?.loss);
  if (loss === null) return format.kNone;
  return effect!.metric === "accuracy" ? `${format.fixed(100 * loss, 2)} points` : format.decimal(loss);
}

function figureText(figure: Figure | null, text: (value: unknown) => string): string {
  return figure?.low80 === undefined ? text(figure?.value) : `${text(figure.value)} (${format.range80(figure, text)})`;
}

function facts(report: Report, layer: Layer): [string, string][] {
  const { node, evidence, cost, flash } = layer, error = noise(layer);
  const found: [string, string | null | undefined][] = [
    ["Operator", layer.op],
    ["Output", node && `${format.shape(node.shape)} ${textOf(node.dtype)}`],
    ["Kernel", cost && textOf(cost.kernel)],
    ["Multiply-accumulates", format.count(cost?.macs ?? node?.macs)],
    ["Instructions", cost && format.count(cost.instructions)],
    ["Cycles by mix", figureText(cyclesByMix(layer), format.compact)],
    ["Cycles by rules", figureText(cyclesByRules(report, layer), format.compact)],
    ["Energy", figureText(energy(layer), format.microjoules)],
    ["Parameters", node && format.count(node.parameters)],
    ["Flash of its weights", format.bytes(flash?.bytes ?? node?.weight_bytes)],
    ["SQNR, whole network", error && format.decibel(error.sqnr_db, " dB")],
    ["SQNR, layer alone", error && format.decibel(error.local_sqnr_db, " dB")],
    ["Largest error", error && format.decimal(error.max_abs_error)],
    ["Lost if only it is quantized", evidence?.alone ? lossText(evidence.alone) : null],
    ["Lost if only it stays in float", evidence?.kept_in_float ? lossText(evidence.kept_in_float) : null],
    ["At the ends of the integers", evidence?.saturation ? `${format.percent(evidence.saturation.low_share)} low${evidence.saturation.low_is_zero ? " (zero)" : ""}, ${format.percent(evidence.saturation.high_share)} high` : null],
    ["Dead channels", evidence ? `${list(evidence.dead_channels).length} of ${format.count(evidence.channels)}` : null],
    ["Bits", evidence ? `${format.count(evidence.activation_bits)} of activations${numberOf(evidence.weight_bits) === null ? "" : `, ${format.count(evidence.weight_bits)} of weights`}` : null],
  ];
  return found.filter((fact): fact is [string, string] => Boolean(fact[1]) && fact[1] !== format.kNone);
}

function histogram(name: string, what: string, data: Histogram | null | undefined): Child {
  const counts = list(data?.counts).map(amount), edges = list(data?.edges).map(amount);
  const most = Math.max(0, ...counts);
  if (!isObject(data) || counts.length === 0 || edges.length !== counts.length + 1 || most <= 0) return null;
  const low = numberOf(data.clip_min), high = numberOf(data.clip_max);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const clip = `clipped below ${format.decimal(low)} and above ${format.decimal(high)}`;
  const draw = (root: SVGSVGElement, width: number) => {
    const frame: Frame = { width, height: 190, left: 6, right: 6, top: 18, bottom: 36 };
    const ends = [edges[0], edges[edges.length - 1], low ?? edges[0], high ?? edges[0]];
    const x = scaleLinear([Math.min(...ends), Math.max(...ends)], [frame.left, width - frame.right]);
    // Counts of tails differ from those of the bulk by powers of ten: the square root shows both.
    const y = scaleLinear([0, Math.sqrt(most)], [frame.height - frame.bottom, frame.top]);
    xAxis(root, x, frame, what);
    counts.forEach((n, i) => {
      if (n <= 0) return;
      const from = x(edges[i]), to = x(edges[i + 1]), outside = (high !== null && edges[i] >= high) || (low !== null && edges[i + 1] <= low);
      root.append(
        svg("rect", { class: outside ? "mark clipped" : "mark", x: from, y: y(Math.sqrt(n)), width: Math.max(1, to - from - 0.5), height: Math.max(1, y(0) - y(Math.sqrt(n))) },
          title(`${format.decimal(edges[i])} to ${format.decimal(edges[i + 1])}: ${format.count(n)}`)),
      );
    });
    for (const [at, text, anchor] of [[low, "min", "start"], [high, "max", "end"]] as const) {
      if (at === null) continue;
      const place = Math.max(frame.left, Math.min(width - frame.right, x(at)));
      root.append(
        svg("line", { class: "clip", x1: place, x2: place, y1: frame.top - 4, y2: frame.height - frame.bottom }),
        svg("text", { class: "tick", x: place, y: 11, "text-anchor": anchor }, `${text} ${format.decimal(at)}`),
      );
    }
    return frame.height;
  };
  const rows = counts.map((n, i) => [`${format.decimal(edges[i])} to ${format.decimal(edges[i + 1])}`, format.count(n), format.percent(n / total)]).filter((_, i) => counts[i] > 0);
  return html("div", null, plot(name, `Histogram of ${what}; ${clip}; heights are square roots of counts`, draw), numbers("Numbers", ["From, to", "Count", "Share"], rows));
}

export function layerPanel({ report, layers, selection }: Context): HTMLElement {
  const names = [...layers.keys()];
  const select = html("select", { id: "layer" }, ...names.map((name, i) => html("option", { value: i }, `${i + 1}. ${format.short(name, 48)}`)));
  select.addEventListener("change", () => selection.set(names[Number(select.value)]));
  const step = (by: number, label: string, sign: string) => {
    const button = html("button", { type: "button", "aria-label": label }, sign);
    button.addEventListener("click", () => selection.set(names[(names.indexOf(selection.name) + by + names.length) % names.length]));
    return button;
  };
  const body = html("div", { "aria-live": "polite" });
  selection.follow((name) => {
    const layer = layers.get(name);
    if (!layer) return;
    select.value = String(names.indexOf(name));
    const evidence = layer.evidence;
    const plots = [histogram("activations", "values of the output", evidence?.activations), histogram("weights", "weights", evidence?.weights)].filter(Boolean);
    body.replaceChildren(
      html("h4", { class: "name" }, name),
      html("dl", { class: "facts" }, ...facts(report, layer).map(([term, text]) => html("div", null, html("dt", null, term), html("dd", null, text)))),
      ...list(evidence?.findings).map((finding) => html("p", { class: "warning" }, textOf(finding.text))),
      plots.length ? html("div", { class: "pair" }, ...plots) : "",
      plots.length ? html("p", { class: "muted small" }, "Dashed: the range that the integers hold; what lies beyond is clipped. Heights are square roots of counts, so that tails are seen.") : "",
      report.explain && !evidence ? html("p", { class: "muted" }, "There is no evidence of this layer: it rounds nothing of its own.") : "",
    );
  });
  return html(
    "div",
    { class: "panel" },
    html("div", { class: "bar-of-controls" }, html("label", { for: "layer" }, "Layer"), step(-1, "Previous layer", "‹"), select, step(1, "Next layer", "›")),
    body,
  );
}
