// A table with bars in its cells: plot and text alternative in one.
import { breakable, html, scroller } from "./dom";
import { bar } from "./plot";

export interface Column<T> {
  head: string;
  text: (item: T) => string;
  value?: (item: T) => number | null; // of a bar; the longest is the largest value of the column
  scale?: string; // columns of the same word share the largest value
  kind?: "second" | "accent";
  wide?: boolean; // left out where there is no room; the selected layer has it
}

const wide = (column: { wide?: boolean }) => (column.wide ? " wide" : "");

// With `select`, a click on a row selects it; the keyboard has the list of layers for that.
export function barTable<T>(name: string, items: T[], label: (item: T) => string, columns: Column<T>[], select: ((item: T) => void) | null = null, first = "Layer"): HTMLElement {
  const largest = (column: Column<T>) => items.reduce((most, item) => Math.max(most, column.value?.(item) ?? 0), 0);
  const most = columns.map((column) => Math.max(...columns.filter((other) => other === column || (column.scale && other.scale === column.scale)).map(largest)));
  const head = columns.flatMap((column) => [html("th", { scope: "col", class: `number${wide(column)}`, colspan: column.value ? 2 : null }, column.head)]);
  const rows = items.map((item) => {
    const cells = columns.flatMap((column, i) => {
      const text = html("td", { class: `number${wide(column)}` }, column.text(item));
      if (!column.value) return [text];
      const value = column.value(item);
      return [text, html("td", { class: `cell${wide(column)}` }, value === null ? null : bar(most[i] > 0 ? value / most[i] : 0, column.kind ?? ""))];
    });
    const row = html("tr", null, html("th", { scope: "row", class: "name" }, ...breakable(label(item))), ...cells);
    if (select) {
      row.classList.add("selectable");
      row.addEventListener("click", () => select(item));
    }
    return row;
  });
  return scroller(`${first}, ${columns.map((column) => column.head).join(", ")}`, html("table", { class: "bars", "data-plot": name }, html("thead", null, html("tr", null, html("th", { scope: "col" }, first), ...head)), html("tbody", null, ...rows)));
}
