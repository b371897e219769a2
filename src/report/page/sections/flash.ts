// Flash by who needs it.
import { html, svg, type Section } from "../dom";
import * as format from "../format";
import { barTable } from "../bars";
import type { Context } from "../layers";
import { title } from "../plot";
import { amount, isObject, list, textOf } from "../read";
import type { FlashOwner } from "../report";

const kMostRows = 60;

// By owner where it is known, else by the few kinds that every run measures.
function owners({ report }: Context): { items: FlashOwner[]; total: number; byOwner: boolean } {
  const items = list(report.flash).filter(isObject), run = report.run?.flash_bytes;
  if (items.length > 0) return { items, total: items.reduce((sum, item) => sum + amount(item.bytes), 0), byOwner: true };
  if (!isObject(run)) return { items: [], total: 0, byOwner: false };
  const kinds: FlashOwner[] = [
    { owner: "weights and tables", kind: "weights", bytes: amount(run.weights) },
    { owner: "code", kind: "code", bytes: amount(run.code) },
  ];
  return { items: kinds, total: amount(run.total), byOwner: false };
}

export function flash(context: Context): Section | null {
  const { items, total, byOwner } = owners(context);
  if (items.length === 0 || total <= 0) return null;
  const sorted = [...items].sort((a, b) => amount(b.bytes) - amount(a.bytes));
  const rest = sorted.splice(kMostRows);
  if (rest.length) sorted.push({ owner: `${rest.length} more`, kind: "other", bytes: rest.reduce((sum, item) => sum + amount(item.bytes), 0) });
  const kinds = ["weights", "tables", "code", "other"];
  let at = 0;
  const stack = svg("svg", { class: "stack", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "data-plot": "flash-kinds",
    "aria-label": kinds.map((kind) => `${kind} ${format.bytes(items.filter((item) => item.kind === kind).reduce((sum, item) => sum + amount(item.bytes), 0))}`).join(", ") });
  const legend = kinds.map((kind) => {
    const sum = items.filter((item) => item.kind === kind).reduce((all, item) => all + amount(item.bytes), 0);
    if (sum <= 0) return null;
    const width = (100 * sum) / total;
    stack.append(svg("rect", { class: `mark kind-${kind}`, x: at, y: 0, width, height: 10 }, title(`${kind}: ${format.bytes(sum)}`)));
    at += width;
    return html("li", null, html("span", { class: `swatch kind-${kind}`, "aria-hidden": "true" }), `${kind} ${format.bytes(sum)}`);
  });
  const startup = amount(context.report.run?.flash_bytes?.startup);
  return {
    id: "flash",
    title: "Flash",
    content: [
      html("p", null, `${format.bytes(total)} in all`, startup > 0 ? `; start-up code and harness (${format.bytes(startup)}) are not counted.` : "."),
      stack,
      html("ul", { class: "legend" }, ...legend),
      byOwner
        ? barTable("flash", sorted, (item) => textOf(item.owner), [
            { head: "bytes", value: (item) => amount(item.bytes), text: (item) => format.count(item.bytes) },
            { head: "share", text: (item) => format.percent(amount(item.bytes) / total, 1) },
            { head: "kind", text: (item) => textOf(item.kind), wide: true },
          ], (item) => { if (context.layers.has(textOf(item.owner))) context.selection.set(textOf(item.owner)); }, "Owner")
        : null,
    ],
  };
}
