// Instructions by class, predicted cycles and energy of each layer.
import { barTable, type Column } from "../bars";
import { html, numbers, prose, table, type Child, type Section } from "../dom";
import * as format from "../format";
import type { Context, Layer } from "../layers";
import { mixParts, mixSum } from "../mix";
import { cyclesByMix, cyclesByRules, energy, wholeNetwork, type Figure } from "../predictions";
import { amount, isObject, numberOf, textOf } from "../read";
import type { Report } from "../report";
import { legend, stackedBar } from "../stack";

const kOld = "this report was made before nibble";

export const parts = (layer: Layer | undefined) => mixParts(layer?.cost?.mix, amount(layer?.cost?.instructions));

function byClass(layers: Layer[], total: number): Child[] {
  const all = mixSum(layers.map(parts));
  if (all.length === 0) return [prose(`By class: nothing; ${kOld} counted them so; \`nibble deploy\` again adds that.`, "p", { class: "muted" })];
  const share = (value: number) => format.percent(value / total, 1);
  const rows = layers.map((layer) => [layer.name, ...all.map(({ kind }) => format.count(parts(layer).find((part) => part.kind === kind)?.value))]);
  return [
    stackedBar(all, total, share, { class: "stack", role: "img", "data-plot": "mix", "aria-label": all.map((part) => `${part.name} ${share(part.value)}`).join(", ") }),
    legend(all.map((part) => [`kind-${part.kind}`, `${part.name} ${share(part.value)}`])),
    numbers("Numbers by class", ["Layer", ...all.map((part) => part.name)], [...rows, ["All", ...all.map((part) => format.count(part.value))]]),
  ];
}

function instructions(context: Context, layers: Layer[]): Child[] {
  const { report } = context;
  const total = layers.reduce((sum, layer) => sum + amount(layer.cost?.instructions), 0);
  if (total <= 0) return [];
  const on = report.run ? ` on ${textOf(report.run.core)}` : "";
  const columns: Column<Layer>[] = [
    { head: "instructions", value: (layer) => numberOf(layer.cost?.instructions), parts, partText: format.count, text: (layer) => format.count(layer.cost?.instructions) },
    { head: "share", text: (layer) => format.percent(amount(layer.cost?.instructions) / total, 1) },
    { head: "per MAC", text: (layer) => (layer.cost && layer.cost.macs > 0 ? format.fixed(layer.cost.instructions / layer.cost.macs, 2) : format.kNone), wide: true },
  ];
  return [
    prose(`${format.count(report.run?.instructions_per_inference ?? total)} instructions per inference${on}, counted; ${format.count(report.run?.macs)} multiply-accumulates (MACs).`),
    ...byClass(layers, total),
    barTable("cost", context, layers, (layer) => layer.name, columns),
  ];
}

function withRange(figure: Figure | null, text: (value: unknown) => string): string | HTMLElement {
  if (figure?.low80 === undefined) return text(figure?.value);
  return html("span", null, text(figure.value), html("small", null, format.range(figure, text)));
}

// What either prediction is, in a sentence each; or why there is none.
function explained(report: Report, layers: Layer[]): Child[] {
  const { run } = report, core = textOf(run?.core), known = isObject(run?.predicted);
  const { by_mix, by_rules } = known ? run!.predicted! : {};
  const waits = amount(by_mix?.wait_cycles), fitted = isObject(by_rules?.cycles) || !known;
  const mix = isObject(by_mix)
    ? `By mix: every instruction that was executed, at the cycles that its class takes on the core${waits > 0 ? `, and ${format.compact(waits)} cycles of waiting for weights from flash` : ""}.`
    : known ? `By mix: nothing, for it is not known what an instruction takes on ${core}.` : `By mix: nothing; ${kOld} predicted cycles from what was executed; \`nibble deploy\` again adds that.`;
  const rules = isObject(by_rules) || layers.some((layer) => cyclesByRules(report, layer))
    ? `By rules: the program without running it, by the rules that its kernels were chosen by${fitted ? ", times what was fitted to measured boards" : ""}.`
    : known ? `By rules: nothing, for there are no rules for ${core}.` : "";
  return [prose(mix), rules ? prose(rules) : null];
}

function totals(report: Report): Child {
  const found = wholeNetwork(report);
  if (found.length === 0) return null;
  const timed = found.some(({ ms }) => ms), powered = found.some(({ energy_uj }) => energy_uj);
  const rows = found.map(({ name, cycles, ms, energy_uj }) => [
    name,
    withRange(cycles, format.compact),
    ...(timed ? [withRange(ms, format.millis)] : []),
    ...(powered ? [withRange(energy_uj, format.microjoules)] : []),
  ]);
  return table(["Whole network", "Cycles", ...(timed ? ["Time"] : []), ...(powered ? ["Energy"] : [])], rows, 1, { class: "fit" });
}

function time(context: Context, layers: Layer[]): Child[] {
  const { report } = context;
  const offered: Column<Layer>[] = [
    { head: "by mix", value: (layer) => numberOf(cyclesByMix(layer)?.value), text: (layer) => format.compact(cyclesByMix(layer)?.value), scale: "cycles" },
    { head: "by rules", value: (layer) => numberOf(cyclesByRules(report, layer)?.value), text: (layer) => format.compact(cyclesByRules(report, layer)?.value), kind: "second", scale: "cycles" },
    { head: "energy", value: (layer) => numberOf(energy(layer)?.value), text: (layer) => format.microjoules(energy(layer)?.value), wideBar: true },
  ];
  const columns = offered.filter((column) => layers.some((layer) => column.value!(layer) !== null));
  if (columns.length === 0 && !isObject(report.run)) return [];
  const ranged = layers.some((layer) => layer.estimate?.energy_uj) ? "Energy is that of `nibble estimate`" : "Energy is at the time by mix";
  return [
    html("h3", null, "Predicted cycles and energy"),
    ...explained(report, layers),
    totals(report),
    columns.length ? barTable("time", context, layers, (layer) => layer.name, columns) : null,
    columns.length ? prose(`By mix, by rules: cycles. Nothing here was timed.${columns.some(({ head }) => head === "energy") ? ` ${ranged}.` : ""} Ranges hold 80 of 100 such predictions; those of a layer are with the selected layer.`, "p", { class: "muted small" }) : null,
  ];
}

export function cost(context: Context): Section | null {
  const layers = [...context.layers.values()].filter((layer) => layer.cost || layer.estimate);
  if (layers.length === 0) return null;
  return { id: "cost", title: "Cost per layer", content: [...instructions(context, layers), ...time(context, layers)] };
}
