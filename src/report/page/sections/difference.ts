// Two reports side by side: what differs.
import { barTable } from "../bars";
import { table, type Section } from "../dom";
import * as format from "../format";
import { gatherLayers, noise } from "../layers";
import { mixSum } from "../mix";
import { numberOf } from "../read";
import type { Report } from "../report";
import { legend } from "../stack";
import { parts } from "./cost";
import { energyOf, floatScore, integerScore, latencyOf } from "./summary";

type Row = [name: string, value: (report: Report) => unknown, text: (value: unknown) => string, change?: (from: unknown, to: unknown) => string];

const score = (found: { metric: string; value: number | null } | undefined) => found?.value;
const scoreText = (report: Report) => (value: unknown) => format.inMetric(integerScore(report)?.metric, value);

function shareText(from: number | null, to: number | null): string {
  if (from === null || to === null || from === 0) return format.kNone;
  return from === to ? "same" : format.signed(to / from - 1, (share) => format.percent(share, 1));
}

function change(a: unknown, b: unknown, text: (value: unknown) => string): string {
  const from = numberOf(a), to = numberOf(b);
  if (from === null || to === null) return format.kNone;
  if (from === to) return "same";
  const share = from !== 0 ? ` (${shareText(from, to)})` : "";
  return format.signed(to - from, text) + share;
}

// Shares of shares would be misread.
function points(a: unknown, b: unknown): string {
  const from = numberOf(a), to = numberOf(b);
  if (from === null || to === null) return format.kNone;
  return from === to ? "same" : `${format.signed(100 * (to - from))} points`;
}

export function difference(names: [string, string], reports: [Report, Report]): Section {
  const [a, b] = reports;
  const scoreChange = integerScore(a)?.metric === "accuracy" ? points : undefined;
  const rows: Row[] = [
    ["Score in float", (report) => score(floatScore(report)), scoreText(a), scoreChange],
    ["Score in integers", (report) => score(integerScore(report)), scoreText(a), scoreChange],
    ["Clock", (report) => report.target?.clock_mhz, (value) => `${format.compact(value)}\u00a0MHz`],
    ["Latency", (report) => latencyOf(report)?.value, format.micros],
    ["Energy", (report) => energyOf(report)?.value, format.microjoules],
    ["Instruc\u00adtions", (report) => report.run?.instructions_per_inference, format.count],
    ["Cycles by mix", (report) => report.run?.predicted?.by_mix?.cycles, format.compact],
    ["Cycles by rules", (report) => report.run?.predicted?.by_rules?.cycles?.value ?? report.run?.predicted?.by_rules?.rule_cycles, format.compact],
    ["Multiply-accu\u00admulates", (report) => report.run?.macs, format.count],
    ["Flash", (report) => report.run?.flash_bytes?.total, format.bytes],
    ["RAM", (report) => report.run?.ram_bytes?.total, format.bytes],
    ["Arena", (report) => report.plan?.arena_bytes, format.bytes],
  ];
  const shown = rows.filter(([, value]) => reports.some((report) => numberOf(value(report)) !== null));
  const [left, right] = reports.map(gatherLayers);
  const layers = [...new Set([...left.keys(), ...right.keys()])].filter((name) => [left, right].some((side) => side.get(name)?.cost || noise(side.get(name))));
  const classes = mixSum(layers.flatMap((name) => [parts(left.get(name)), parts(right.get(name))]));
  const instructions = (side: typeof left) => (name: string) => numberOf(side.get(name)?.cost?.instructions);
  const sqnr = (side: typeof left) => (name: string) => numberOf(noise(side.get(name))?.sqnr_db);
  return {
    id: "difference",
    title: "Side by side",
    content: [
      table(["", `A: ${names[0]}`, `B: ${names[1]}`, "B against A"], shown.map(([name, value, text, apart]) => [name, text(value(a)), text(value(b)), apart ? apart(value(a), value(b)) : change(value(a), value(b), text)]), 1, { class: "changes" }),
      classes.length ? legend(classes.map(({ kind, name }) => [`kind-${kind}`, name])) : null,
      layers.length
        ? barTable("difference", null, layers, (name) => name, [
            { head: "A instructions", value: instructions(left), parts: (name) => parts(left.get(name)), partText: format.count, text: (name) => format.count(instructions(left)(name)), kind: "second", scale: "instructions" },
            { head: "B instructions", value: instructions(right), parts: (name) => parts(right.get(name)), partText: format.count, text: (name) => format.count(instructions(right)(name)), scale: "instructions" },
            { head: "change", text: (name) => shareText(instructions(left)(name), instructions(right)(name)) },
            { head: "A SQNR (dB)", text: (name) => format.fixed(sqnr(left)(name), 1), wide: true },
            { head: "B SQNR (dB)", text: (name) => format.fixed(sqnr(right)(name), 1), wide: true },
          ])
        : null,
    ],
  };
}
