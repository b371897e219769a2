// Numbers as text, the same everywhere: few digits, units, and "–" for what is not known.
import { numberOf, textOf } from "./read";
import type { Range, Score } from "./report";

export const kNone = "–";
// Between a number and its unit no line ends.
const kSpace = "\u00a0";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(value: unknown): string {
  const number = numberOf(value);
  return number === null ? kNone : Math.abs(number) < 1e15 ? whole.format(number) : number.toExponential(2);
}

export function decimal(value: unknown, digits = 3): string {
  const number = numberOf(value);
  if (number === null) return kNone;
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return number.toExponential(digits - 1);
  return Number(number.toPrecision(digits)).toString().replace("-", "−");
}

export function fixed(value: unknown, digits: number): string {
  const number = numberOf(value);
  if (number === null) return kNone;
  if (Math.abs(number) >= 1e9) return decimal(number);
  const text = number.toFixed(digits);
  // "-0.00" says nothing more than "0.00".
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

export function percent(share: unknown, digits = 2): string {
  const number = numberOf(share);
  return number === null ? kNone : `${fixed(100 * number, digits)}${kSpace}%`;
}

// 1 KB is 1024 bytes, as on the command line.
export function bytes(value: unknown): string {
  const number = numberOf(value);
  if (number === null) return kNone;
  const size = Math.abs(number);
  if (size < 1024) return `${count(number)}${kSpace}B`;
  if (size < 1024 ** 2) return `${fixed(number / 1024, 1)}${kSpace}KB`;
  if (size < 1024 ** 3) return `${fixed(number / 1024 ** 2, 1)}${kSpace}MB`;
  return `${decimal(number / 1024 ** 3)}${kSpace}GB`;
}

function scaled(value: unknown, units: [number, string][]): string {
  const number = numberOf(value);
  if (number === null) return kNone;
  const [factor, unit] = units.find(([limit]) => Math.abs(number) >= limit) ?? units[units.length - 1];
  return `${decimal(number / factor)}${kSpace}${unit}`;
}

export const micros = (us: unknown) => scaled(us, [[1e6, "s"], [1e3, "ms"], [1, "µs"]]);
export const microjoules = (uj: unknown) => scaled(uj, [[1e6, "J"], [1e3, "mJ"], [1, "µJ"]]);
export const microwatts = (uw: unknown) => scaled(uw, [[1e6, "W"], [1e3, "mW"], [1, "µW"]]);
export const days = (value: unknown) => scaled(value, [[365.25, "years"], [1, "days"]]);
export const compact = (value: unknown) => scaled(value, [[1e9, "G"], [1e6, "M"], [1e3, "k"], [0, ""]]).trim();

// "80 %: 12.9 ms to 17.3 ms"
export function range80(value: Range | null | undefined, text: (number: unknown) => string): string {
  return `80${kSpace}%: ${range(value, text)}`;
}

export function range(value: Range | null | undefined, text: (number: unknown) => string): string {
  if (!value) return kNone;
  return `${text(value.low80)} to ${text(value.high80)}`;
}

// A layer without noise has no ratio.
export function decibel(value: unknown): string {
  return value === null ? "exact" : fixed(value, 1);
}

export function score(value: Score | null | undefined): string {
  const number = numberOf(value?.value);
  if (!value || number === null) return "not scored";
  return value.metric === "accuracy" ? percent(number) : decimal(number, 4);
}

export function scoreDetail(value: Score): string {
  const number = numberOf(value.value), samples = numberOf(value.samples);
  if (number === null) return textOf(value.not_scored) || "not scored";
  if (value.metric === "accuracy" && samples !== null) return `${count(Math.round(number * samples))} of ${count(samples)}`;
  return `${metricName(value.metric)}, ${count(samples)} samples`;
}

export function metricName(metric: unknown): string {
  return ({ mse: "mean squared error", reconstruction_mse: "mean squared error of the reconstruction" } as Record<string, string>)[textOf(metric)] ?? textOf(metric);
}

export const shape = (extents: unknown) => (Array.isArray(extents) ? extents.map((extent) => count(extent).replace(/,/g, "")).join("×") : kNone);

// Middle of a long name left out, where there is no room.
export function short(name: string, length: number): string {
  if (name.length <= length) return name;
  const end = Math.ceil((length - 1) * 0.6);
  return `${name.slice(0, length - 1 - end)}…${name.slice(-end)}`;
}
