// What the page computes, without a browser: numbers as text, classes of instructions, and the colours that stand for them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const source = join(dirname(fileURLToPath(import.meta.url)), "..");

async function load(file) {
  const { outputFiles } = await build({ entryPoints: [join(source, file)], bundle: true, write: false, format: "esm" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

test("numbers as text", async () => {
  const { compact, count, decibel, inMetric, millis, signed } = await load("format.ts");
  const plain = (text) => text.replace(/\u00a0/g, " ");
  assert.deepEqual([0, 7, 999, 1500, 3.94e6, null, Infinity].map(compact).map(plain), ["0", "7", "999", "1.5 k", "3.94 M", "–", "–"]);
  assert.deepEqual([0.0123, 3.94, 1234].map(millis).map(plain), ["12.3 µs", "3.94 ms", "1.23 s"]);
  assert.deepEqual([0.4, -1.204, 0.001, -0.001].map((value) => signed(value)), ["+0.40", "−1.20", "0.00", "0.00"]);
  assert.equal(count(-1234), "−1,234");
  assert.equal(decibel(null, " dB"), "exact");
  assert.equal(decibel(31.26, " dB"), "31.3 dB");
  assert.deepEqual([inMetric("accuracy", 0.919), inMetric("mse", 0.0123456)].map(plain), ["91.90 %", "0.01235"]);
});

test("classes of instructions in groups", async () => {
  const { mixParts, mixSum } = await load("mix.ts");
  const values = (parts) => Object.fromEntries(parts.map(({ kind, value }) => [kind, value]));
  // Events are no instructions, and classes of a later nibble are among the others.
  const parts = mixParts({ alu: 3, load: 10, load_multiple: 2, store: 5, divide: 1, unheard_of: 4, load_words: 90, branch_taken: 7 }, 25);
  assert.deepEqual(values(parts), { load: 12, store: 5, multiply: 0, "vector-memory": 0, vector: 0, divide: 1, branch: 0, rest: 7 });
  assert.equal(parts.reduce((sum, part) => sum + part.value, 0), 25);
  assert.deepEqual(values(mixSum([parts, [], mixParts({ branch: 4 }, 4)])), { load: 12, store: 5, divide: 1, branch: 4, rest: 7 });
  for (const nothing of [undefined, null, 7, "text", []]) assert.deepEqual(mixParts(nothing, 10), []);
  assert.deepEqual(mixSum([]), []);
});

// Every class that the program counts is in a group; only `alu` is left for the last one.
test("all classes that are counted are known", async () => {
  const { mixParts } = await load("mix.ts");
  for (const name of ["multiply", "multiply_long", "divide", "load", "load_multiple", "store", "store_multiple", "branch", "loop", "fpu", "fpu_divide", "vector_load", "vector_store", "vector_multiply", "vector_other"])
    assert.equal(mixParts({ [name]: 5 }, 5).at(-1).value, 0, name);
});

// WCAG 2 asks for 3 of what is no text.
test("colours of classes stand out from light and dark, and from each other", () => {
  const style = readFileSync(join(source, "style.css"), "utf8");
  const colours = [...style.matchAll(/\.kind-([\w-]+) \{ --kind: (#[0-9a-f]{6}); \}/g)].map(([, kind, colour]) => [kind, colour]);
  const surfaces = [...style.matchAll(/--surface: (#[0-9a-f]{6})/g)].map(([, colour]) => colour);
  assert.equal(colours.length, 8);
  assert.equal(surfaces.length, 2);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const channels = (colour) => [1, 3, 5].map((at) => linear(parseInt(colour.slice(at, at + 2), 16) / 255));
  const luminance = (colour) => channels(colour).reduce((sum, c, i) => sum + [0.2126, 0.7152, 0.0722][i] * c, 0);
  for (const [kind, colour] of colours)
    for (const surface of surfaces) {
      const [light, dark] = [luminance(colour), luminance(surface)].sort((a, b) => b - a);
      assert.ok((light + 0.05) / (dark + 0.05) >= 3, `${kind} on ${surface}: ${((light + 0.05) / (dark + 0.05)).toFixed(2)}`);
    }
  assert.equal(new Set(colours.map(([, colour]) => colour)).size, colours.length);
});
