// Executed instructions by class (src/base/instruction_mix.h), in groups that a picture can show. What happened between instructions,
// `branch_taken` or `load_use`, is counted in the same object, but is no class.
import { amount, isObject } from "./read";
import type { Part } from "./stack";

const kGroups: [kind: string, name: string, classes: string[]][] = [
  ["load", "load", ["load", "load_multiple"]],
  ["store", "store", ["store", "store_multiple"]],
  ["multiply", "multiply", ["multiply", "multiply_long"]],
  ["vector-memory", "vector load, store", ["vector_load", "vector_store"]],
  ["vector", "vector arithmetic", ["vector_multiply", "vector_other"]],
  ["divide", "divide, float", ["divide", "fpu", "fpu_divide"]],
  ["branch", "branch, loop", ["branch", "loop"]],
];

// All groups, also those that are empty, in the same order; the last is what no other group has: additions, moves, comparisons.
export function mixParts(mix: unknown, instructions: number): Part[] {
  if (!isObject(mix as object)) return [];
  const counts = mix as Record<string, unknown>;
  const parts = kGroups.map(([kind, name, classes]) => ({ kind, name, value: classes.reduce((sum, one) => sum + amount(counts[one]), 0) }));
  const named = parts.reduce((sum, part) => sum + part.value, 0);
  return [...parts, { kind: "rest", name: "add, move, other", value: Math.max(0, instructions - named) }];
}

// Group by group; without those that no layer has.
export function mixSum(layers: Part[][]): Part[] {
  const sum: Part[] = [];
  for (const parts of layers) parts.forEach((part, i) => (sum[i] = { ...part, value: (sum[i]?.value ?? 0) + part.value }));
  return sum.filter((part) => part.value > 0);
}
