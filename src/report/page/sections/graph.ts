// The network as a picture: zoom with the wheel, pinch or buttons, pan by dragging, walk with the arrow keys.
import { graphlib, layout } from "@dagrejs/dagre";
import { select } from "d3-selection";
import { curveBasis, line } from "d3-shape";
import { zoom, zoomIdentity } from "d3-zoom";

import { choice, html, svg, type Section } from "../dom";
import * as format from "../format";
import { disturbance, noise, type Context, type Layer } from "../layers";
import { title } from "../plot";
import { amount, isObject, list, numberOf, textOf } from "../read";
import type { GraphNode } from "../report";
import { layerPanel } from "./panel";

const kWidth = 190, kHeight = 44, kGap = 26;
// Of one press of a key or button.
const kZoom = 1.3;
// From here on laying out takes seconds; nodes then stand in one column.
const kMostLaidOut = 400;

interface Box { name: string; shape: number[]; }
interface Placed { name: string; x: number; y: number; }
interface Edge { from: string; to: string; points: { x: number; y: number }[]; }

function place(nodes: { name: string }[], edges: [string, string][]): { placed: Map<string, Placed>; edges: Edge[]; width: number; height: number } {
  const placed = new Map<string, Placed>();
  if (nodes.length > kMostLaidOut) {
    nodes.forEach(({ name }, i) => placed.set(name, { name, x: kWidth, y: kHeight / 2 + i * (kHeight + kGap) }));
    const joined = edges.map(([from, to]) => {
      const a = placed.get(from)!, b = placed.get(to)!;
      const far = b.y - a.y > kHeight + kGap + 1 ? kWidth / 2 + 24 : 0;
      return { from, to, points: [{ x: a.x, y: a.y + kHeight / 2 }, { x: a.x - far, y: a.y + kHeight }, { x: a.x - far, y: b.y - kHeight }, { x: b.x, y: b.y - kHeight / 2 }] };
    });
    return { placed, edges: joined, width: 2 * kWidth, height: nodes.length * (kHeight + kGap) };
  }
  const graph = new graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: "TB", nodesep: 24, ranksep: kGap, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  // Keys of ours, for names may be anything, "__proto__" too.
  const key = new Map(nodes.map(({ name }, i) => [name, `n${i}`]));
  for (const id of key.values()) graph.setNode(id, { width: kWidth, height: kHeight });
  for (const [from, to] of edges) graph.setEdge(key.get(from)!, key.get(to)!);
  layout(graph);
  for (const [name, id] of key) {
    const { x, y } = graph.node(id) as { x: number; y: number };
    placed.set(name, { name, x, y });
  }
  const joined = edges.map(([from, to]) => ({ from, to, points: (graph.edge(key.get(from)!, key.get(to)!) as Edge).points }));
  const { width, height } = graph.graph() as { width: number; height: number };
  return { placed, edges: joined, width, height };
}

// What the fill of a node may stand for; of each, darker is more.
const kColourings: [string, (layer: Layer) => number | null][] = [
  ["Instructions", (layer) => numberOf(layer.cost?.instructions)],
  ["Noise", (layer) => disturbance(noise(layer)?.local_sqnr_db)],
  ["Sensitivity", (layer) => disturbance(layer.evidence?.alone?.output_sqnr_db)],
  ["Weights", (layer) => numberOf(layer.flash?.bytes ?? layer.node?.weight_bytes)],
];

// Names are what the report says; edges from and to what is nowhere are left out.
function edgesBetween(boxes: Box[], nodes: GraphNode[]): [string, string][] {
  const known = new Set(boxes.map((box) => box.name)), seen = new Set<string>();
  const edges: [string, string][] = [];
  for (const node of nodes)
    for (const input of list(node.inputs).map(textOf)) {
      const to = textOf(node.name), id = JSON.stringify([input, to]);
      if (!known.has(input) || input === to || seen.has(id)) continue;
      seen.add(id);
      edges.push([input, to]);
    }
  return edges;
}

function drawBox(box: Box, { x, y }: Placed, layer: Layer | undefined): SVGGElement {
  const detail = `${layer?.op || "input"}  ${format.shape(box.shape)}`;
  return svg("g", { class: layer ? "node mark" : "node input", transform: `translate(${x - kWidth / 2},${y - kHeight / 2})` },
    title(`${box.name}\n${detail}`),
    svg("rect", { width: kWidth, height: kHeight, rx: 6 }),
    svg("text", { x: 10, y: 18 }, format.short(box.name, 23)),
    svg("text", { class: "sub", x: 10, y: 34 }, format.short(detail, 26)));
}

interface Camera {
  fit: (all: boolean) => void;
  scale: (factor: number) => void;
  reveal: (x: number, y: number) => void;
}

