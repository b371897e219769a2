// Bundles the front end into one page: node build.mjs [FILE]. The page holds kMarker where `nibble report` puts the data.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const kMarker = "@NIBBLE_REPORT@";
const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist", "report_page.html");

async function bundle(entry) {
  const result = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "es2021",
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    metafile: true,
  });
  const text = result.outputFiles[0].text.trim();
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`${entry}: the bundle would end its own element`);
  return { text, inputs: result.metafile.inputs };
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const { text: script, inputs } = await bundle("main.ts");
const { text: style } = await bundle("style.css");
// Nothing is loaded and nothing but this bundle runs, whatever the data say.
const policy = `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`;
const parts = { policy, style, script, marker: kMarker, licenses: licenses(inputs) };
const page = readFileSync(join(here, "template.html"), "utf8").replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
if (page.split(kMarker).length !== 2) throw new Error("the marker must stand in the page once");
mkdirSync(dirname(out), { recursive: true });
writeFileSync(`${out}.new`, page);
renameSync(`${out}.new`, out);

// The page carries copies of these packages, and their licences want to be carried along.
function licenses(inputs) {
  const found = new Map();
  for (const input of Object.keys(inputs)) {
    const path = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (!path || found.has(path)) continue;
    const { name, version, license } = JSON.parse(readFileSync(join(here, path, "package.json"), "utf8"));
    const file = readdirSync(join(here, path)).find((entry) => /^licen[cs]e/i.test(entry));
    found.set(path, `${name} ${version}, ${license}\n${file ? readFileSync(join(here, path, file), "utf8").trim() : ""}`);
  }
  return [...found.values()].join("\n\n").replace(/--+/g, "-");
}
