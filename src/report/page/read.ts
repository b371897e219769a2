// report.json is read as what it claims to be only after a look: a list that is none is empty, a number that is none is not known.
// A report may be older than the page, or made by somebody else.

export function list<T>(value: readonly T[] | null | undefined): T[] {
  return Array.isArray(value) ? value.filter((item) => item !== null && item !== undefined) : [];
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

// For sums and lengths, where nothing known is nothing there.
export function amount(value: unknown): number {
  return numberOf(value) ?? 0;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : value === null || value === undefined ? "" : String(value);
}

export function isObject<T extends object>(value: T | null | undefined): value is T {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// "/models/kws.tflite" → "kws"
export function modelName(path: unknown): string {
  const file = textOf(path).split(/[\\/]/).pop() ?? "";
  return file.replace(/\.(tflite|onnx|nibble)$/, "") || "model";
}
