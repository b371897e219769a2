// The page of `nibble report`: sections from report.json, in the order in which they are read.
import { choice, html, prose, type Child, type Section } from "./dom";
import { gatherLayers, Selection, type Context } from "./layers";
import { kParts } from "./missing";
import { isObject, list, modelName, textOf } from "./read";
import type { Report, ReportPair } from "./report";
import { accuracy } from "./sections/accuracy";
import { cost } from "./sections/cost";
import { difference } from "./sections/difference";
import { estimate } from "./sections/estimate";
import { flash } from "./sections/flash";
import { network } from "./sections/graph";
import { memory } from "./sections/memory";
import { quantization } from "./sections/quantization";
import { recipes } from "./sections/recipes";
import { reproduce } from "./sections/reproduce";
import { summary } from "./sections/summary";

const kSections: [string, (context: Context) => Section | null][] = [
  ["Summary", summary],
  ["Accuracy", accuracy],
  ["Network", network],
  ["Quantization", quantization],
  ["Cost per layer", cost],
  ["Memory", memory],
  ["Flash", flash],
  ["Targets", estimate],
  ["Recipes", recipes],
  ["Reproduce", reproduce],
];

// A section that cannot be shown says so and leaves the others alone.
function attempt(title: string, make: () => Section | null): Section | null {
  try {
    return make();
  } catch (error) {
    return { id: title.toLowerCase().replace(/\W+/g, "-"), title, content: [html("p", { class: "warning" }, `report.json has this part in a form that this page cannot show (${String(error)}).`)] };
  }
}

function missing(report: Report): Child {
  const parts = kParts.filter((part) => !part.has(report));
  if (parts.length === 0) return null;
  return html("section", { id: "missing", "aria-labelledby": "missing-title" }, html("h2", { id: "missing-title" }, "Not in this report"), html("ul", null, ...parts.map((part) => prose(`${part.what}: ${part.command} adds it.`, "li"))));
}

function body(report: Report, before: (Section | null)[] = []): Child[] {
  const layers = gatherLayers(report);
  const worst = list(report.explain?.worst_first).map((at) => textOf(list(report.explain?.layers)[at]?.name));
  // Inputs are no boxes to be selected in the picture of the network.
  const context: Context = { report, layers, selection: new Selection(worst.find((name) => layers.get(name)?.node) ?? worst.find((name) => layers.has(name)) ?? [...layers.keys()][0] ?? "") };
  const sections = [...before, ...kSections.map(([title, make]) => attempt(title, () => make(context)))].filter((section): section is Section => section !== null);
  return [
    html("nav", { "aria-label": "Sections" }, html("ul", null, ...sections.map((section) => html("li", null, html("a", { href: `#${section.id}` }, section.title))))),
    html("main", null, ...sections.map((section) => html("section", { id: section.id, "aria-labelledby": `${section.id}-title` }, html("h2", { id: `${section.id}-title` }, section.title), ...section.content)), missing(report)),
  ];
}

function header(title: string, detail: string, extra: Child = null): HTMLElement {
  return html("header", null, html("p", { class: "brand" }, "nibble report"), html("h1", null, title), detail ? html("p", { class: "muted path" }, detail) : null, extra);
}

function single(report: Report): Child[] {
  document.title = `${modelName(report.model)} · nibble report`;
  return [header(modelName(report.model), textOf(report.model)), ...body(report)];
}

function pair(found: ReportPair): Child[] {
  const [a, b] = list(found.reports);
  const names: [string, string] = [textOf(found.names?.[0]) || "A", textOf(found.names?.[1]) || "B"];
  document.title = `${names[0]} and ${names[1]} · nibble report`;
  const shown = html("div");
  const show = (index: number) => shown.replaceChildren(...(body([a, b][index], [attempt("Side by side", () => difference(names, [a, b]))]) as Node[]));
  show(1);
  return [header(`${names[0]} and ${names[1]}`, "", choice("The sections below are of", [`A: ${names[0]}`, `B: ${names[1]}`], 1, show)), shown];
}

function page(text: string): Child[] {
  const found: unknown = JSON.parse(text);
  if (!isObject(found as object)) throw new Error("not a report");
  const both = found as ReportPair;
  return Array.isArray(both.reports) && both.reports.length === 2 && both.reports.every(isObject) ? pair(both) : single(found as Report);
}

const root = document.getElementById("page")!;
try {
  root.replaceChildren(...(page(document.getElementById("report")!.textContent ?? "").filter(Boolean) as Node[]));
} catch (error) {
  root.replaceChildren(header("No report", ""), html("main", null, html("p", { class: "warning" }, `The data in this file are no report of nibble: ${String(error)}. Make the page again with \`nibble report DIR\`.`)));
}
// Paper has nothing to click on; bins of histograms one by one are for nobody's eyes.
let closed: HTMLDetailsElement[] = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll<HTMLDetailsElement>("details:not([open])")].filter((details) => !details.closest(".pair"));
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});
