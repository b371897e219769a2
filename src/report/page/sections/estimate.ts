// The same model on other targets, with the error of the prediction.
import { scaleLog } from "d3-scale";

import { choice, html, scroller, svg, prose, type Child, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { plot, title, xAxis, type Frame } from "../plot";
import { isObject, list, numberOf, textOf } from "../read";
import type { Range, TargetEstimate } from "../report";

const kFirst = 15;

interface Quantity {
  name: string;
  by: string; // as an order is called
  of: (target: TargetEstimate) => Range | null | undefined;
  text: (value: unknown) => string;
}
const kQuantities: Quantity[] = [
  { name: "Latency", by: "latency", of: (target) => target.latency_us, text: format.micros },
  { name: "Energy", by: "energy", of: (target) => target.energy_uj, text: format.microjoules },
  { name: "Average power", by: "power", of: (target) => target.average_uw, text: format.microwatts },
  { name: "Battery life", by: "battery", of: (target) => target.battery_days, text: format.days },
];

const positive = (value: unknown): value is number => (numberOf(value) ?? 0) > 0;
const usable = (range: Range | null | undefined): range is Range => isObject(range) && [range.value, range.low80, range.high80, range.low95, range.high95].every(positive);
const label = (target: TargetEstimate) => textOf(target.name) + (target.engine && target.engine !== "nibble" ? ` (${target.engine})` : "");

function bars(targets: TargetEstimate[], quantity: Quantity, chosen: string): HTMLElement {
  const shown = targets.filter((target) => usable(quantity.of(target)));
  if (shown.length === 0) return html("p", { class: "muted" }, `No target has a figure for ${quantity.name.toLowerCase()}.`);
  const ranges = shown.map((target) => quantity.of(target)!);
  const draw = (root: SVGSVGElement, width: number) => {
    const left = Math.min(190, Math.round(width * 0.36)), step = 22;
    const frame: Frame = { width, height: 12 + step * shown.length + 40, left, right: 14, top: 8, bottom: 40 };
    const x = scaleLog([Math.min(...ranges.map((range) => range.low95)), Math.max(...ranges.map((range) => range.high95))], [frame.left, width - frame.right]).nice();
    xAxis(root, x, frame, quantity.name, quantity.text);
    shown.forEach((target, i) => {
      const range = ranges[i], y = frame.top + step * (i + 0.5);
      const mine = target.name === chosen, group = svg("g", { class: `estimate${mine ? " chosen" : ""}${target.fits ? "" : " misfit"}` },
        title(`${label(target)}: ${quantity.text(range.value)}; 80 %: ${quantity.text(range.low80)} to ${quantity.text(range.high80)}; 95 %: ${quantity.text(range.low95)} to ${quantity.text(range.high95)}`),
        svg("text", { class: "tick", x: left - 8, y: y + 4, "text-anchor": "end" }, `${target.fits ? "" : "✗ "}${format.short(label(target), Math.floor((left - 12) / 7))}`),
        svg("line", { class: "range95", x1: x(range.low95), x2: x(range.high95), y1: y, y2: y }),
        svg("line", { class: "range80", x1: x(range.low80), x2: x(range.high80), y1: y, y2: y }),
        svg("circle", { class: "mark", cx: x(range.value), cy: y, r: 4.5 }));
      root.append(group);
    });
    return frame.height;
  };
  return plot("estimate", `${quantity.name} on ${shown.length} targets with error bars; the table below has the numbers`, draw);
}

const used = (bytes: unknown, available: unknown) => `${format.bytes(bytes)}${numberOf(available) ? ` of ${format.bytes(available)}` : ""}`;

function targetTable(targets: TargetEstimate[], chosen: string): HTMLElement {
  const quantities = kQuantities.filter((quantity) => targets.some((target) => isObject(quantity.of(target))));
  const head = ["Target", "Core", "Fits", ...quantities.map((quantity) => quantity.name), "Flash", "RAM"];
  return scroller("Targets",
    html("table", null,
      html("thead", null, html("tr", null, ...head.map((text, i) => html("th", { scope: "col", class: i > 2 ? "number" : null }, text)))),
      html("tbody", null, ...targets.map((target) =>
        html("tr", { class: target.name === chosen ? "chosen" : null },
          html("th", { scope: "row", title: textOf(target.title) }, label(target)),
          html("td", null, textOf(target.core)),
          html("td", null, target.fits ? "✓ yes" : `✗ ${textOf(target.why_not) || "no"}`),
          ...quantities.map((quantity) => {
            const range = quantity.of(target);
            return html("td", { class: "number" }, isObject(range) ? quantity.text(range.value) : format.kNone, isObject(range) ? html("small", null, format.range(range, quantity.text)) : null);
          }),
          html("td", { class: "number" }, used(target.flash_bytes, target.flash_available_bytes)),
          html("td", { class: "number" }, used(target.ram_bytes, target.ram_available_bytes)))))));
}

export function estimate({ report }: Context): Section | null {
  const targets = list(report.estimate?.targets).filter(isObject);
  if (targets.length === 0) return null;
  const chosen = textOf(report.estimate?.target ?? report.run?.target);
  const quantities = kQuantities.filter((quantity) => targets.some((target) => usable(quantity.of(target))));
  const order = textOf(report.estimate?.order);
  // What the rows stand in the order of, if that has a plot.
  let quantity = Math.max(0, quantities.findIndex(({ by }) => by === order)), all = targets.length <= kFirst;
  // What is shown orders the rows, those that are out last; at first they stand as they were asked for.
  let ordered = targets;
  const order_by = ({ of, by }: Quantity) => {
    const best = (target: TargetEstimate) => (numberOf(of(target)?.value) ?? Infinity) * (by === "battery" ? -1 : 1);
    ordered = [...targets].sort((a, b) => Number(!a.fits) - Number(!b.fits) || best(a) - best(b) || 0);
  };
  // The first ones, and the one that this report is of.
  const shown = () => (all ? ordered : ordered.filter((target, i) => i < kFirst || target.name === chosen));
  const picture = html("div"), rows = html("details", { class: "numbers" });
  const show = () => {
    picture.replaceChildren(quantities.length ? bars(shown(), quantities[quantity], chosen) : "");
    rows.replaceChildren(html("summary", null, "Numbers"), targetTable(shown(), chosen));
  };
  let more: Child = null;
  if (!all) {
    const button = html("button", { type: "button", "aria-expanded": "false" }, `Show all ${targets.length}`);
    button.addEventListener("click", () => {
      all = !all;
      button.textContent = all ? `Show the first ${kFirst}` : `Show all ${targets.length}`;
      button.setAttribute("aria-expanded", String(all));
      show();
    });
    more = button;
  }
  show();
  const misfits = targets.filter((target) => !target.fits).length;
  // A part with an accelerator has a row for either.
  const parts = new Set(targets.map((target) => target.name)).size, moreRows = targets.length - parts;
  return {
    id: "estimate",
    title: "Targets",
    content: [
      prose(`${parts} targets${moreRows ? `, ${moreRows} of them also with another engine` : ""}, the best${order ? ` by ${order}, or by what is shown,` : ""} first${misfits ? `; ${misfits} of these ${targets.length} are out (✗)` : ""}. Points are predictions; thick bars are ranges of 80 in 100, thin ones of 95.`),
      report.estimate?.error ? prose(textOf(report.estimate.error)) : null,
      report.estimate?.conditions ? prose(`Conditions: ${textOf(report.estimate.conditions)}.`, "p", { class: "muted" }) : null,
      html("div", { class: "bar-of-controls" }, quantities.length > 1 ? choice("Shown", quantities.map(({ name }) => name), quantity, (index) => { quantity = index; order_by(quantities[index]); show(); }) : null, more),
      picture,
      rows,
    ],
  };
}
