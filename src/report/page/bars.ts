// A table with bars in its cells: plot and text alternative in one.
import { breakable, html, scroller } from "./dom";
import type { Context } from "./layers";
import { bar } from "./plot";
import { stackedBar, type Part } from "./stack";

export interface Column<T> {
  head: string;
  text: (item: T) => string;
  value?: (item: T) => number | null; // of a bar; the longest is the largest value of the column
  parts?: (item: T) => Part[]; // that add up to the value
  partText?: (value: number) => string;
  scale?: string; // columns of the same word share the largest value
  kind?: "second";
  wide?: boolean; // left out where there is no room; the selected layer has it
  wideBar?: boolean; // only its bar is left out; of the last column
}

// Rows of layers show which one is selected, and a click selects; the keyboard has the list of layers for that.
function followSelection({ layers, selection }: Context, rows: [name: string, row: HTMLElement][]) {
  for (const [name, row] of rows) {
    if (!layers.has(name)) continue;
    row.classList.add("selectable");
    row.addEventListener("click", () => selection.set(name));
  }
  selection.follow((selected) => {
    for (const [name, row] of rows) {
      const on = name === selected && layers.has(name);
      row.classList.toggle("selected", on);
      on ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current");
    }
  });
}

function cells<T>(column: Column<T>, item: T, most: number): HTMLElement[] {
  const kind = column.wide ? " wide" : "";
  const text = html("td", { class: `number${column.value ? " barred" : ""}${kind}` }, column.text(item));
  if (!column.value) return [text];
  const value = column.value(item), parts = column.parts?.(item) ?? [];
  const drawn = value === null ? null : parts.length ? stackedBar(parts, most, column.partText ?? String, { class: "bar", "aria-hidden": "true" }) : bar(most > 0 ? value / most : 0, column.kind ?? "");
  return [text, html("td", { class: `cell${column.scale ? " shared" : ""}${column.parts ? " parts" : ""}${column.wideBar ? " wide" : kind}` }, drawn)];
}

// `context`: the rows are of layers, or some of them are, by name.
export function barTable<T>(name: string, context: Context | null, items: T[], label: (item: T) => string, columns: Column<T>[], first = "Layer"): HTMLElement {
  const largest = (column: Column<T>) => items.reduce((most, item) => Math.max(most, column.value?.(item) ?? 0), 0);
  const most = columns.map((column) => Math.max(...columns.filter((other) => other === column || (column.scale && other.scale === column.scale)).map(largest)));
  const head = columns.map((column) => html("th", { scope: "col", class: `number${column.wide ? " wide" : ""}`, colspan: column.value ? 2 : null }, column.head));
  const rows = items.map((item): [string, HTMLElement] => [
    label(item),
    html("tr", null, html("th", { scope: "row", class: "name" }, ...breakable(label(item))), ...columns.flatMap((column, i) => cells(column, item, most[i]))),
  ]);
  if (context) followSelection(context, rows);
  return scroller(`${first}, ${columns.map((column) => column.head).join(", ")}`, html("table", { class: "bars", "data-plot": name }, html("thead", null, html("tr", null, html("th", { scope: "col" }, first), ...head)), html("tbody", null, ...rows.map(([, row]) => row))));
}
