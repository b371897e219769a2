// The arena over time: every buffer as a rectangle, the operator at the peak.
import { scaleLinear } from "d3-scale";

import { html, numbers, svg, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { plot, title, yAxis, type Frame } from "../plot";
import { amount, isObject, list, numberOf, textOf } from "../read";
import type { MemoryPlan } from "../report";

// Labels only where there is room for some letters.
const kLetter = 8;

// Memory is counted in powers of two, and so are its ticks.
function binaryTicks(most: number): number[] {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(most / 6)));
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

const end = (buffer: MemoryPlan["buffers"][number]) => amount(buffer.offset) + amount(buffer.bytes);
const overlaps = (a: MemoryPlan["buffers"][number], b: MemoryPlan["buffers"][number]) =>
  amount(a.offset) < end(b) && amount(b.offset) < end(a) && amount(a.first_call) <= amount(b.last_call) && amount(b.first_call) <= amount(a.last_call);

function caption(plan: MemoryPlan): string {
  const arena = amount(plan.arena_bytes), gap = amount(plan.gap_bytes);
  const least = gap === 0 ? "no plan needs less" : `${format.bytes(gap)} more than the least that any plan needs`;
  return `Arena of ${format.bytes(arena)} (${format.count(arena)} bytes), ${least}; method: ${textOf(plan.method)}.`;
}

// Where the places of buffers follow from each other over several calls, no single one of them sets the arena.
function peakText(plan: MemoryPlan): string {
  const peak = plan.peak;
  if (!isObject(peak)) return "";
  const first = amount(peak.first_call), last = amount(peak.last_call);
  const most = `call ${format.count(peak.call)}, ${textOf(peak.layer)} (${textOf(peak.op)}), with ${format.bytes(peak.live_bytes)} live`;
  if (last < 0) return "Peak: the inputs of the model.";
  if (first >= list(plan.calls).length) return "Peak: the outputs of the model.";
  return first < last ? `Peak: calls ${format.count(first)} to ${format.count(last)}, whose buffers' places follow from each other; the most live is at ${most}.` : `Peak: ${most}.`;
}

function bandsText(plan: MemoryPlan): string {
  const share = amount(plan.bands_extra_share), groups = list(plan.calls).filter((call) => list(call.layers).length > 0).length;
  return groups > 0 ? ` ${groups === 1 ? "One call runs" : `${groups} calls run`} several layers band by band, for a predicted ${format.percent(share, 1)} more time.` : "";
}

// "conv2d", or "3 layers in 16 bands"
const operator = (call: MemoryPlan["calls"][number]) => (list(call.layers).length ? `${list(call.layers).length} layers in ${format.count(call.bands)} bands` : textOf(call.op));

export function memory({ report, selection, layers }: Context): Section | null {
  const { plan } = report;
  if (!isObject(plan)) return null;
  const calls = list(plan.calls).filter(isObject);
  const buffers = list(plan.buffers).filter((buffer) => isObject(buffer) && numberOf(buffer.offset) !== null && amount(buffer.bytes) > 0);
  if (buffers.length === 0) return null;
  const arena = Math.max(amount(plan.arena_bytes), ...buffers.map((buffer) => amount(buffer.offset) + amount(buffer.bytes)));
  const peak = numberOf(plan.peak?.call);
  const where = (call: number) => (call < 0 ? "before" : call >= calls.length ? "after" : `${call} ${textOf(calls[call].layer)}`);

  const draw = (root: SVGSVGElement, width: number) => {
    const frame: Frame = { width, height: Math.max(260, Math.min(440, width * 0.5)), left: 58, right: 4, top: 22, bottom: 46 };
    const x = scaleLinear([-1, calls.length + 1], [frame.left, width - frame.right]);
    const y = scaleLinear([0, arena], [frame.height - frame.bottom, frame.top]);
    yAxis(root, y, frame, "", format.bytes, binaryTicks(arena));
    if (peak !== null && peak >= 0 && peak < calls.length) {
      const middle = (x(peak) + x(peak + 1)) / 2, text = `peak: ${format.short(textOf(plan.peak!.op), 20)}`;
      const half = (text.length * kLetter) / 2;
      root.append(
        svg("rect", { class: "peak", x: x(peak), y: frame.top - 4, width: x(peak + 1) - x(peak), height: frame.height - frame.bottom - frame.top + 4 }),
        svg("text", { class: "tick strong", x: Math.max(frame.left + half, Math.min(width - half, middle)), y: 13, "text-anchor": "middle" }, text),
      );
    }
    for (const buffer of [...buffers].sort((a, b) => amount(a.first_call) - amount(b.first_call))) {
      const from = Math.max(-1, amount(buffer.first_call)), to = Math.min(calls.length, amount(buffer.last_call)) + 1;
      const top = y(amount(buffer.offset) + amount(buffer.bytes));
      const wide = Math.max(1, x(to) - x(from) - 1), high = Math.max(1, y(amount(buffer.offset)) - top - 1);
      // What starts later lies on top: where a result takes its source's place, the label keeps to what stays visible.
      const covered = buffers.filter((other) => other !== buffer && amount(other.first_call) > amount(buffer.first_call) && overlaps(other, buffer)).map((other) => amount(other.first_call));
      const name = textOf(buffer.name), letters = Math.floor((Math.min(wide, x(Math.min(to, ...covered)) - x(from)) - 8) / kLetter);
      const group = svg("g", { class: layers.has(name) ? "buffer" : "buffer other" },
        title(`${name}: ${format.count(buffer.bytes)} bytes at ${format.count(buffer.offset)}, calls ${format.count(from)} to ${format.count(to - 1)}`),
        svg("rect", { class: "mark", x: x(from) + 0.5, y: top + 0.5, width: wide, height: high, rx: 2 }));
      if (letters >= 5 && high >= 16) group.append(svg("text", { x: x(from) + 5, y: top + high / 2 + 4 }, format.short(name, letters)));
      if (layers.has(name)) group.addEventListener("click", () => selection.set(name));
      root.append(group);
    }
    const room = Math.max(1, Math.ceil((calls.length * 22) / (width - frame.left)));
    for (let call = 0; call < calls.length; call += room)
      root.append(svg("text", { class: "tick", x: (x(call) + x(call + 1)) / 2, y: frame.height - frame.bottom + 15, "text-anchor": "middle" }, String(call)));
    root.append(svg("text", { class: "axis", x: (frame.left + width) / 2, y: frame.height - 6, "text-anchor": "middle" }, "calls, in order"));
    return frame.height;
  };
  return {
    id: "memory",
    title: "Memory",
    content: [
      html("p", null, caption(plan), " ", peakText(plan), bandsText(plan)),
      plot("memory", `${caption(plan)} ${peakText(plan)} The tables below have every buffer and call.`, draw),
      numbers("Buffers", ["Buffer", "Bytes", "Offset", "From call", "To call"], buffers.map((buffer) => [textOf(buffer.name), format.count(buffer.bytes), format.count(buffer.offset), where(amount(buffer.first_call)), where(amount(buffer.last_call))])),
      numbers("Live bytes at each call", ["Call", "Layer", "Operator", "Live bytes"], calls.map((call, i) => [String(i), textOf(call.layer), operator(call), format.count(call.live_bytes)]), 3),
    ],
  };
}
