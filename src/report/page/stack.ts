// A whole and its parts as one bar, and what their colours mean.
import { html, svg } from "./dom";
import { title } from "./plot";

export interface Part {
  kind: string; // its colour: the class "kind-…" in style.css
  name: string;
  value: number;
}

// The full length is `whole`. `attributes` say what it is to those who do not see it, or hide it where a table says the same.
export function stackedBar(parts: Part[], whole: number, text: (value: number) => string, attributes: Record<string, string>): SVGSVGElement {
  const root = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", ...attributes });
  let at = 0;
  for (const { kind, name, value } of parts) {
    const width = Math.max(0, Math.min(100 - at, 100 * (value / whole)));
    if (!(width > 0)) continue;
    // Neighbours are kept apart, as far as there is room.
    root.append(svg("rect", { class: `mark kind-${kind}`, x: at, y: 0, width: width - Math.min(0.3, width / 4), height: 10 }, title(`${name}: ${text(value)}`)));
    at += width;
  }
  return root;
}

// Entries: the class of the swatch, and the text.
export function legend(entries: [kind: string, text: string][]): HTMLElement {
  return html("ul", { class: "legend" }, ...entries.map(([kind, text]) => html("li", null, html("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text)));
}