function camera(root: SVGSVGElement, scene: SVGGElement, width: number, height: number): Camera {
  const view = select<SVGSVGElement, unknown>(root);
  const behaviour = zoom<SVGSVGElement, unknown>()
    .scaleExtent([0.02, 4])
    // A page that is scrolled through must not be caught by a picture on the way; one finger scrolls, two pinch.
    .filter((event: Event) => (event.type === "wheel" ? (event as WheelEvent).ctrlKey || (event as WheelEvent).metaKey || document.activeElement === root : event.type === "touchstart" ? (event as TouchEvent).touches.length > 1 || document.activeElement === root : !(event as MouseEvent).button))
    .on("zoom", (event: { transform: { toString(): string } }) => scene.setAttribute("transform", event.transform.toString()));
  view.call(behaviour).on("dblclick.zoom", null);
  const fit = (all: boolean) => {
    const box = root.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return;
    const whole = Math.min(box.width / width, box.height / height);
    // Of a long chain the whole is unreadably small: then its beginning is shown.
    const scale = all ? Math.min(1, whole) : Math.min(1, Math.max(whole, Math.min(0.85, box.width / width)));
    behaviour.transform(view, zoomIdentity.translate((box.width - width * scale) / 2, Math.max(0, (box.height - height * scale) / 2)).scale(scale));
  };
  let sized = false;
  new ResizeObserver(() => {
    const { width: now } = root.getBoundingClientRect();
    if (!sized && now > 0) { sized = true; fit(false); }
  }).observe(root);
  addEventListener("beforeprint", () => { if (root.isConnected) fit(true); });
  return { fit, scale: (factor) => behaviour.scaleBy(view, factor), reveal: (x, y) => behaviour.translateTo(view, x, y) };
}

function walkByKeys(root: SVGSVGElement, order: string[], { selection }: Context, placed: Map<string, Placed>, { fit, scale, reveal }: Camera) {
  const go = (index: number) => {
    selection.set(order[Math.max(0, Math.min(order.length - 1, index))]);
    const at = placed.get(selection.name);
    if (at) reveal(at.x, at.y);
  };
  root.addEventListener("keydown", (event) => {
    const at = order.indexOf(selection.name);
    const step = ({ ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 } as Record<string, number>)[event.key];
    if (step) go(at + step);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(order.length - 1);
    else if (event.key === "+" || event.key === "=") scale(kZoom);
    else if (event.key === "-") scale(1 / kZoom);
    else if (event.key === "0") fit(true);
    else return;
    event.preventDefault();
  });
}

function picture(context: Context, nodes: GraphNode[]): HTMLElement {
  const { report, layers, selection } = context;
  const order = nodes.map((node) => textOf(node.name)), computed = new Set(order);
  const inputs = list(report.graph?.inputs).filter(isObject).map(({ name, shape }) => ({ name: textOf(name), shape }));
  const boxes: Box[] = [...inputs.filter(({ name }) => !computed.has(name)), ...nodes.map(({ name, shape }) => ({ name: textOf(name), shape }))];
  const { placed, edges, width, height } = place(boxes, edgesBetween(boxes, nodes));
  const curve = line<{ x: number; y: number }>((p) => p.x, (p) => p.y).curve(curveBasis);
  const scene = svg("g", null, ...edges.map((edge) => svg("path", { class: "edge", d: curve(edge.points), "marker-end": "url(#arrow)" })));
  const drawn = new Map<string, SVGGElement>();
  for (const box of boxes) {
    const layer = computed.has(box.name) ? layers.get(box.name) : undefined, group = drawBox(box, placed.get(box.name)!, layer);
    scene.append(group);
    if (!layer) continue;
    group.addEventListener("click", () => selection.set(box.name));
    drawn.set(box.name, group);
  }
  const root = svg("svg", { class: "network", tabindex: 0, role: "application", "aria-label": `The network: ${nodes.length} layers. Arrow keys go from layer to layer, plus and minus zoom, zero shows all. The numbers of the selected layer follow.` },
    svg("defs", null, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0 8 4 0 8z" }))),
    scene);
  const view = camera(root, scene, width, height);
  walkByKeys(root, order, context, placed, view);
  selection.follow((name) => {
    for (const [other, group] of drawn) group.classList.toggle("selected", other === name);
  });

  const button = (sign: string, label: string, act: () => void) => {
    const element = html("button", { type: "button", "aria-label": label }, sign);
    element.addEventListener("click", act);
    return element;
  };
  const offered = kColourings.filter(([, value]) => [...layers.values()].some((layer) => (value(layer) ?? 0) > 0));
  const colour = (index: number) => {
    const value = index < offered.length ? offered[index][1] : null;
    const most = value ? Math.max(...[...layers.values()].map((layer) => value(layer) ?? 0)) : 0;
    for (const [name, group] of drawn) group.style.setProperty("--v", String(value && most > 0 ? amount(value(layers.get(name)!)) / most : 0));
  };
  colour(0);
  return html("div", { class: "graph", "data-plot": "graph" },
    html("div", { class: "bar-of-controls" },
      offered.length ? choice("Colour shows", offered.map(([name]) => name), 0, colour) : null,
      html("span", { class: "zoom" }, button("−", "Zoom out", () => view.scale(1 / kZoom)), button("+", "Zoom in", () => view.scale(kZoom)), button("All", "Show the whole network", () => view.fit(true)))),
    root,
    html("p", { class: "muted small hint" }, "Drag to move, Ctrl and the wheel to zoom; arrow keys walk from layer to layer."));
}

export function network(context: Context): Section | null {
  if (context.layers.size === 0) return null;
  const nodes = list(context.report.graph?.nodes).filter(isObject);
  const shown = nodes.length > 0;
  return {
    id: "network",
    title: "Network",
    content: [html("div", { class: shown ? "split" : "" }, shown ? picture(context, nodes) : null, layerPanel(context))],
  };
}
