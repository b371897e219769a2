// Instructions, cycles and energy of each layer.
import { barTable, type Column } from "../bars";
import { prose, type Section } from "../dom";
import * as format from "../format";
import type { Context, Layer } from "../layers";
import { amount, numberOf, textOf } from "../read";

export function cost(context: Context): Section | null {
  const layers = [...context.layers.values()].filter((layer) => layer.cost || layer.estimate);
  if (layers.length === 0) return null;
  const total = layers.reduce((sum, layer) => sum + amount(layer.cost?.instructions), 0);
  const columns: Column<Layer>[] = [];
  if (total > 0)
    columns.push(
      { head: "instructions", value: (layer) => numberOf(layer.cost?.instructions), text: (layer) => format.count(layer.cost?.instructions) },
      { head: "share", text: (layer) => format.percent(amount(layer.cost?.instructions) / total, 1) },
      { head: "per MAC", text: (layer) => (layer.cost && layer.cost.macs > 0 ? format.fixed(layer.cost.instructions / layer.cost.macs, 2) : format.kNone), wide: true },
    );
  if (layers.some((layer) => layer.estimate?.cycles)) columns.push({ head: "cycles", value: (layer) => numberOf(layer.estimate?.cycles?.value), text: (layer) => format.compact(layer.estimate?.cycles?.value), kind: "second", wide: true });
  if (layers.some((layer) => layer.estimate?.energy_uj)) columns.push({ head: "energy", value: (layer) => numberOf(layer.estimate?.energy_uj?.value), text: (layer) => format.microjoules(layer.estimate?.energy_uj?.value), kind: "accent" });
  const core = context.report.run ? ` on ${textOf(context.report.run.core)}` : "";
  return {
    id: "cost",
    title: "Cost per layer",
    content: [
      total > 0 ? prose(`${format.count(context.report.run?.instructions_per_inference ?? total)} instructions per inference${core}, counted; ${format.count(context.report.run?.macs)} multiply-accumulates (MACs).`) : null,
      barTable("cost", layers, (layer) => layer.name, columns, (layer) => context.selection.set(layer.name)),
      columns.some((column) => column.head === "cycles") ? prose("Cycles and energy are predicted; the ranges that hold 80 of 100 boards are with the selected layer.", "p", { class: "muted small" }) : null,
    ],
  };
}
