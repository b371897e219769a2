// Elements from text, never from markup: names come from model files and are shown as they are.

export type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

function fill<E extends Element>(element: E, attributes: Attributes | null, children: Child[]): E {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    // A length that is no number (sums of absurd figures) is left at its default.
    if (value === null || value === undefined || value === false || (typeof value === "number" && !Number.isFinite(value))) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

export function html<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes | null = null, ...children: Child[]) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Attributes | null = null, ...children: Child[]) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// A name that may end its line behind a part of it, "model/conv_2" behind "model/", "BiasAdd" behind "Bias".
export function breakable(name: string): Child[] {
  return name.split(/(?<=[/_.;])(?=[^/_.;])|(?<=[a-z])(?=[A-Z])/).flatMap((part, i) => (i ? [html("wbr"), part] : [part]));
}

// "use `nibble compare` for it": what stands between backticks is code.
export function prose(text: string, tag: "p" | "span" | "li" = "p", attributes: Attributes | null = null): HTMLElement {
  const parts = text.split("`");
  // An odd number of backticks is no markup of ours.
  if (parts.length % 2 === 0) return html(tag, attributes, text);
  return html(tag, attributes, ...parts.map((part, i) => (i % 2 ? html("code", null, part) : part)));
}

// A heading's section, in the order in which the page shows them.
export interface Section {
  id: string;
  title: string;
  content: Child[];
}

// Wide things scroll within themselves, never the page; then the keyboard must reach them.
export function scroller(label: string, ...children: Child[]): HTMLElement {
  const element = html("div", { class: "scroll" }, ...children);
  new ResizeObserver(() => {
    const scrolls = element.scrollWidth > element.clientWidth + 1;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", label]])
      scrolls ? element.setAttribute(name, value) : element.removeAttribute(name);
  }).observe(element);
  return element;
}

// Numbers behind a plot: its text alternative, closed until somebody wants it; printed open.
export function numbers(caption: string, head: string[], rows: (string | HTMLElement)[][], words = 1): HTMLElement {
  return html("details", { class: "numbers" }, html("summary", null, caption), table(head, rows, words));
}

// The first `words` columns are words, the others numbers, set flush right.
export function table(head: string[], rows: (string | HTMLElement)[][], words = 1, attributes: Attributes = {}): HTMLElement {
  const kind = (i: number) => (i < words ? null : "number");
  return scroller(
    head.join(", "),
    html(
      "table",
      attributes,
      html("thead", null, html("tr", null, ...head.map((text, i) => html("th", { scope: "col", class: kind(i) }, text)))),
      html(
        "tbody",
        null,
        ...rows.map((row) =>
          html(
            "tr",
            null,
            ...row.map((cell, i) => (i === 0 ? html("th", { scope: "row" }, cell) : html("td", { class: kind(i) }, cell))),
          ),
        ),
      ),
    ),
  );
}

// One of a few, as a row of radio buttons.
export function choice(label: string, options: string[], chosen: number, change: (index: number) => void): HTMLElement {
  const name = `choice-${++choices}`;
  return html(
    "fieldset",
    { class: "choice" },
    html("legend", null, label),
    ...options.map((text, i) => {
      const input = html("input", { type: "radio", name, checked: i === chosen });
      input.addEventListener("change", () => change(i));
      return html("label", null, input, html("span", null, text));
    }),
  );
}
let choices = 0;
