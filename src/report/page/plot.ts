// Plots as SVG: drawn at the width they have, again when it changes. Every datum is an element of class "mark".
import type { ScaleContinuousNumeric } from "d3-scale";

import { html, svg } from "./dom";

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

// `name` tells plots apart for tests; `label` is the plot in words. `draw` fills an empty SVG of that width and returns its height.
export function plot(name: string, label: string, draw: (root: SVGSVGElement, width: number) => number): HTMLElement {
  const figure = html("figure", { class: "plot", "data-plot": name });
  let drawn = 0;
  const render = () => {
    const width = Math.floor(figure.clientWidth);
    if (width < 1 || width === drawn) return;
    drawn = width;
    const root = svg("svg", { role: "img", "aria-label": label });
    const height = draw(root, width);
    root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    figure.replaceChildren(root);
  };
  new ResizeObserver(render).observe(figure);
  return figure;
}

type Scale = ScaleContinuousNumeric<number, number>;

// Ticks with hair lines across the plot; `format` of null uses the scale's own.
export function xAxis(root: SVGElement, scale: Scale, frame: Frame, title: string, format: ((value: number) => string) | null = null, given: number[] | null = null) {
  const room = Math.max(2, Math.floor((frame.width - frame.left - frame.right) / 64));
  const ticks = given ? thinned(given, room) : spread(scale, 6, room);
  const text = format ?? scale.tickFormat(6);
  for (const tick of ticks) {
    const x = scale(tick);
    root.append(
      svg("line", { class: "grid", x1: x, x2: x, y1: frame.top, y2: frame.height - frame.bottom }),
      svg("text", { class: "tick", x, y: frame.height - frame.bottom + 15, "text-anchor": x > frame.width - 28 ? "end" : "middle" }, text(tick)),
    );
  }
  root.append(
    svg("text", { class: "axis", x: (frame.left + frame.width - frame.right) / 2, y: frame.height - 4, "text-anchor": "middle" }, title),
  );
}

export function yAxis(root: SVGElement, scale: Scale, frame: Frame, title: string, format: ((value: number) => string) | null = null, ticks: number[] | null = null) {
  const text = format ?? scale.tickFormat(5);
  for (const tick of ticks ?? spread(scale, 5, 5)) {
    const y = scale(tick);
    root.append(
      svg("line", { class: "grid", x1: frame.left, x2: frame.width - frame.right, y1: y, y2: y }),
      svg("text", { class: "tick", x: frame.left - 6, y: y + 4, "text-anchor": "end" }, text(tick)),
    );
  }
  if (title) root.append(svg("text", { class: "axis", x: 0, y: 11 }, title));
}

// A logarithmic scale offers all of its decades' lines, more than there is room for.
function spread(scale: Scale, wanted: number, room: number): number[] {
  const ticks = scale.ticks(Math.min(wanted, room));
  if (ticks.length <= room + 1) return ticks;
  for (const mantissas of [[1, 2, 5], [1]]) {
    const round = ticks.filter((tick) => mantissas.includes(Number(tick.toExponential()[0])));
    if (round.length >= 2 && (round.length <= room + 1 || mantissas.length === 1)) return thinned(round, room);
  }
  return thinned(ticks, room);
}

function thinned(ticks: number[], room: number): number[] {
  const step = Math.ceil(ticks.length / room);
  return ticks.filter((_, i) => i % step === 0);
}

// A bar within a table's cell: `share` of the cell's width.
export function bar(share: number, kind = ""): SVGSVGElement {
  const width = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0));
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: `mark ${kind}`.trim(), x: 0, y: 0, width: 100 * width, height: 10 }),
  );
}

export const title = (text: string) => svg("title", null, text);
