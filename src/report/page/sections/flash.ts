// Flash by who needs it.
import { barTable } from "../bars";
import { html, prose, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { amount, isObject, list, textOf } from "../read";
import type { FlashOwner } from "../report";
import { legend, stackedBar } from "../stack";

const kMostRows = 60;
const kKinds = ["weights", "tables", "code", "other"];
const kMeanings: Record<string, string> = {
  weights: "Weights are with the layer that is the first to use them.",
  tables: "Tables: what kernels are called with.",
  other: "Other: initial values of variables, tables of the C library, gaps between functions.",
};

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
  const parts = kKinds.map((kind) => ({ kind, name: kind, value: items.filter((item) => item.kind === kind).reduce((sum, item) => sum + amount(item.bytes), 0) })).filter(({ value }) => value > 0);
  const startup = amount(context.report.run?.flash_bytes?.startup);
  return {
    id: "flash",
    title: "Flash",
    content: [
      html("p", null, `${format.bytes(total)} in all`, startup > 0 ? `; start-up code and harness (${format.bytes(startup)}) are not counted.` : "."),
      stackedBar(parts, total, format.bytes, { class: "stack", role: "img", "data-plot": "flash-kinds", "aria-label": parts.map(({ name, value }) => `${name} ${format.bytes(value)}`).join(", ") }),
      legend(parts.map(({ kind, name, value }) => [`kind-${kind}`, `${name} ${format.bytes(value)}`])),
      byOwner
        ? barTable("flash", context, sorted, (item) => textOf(item.owner), [
            { head: "bytes", value: (item) => amount(item.bytes), text: (item) => format.count(item.bytes) },
            { head: "share", text: (item) => format.percent(amount(item.bytes) / total, 1) },
            { head: "kind", text: (item) => textOf(item.kind), wide: true },
          ], "Owner")
        : null,
      byOwner ? prose(parts.map(({ kind }) => kMeanings[kind] ?? "").filter(Boolean).join(" "), "p", { class: "muted small" }) : null,
    ],
  };
}
