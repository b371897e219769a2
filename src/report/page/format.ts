// Numbers as text, the same everywhere: few digits, units, and "–" for what is not known.
import { numberOf, textOf } from "./read";
import type { Range, Score } from "./report";

export const kNone = "–";
// Between a number and its unit no line ends.
const kSpace = "\u00a0";

const kMetrics = new Map([["mse", "mean squared error"], ["reconstruction_mse", "mean squared error of the reconstruction"]]);
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const withMinus = (text: string) => text.replace(/^-/, "−");

export function count(value: unknown): string {
  const number = numberOf(value);
  return number === null ? kNone : withMinus(Math.abs(number) < 1e15 ? whole.format(number) : number.toExponential(2));
}

export function decimal(value: unknown, digits = 3): string {
  const number = numberOf(value);
  if (number === null) return kNone;
  const size = Math.abs(number);
  return withMinus(size !== 0 && (size >= 1e6 || size < 1e-4) ? number.toExponential(digits - 1) : String(Number(number.toPrecision(digits))));
}

export function fixed(value: unknown, digits: number): string {
  const number = numberOf(value);
  if (number === null) return kNone;
  if (Math.abs(number) >= 1e9) return decimal(number);
  const text = number.toFixed(digits);
  // "-0.00" says nothing more than "0.00".
  return Number(text) === 0 ? text.replace("-", "") : withMinus(text);
}

// "+0.40", "−1.20", "0.00"
export function signed(value: number, text: (size: number) => string = (size) => fixed(size, 2)): string {
  const size = text(Math.abs(value));
  return /[1-9]/.test(size) ? (value < 0 ? "−" : "+") + size : size;
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
export const millis = (ms: unknown) => scaled(ms, [[1e3, "s"], [1, "ms"], [1e-3, "µs"]]);
export const microjoules = (uj: unknown) => scaled(uj, [[1e6, "J"], [1e3, "mJ"], [1, "µJ"]]);
export const microwatts = (uw: unknown) => scaled(uw, [[1e6, "W"], [1e3, "mW"], [1, "µW"]]);
export const days = (value: unknown) => scaled(value, [[365.25, "years"], [1, "days"]]);
export const compact = (value: unknown) => scaled(value, [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]]).trim();

// "80 %: 12.9 ms to 17.3 ms"
export function range80(value: Partial<Range> | null | undefined, text: (number: unknown) => string): string {
  return `80${kSpace}%: ${range(value, text)}`;
}

export function range(value: Partial<Range> | null | undefined, text: (number: unknown) => string): string {
  return value ? `${text(value.low80)} to ${text(value.high80)}` : kNone;
}

// A layer without noise has no ratio.
export function decibel(value: unknown, unit = ""): string {
  return value === null ? "exact" : fixed(value, 1) + unit;
}

// A share of right answers in percent, an error as it is.
export function inMetric(metric: unknown, value: unknown): string {
  return metric === "accuracy" ? percent(value) : decimal(value, 4);
}

export function score(value: Score | null | undefined): string {
  return numberOf(value?.value) === null ? "not scored" : inMetric(value!.metric, value!.value);
}

export function scoreDetail(value: Score): string {
  const number = numberOf(value.value), samples = numberOf(value.samples);
  if (number === null) return textOf(value.not_scored) || "not scored";
  if (value.metric === "accuracy" && samples !== null) return `${count(Math.round(number * samples))} of ${count(samples)}`;
  return `${metricName(value.metric)}, ${count(samples)} samples`;
}

export function metricName(metric: unknown): string {
  return kMetrics.get(textOf(metric)) ?? textOf(metric);
}

export const shape = (extents: unknown) => (Array.isArray(extents) ? extents.map((extent) => count(extent).replace(/,/g, "")).join("×") : kNone);

// Middle of a long name left out, where there is no room; its begin, too, where there is next to none: layers' names differ at their ends.
export function short(name: string, length: number): string {
  if (name.length <= length) return name;
  const end = length < 12 ? length - 1 : Math.ceil((length - 1) * 0.6);
  return `${name.slice(0, length - 1 - end)}…${name.slice(-end)}`;
}
