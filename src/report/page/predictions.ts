// The two predictions of time: from what was executed (by mix), and from the program alone (by rules). No emulator times anything.
import type { Layer } from "./layers";
import { isObject, numberOf } from "./read";
import type { Range, Report } from "./report";

// Where nothing is known of its error, a figure stands alone.
export type Figure = Pick<Range, "value"> & Partial<Range>;

function scaled(range: Range, factor: number): Range {
  const { value, low80, high80, low95, high95 } = range;
  return { value: value * factor, low80: low80 * factor, high80: high80 * factor, low95: low95 * factor, high95: high95 * factor };
}

const figure = (value: unknown): Figure | null => (numberOf(value) === null ? null : { value: value as number });
const range = (value: Range | null | undefined): Range | null => (isObject(value) && numberOf(value.value) !== null ? value : null);

export const cyclesByMix = (layer: Layer): Figure | null => figure(layer.cost?.cycles);

// The layer's part of the whole prediction; of a report without such parts, what `nibble report --estimate` added.
export function cyclesByRules(report: Report, layer: Layer): Figure | null {
  const whole = report.run?.predicted?.by_rules, rules = numberOf(layer.cost?.rule_cycles), all = numberOf(whole?.rule_cycles), cycles = range(whole?.cycles);
  if (rules === null) return range(layer.estimate?.cycles);
  return cycles && all ? scaled(cycles, rules / all) : figure(rules);
}

// With a range where it was asked for (`--estimate`), else at the time by mix.
export const energy = (layer: Layer): Figure | null => range(layer.estimate?.energy_uj) ?? figure(layer.cost?.energy_uj);

export interface Whole {
  name: string;
  cycles: Figure | null;
  ms: Figure | null;
  energy_uj: Figure | null;
}

export function wholeNetwork(report: Report): Whole[] {
  const { by_mix, by_rules } = report.run?.predicted ?? {};
  const found: Whole[] = [];
  if (isObject(by_mix)) found.push({ name: "By mix", cycles: figure(by_mix.cycles), ms: figure(by_mix.latency_ms), energy_uj: figure(by_mix.energy_uj) });
  if (isObject(by_rules)) found.push({ name: "By rules", cycles: range(by_rules.cycles) ?? figure(by_rules.rule_cycles), ms: range(by_rules.latency_ms), energy_uj: range(by_rules.energy_uj) });
  return found.filter(({ cycles }) => cycles !== null);
}
