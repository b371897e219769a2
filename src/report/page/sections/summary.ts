// What a manager reads: one sentence and the big numbers.
import { html, prose, type Child, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { isObject, list, modelName, numberOf, textOf } from "../read";
import type { Range, Report, Score, TargetEstimate } from "../report";

export function chosenEstimate(report: Report): TargetEstimate | undefined {
  const name = report.estimate?.target ?? report.target?.name ?? report.run?.target;
  return list(report.estimate?.targets).find((target) => target.name === name && (!target.engine || target.engine === "nibble"));
}

export function floatScore(report: Report): Score | undefined {
  return list(report.scores).find((score) => textOf(score.arithmetic).startsWith("float"));
}

// Of the most real arithmetic that was run: the core's, else the host's.
export function integerScore(report: Report): Score | undefined {
  return list(report.scores).filter((score) => !textOf(score.arithmetic).startsWith("float")).pop();
}

// Microseconds and microjoules: as estimated, else as predicted for what was run.
export function latencyOf(report: Report): Range | null {
  const estimated = chosenEstimate(report)?.latency_us, predicted = report.run?.predicted?.by_rules?.latency_ms;
  if (estimated || !isObject(predicted)) return estimated ?? null;
  return Object.fromEntries(Object.entries(predicted).map(([key, value]) => [key, 1e3 * Number(value)])) as unknown as Range;
}
export function energyOf(report: Report): Range | null {
  return chosenEstimate(report)?.energy_uj ?? report.run?.predicted?.by_rules?.energy_uj ?? null;
}

// Nothing where the target's memory or the program's is not known.
export function fits(report: Report): boolean | null {
  const { run, target } = report;
  if (!isObject(run) || !isObject(target)) return chosenEstimate(report)?.fits ?? null;
  const flash = numberOf(run.flash_bytes?.total), ram = numberOf(run.ram_bytes?.total);
  if (flash === null || ram === null || !target.flash_bytes || !target.ram_bytes) return null;
  return flash <= target.flash_bytes && ram <= target.ram_bytes;
}

function meter(used: unknown, available: unknown): Child {
  const of = numberOf(available), value = numberOf(used);
  if (of === null || of <= 0 || value === null) return null;
  return html("meter", { min: 0, max: of, value: Math.min(value, of), high: of * 0.9, optimum: 0, "aria-label": `${format.percent(value / of, 1)} used` });
}

function tile(label: string, value: string, detail: string, extra: Child = null, kind = ""): HTMLElement {
  const [figure, unit] = value.split("\u00a0");
  return html("div", { class: `tile ${kind}`.trim() }, html("dt", null, label), html("dd", null, html("strong", null, figure, unit ? html("i", null, `\u00a0${unit}`) : null), extra, html("span", null, detail)));
}

function scoreTile(report: Report): HTMLElement | null {
  const real = floatScore(report), integer = integerScore(report), shown = integer ?? real;
  if (!shown) return null;
  const label = shown.metric === "accuracy" ? "Accuracy" : shown.metric === "none" ? "Score" : "Error";
  const before = numberOf(real?.value), after = numberOf(integer?.value);
  if (!real || !integer || before === null || after === null) return tile(label, format.score(shown), `${textOf(shown.arithmetic)}, ${format.scoreDetail(shown)}`);
  const change = shown.metric === "accuracy" ? `${format.signed(100 * (after - before))} points` : format.signed(after - before, format.decimal);
  return tile(label, format.score(integer), `${format.score(real)} in float: ${change}`);
}

function tiles(report: Report): Child[] {
  const estimate = chosenEstimate(report), { run, target } = report;
  const found: Child[] = [], clock = numberOf(estimate?.clock_mhz ?? target?.clock_mhz);
  const latency = latencyOf(report), energy = energyOf(report);
  const fit = fits(report);
  if (fit !== null)
    found.push(
      fit
        ? tile("Fits", "✓ Yes", textOf(target?.title ?? estimate?.title ?? run?.target ?? estimate?.name), null, "good")
        : tile("Fits", "✗ No", textOf(estimate?.why_not) || `more memory than ${textOf(run?.target)} has`, null, "bad"),
    );
  found.push(scoreTile(report));
  if (latency) found.push(tile("Latency", format.micros(latency.value), `${format.range80(latency, format.micros)}${clock ? ` at ${format.compact(clock)}\u00a0MHz` : ""}`));
  if (energy) found.push(tile("Energy", format.microjoules(energy.value), `per inference; ${format.range80(energy, format.microjoules)}`));
  if (estimate?.battery_days) found.push(tile("Battery", format.days(estimate.battery_days.value), format.range80(estimate.battery_days, format.days)));
  if (isObject(run)) {
    if (!latency)
      found.push(tile("Instructions", format.compact(run.instructions_per_inference), run.macs > 0 ? `${format.fixed(run.instructions_per_inference / run.macs, 2)} per multiply-accumulate` : "per inference"));
    found.push(memoryTile("Flash", run.flash_bytes?.total, target?.flash_bytes), memoryTile("RAM", run.ram_bytes?.total, target?.ram_bytes));
  } else if (estimate) {
    found.push(memoryTile("Flash", estimate.flash_bytes, estimate.flash_available_bytes), memoryTile("RAM", estimate.ram_bytes, estimate.ram_available_bytes));
  }
  return found.filter(Boolean);
}

function memoryTile(label: string, used: unknown, available: unknown): Child {
  if (numberOf(used) === null) return null;
  const of = numberOf(available);
  const detail = of ? `${format.percent(Number(used) / of, 1)} of ${format.bytes(of)}` : "";
  return tile(label, format.bytes(used), detail, meter(used, available));
}

// "It fits, loses 0.40 points of accuracy against float, and computes on the core what it computes on the host, byte for byte."
function sentence(report: Report): string {
  const name = modelName(report.model), where = textOf(report.run?.target ?? chosenEstimate(report)?.name);
  const fit = fits(report);
  const parts: string[] = [];
  if (fit !== null && where) parts.push(fit ? `fits ${where}` : `does not fit ${where}`);
  const real = floatScore(report), integer = integerScore(report);
  const before = numberOf(real?.value), after = numberOf(integer?.value);
  if (integer && before !== null && after !== null && integer.metric === "accuracy") {
    const lost = 100 * (before - after);
    const samples = numberOf(integer.samples);
    const of = samples !== null && samples < 100 ? ` (only ${samples} samples)` : "";
    parts.push((Math.abs(lost) < 0.005 ? "keeps its accuracy in integers" : lost > 0 ? `loses ${format.fixed(lost, 2)} points of accuracy in integers` : `gains ${format.fixed(-lost, 2)} points of accuracy in integers`) + of);
  } else if (integer && before !== null && after !== null) {
    parts.push(`has an error of ${format.score(integer)} against ${format.score(real)} in float`);
  }
  if (report.run) parts.push(report.run.matches_host ? "computes on the emulated core what it computes on the host, byte for byte" : "computes something else on the emulated core than on the host");
  if (parts.length === 0) return `What nibble found out of ${name}.`;
  const last = parts.pop()!;
  return `${name} ${parts.length ? `${parts.join(", ")} and ${last}` : last}.`;
}

function difference(report: Report): Child {
  const found = report.run?.first_difference;
  if (!report.run || report.run.matches_host || !isObject(found)) return null;
  const place = found.layer ? `the first layer that differs is '${textOf(found.layer)}' (${textOf(found.op)}, ${textOf(found.kernel)})` : textOf(found.why);
  return html("p", { class: "warning" }, `The core's outputs differ from the host's: sample ${format.count(found.sample)}, output '${textOf(found.output)}'; ${place}.`);
}

// What is predicted and not measured, and under which conditions.
function predictions(report: Report): Child {
  if (!latencyOf(report)) return null;
  const conditions = textOf(report.estimate?.conditions);
  return html("p", { class: "muted" }, `Times and energies are predicted, not measured: 80 of 100 such figures lie in the ranges.${conditions ? ` Conditions: ${conditions}.` : ""}`);
}

export function summary({ report }: Context): Section {
  const { run } = report;
  const facts = [
    run && `${textOf(run.target)}, ${textOf(run.core)} (${textOf(run.machine)}, emulated)`,
    report.quantize && `calibrated with ${textOf(report.quantize.calibrator)} on ${format.count(report.quantize.samples)} samples`,
    textOf(report.version),
  ].filter(Boolean);
  return {
    id: "summary",
    title: "Summary",
    content: [
      html("p", { class: "lead" }, sentence(report)),
      html("dl", { class: "tiles" }, ...tiles(report)),
      predictions(report),
      difference(report),
      facts.length ? html("p", { class: "muted" }, facts.join(" · ")) : null,
      ...list(report.notes).map((note) => prose(textOf(note), "p", { class: "warning" })),
    ],
  };
}
