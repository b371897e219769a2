// All that a report says of one layer, gathered by its name; and which layer is selected.
import { isObject, list, numberOf, textOf } from "./read";
import type { FlashOwner, GraphNode, LayerError, LayerEstimate, LayerEvidence, Report, Run } from "./report";

export interface Layer {
  name: string;
  op: string;
  node?: GraphNode;
  error?: LayerError;
  evidence?: LayerEvidence;
  cost?: Run["layers"][number];
  estimate?: LayerEstimate;
  flash?: FlashOwner;
}

// Evidence has all that the list of errors has.
export const noise = (layer: Layer | undefined) => layer?.evidence ?? layer?.error;

// Of a ratio of signal to noise, the noise in amplitude: twice as much is twice as long.
export function disturbance(sqnr_db: unknown): number | null {
  const ratio = numberOf(sqnr_db);
  return ratio === null ? null : 10 ** (-ratio / 20);
}

// In the network's order, as far as it is known: the graph's, else the evidence's, else the program's.
export function gatherLayers(report: Report): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  const add = <T extends { name: string; op?: string }>(items: readonly T[] | null | undefined, put: (layer: Layer, item: T) => void, known = false) => {
    for (const item of list(items)) {
      if (!isObject(item)) continue;
      const name = textOf(item.name);
      if (!layers.has(name)) {
        if (known) continue;
        layers.set(name, { name, op: textOf(item.op) });
      }
      put(layers.get(name)!, item);
    }
  };
  add(report.graph?.nodes, (layer, node) => (layer.node = node));
  add(report.explain?.layers, (layer, evidence) => (layer.evidence = evidence));
  add(report.layer_errors, (layer, error) => (layer.error = error));
  add(report.run?.layers, (layer, cost) => (layer.cost = cost));
  add(report.estimate?.layers, (layer, estimate) => (layer.estimate = estimate), true);
  for (const owner of list(report.flash)) {
    const layer = layers.get(textOf(owner.owner));
    if (layer && owner.kind === "weights") layer.flash = owner;
  }
  return layers;
}

export interface Context {
  report: Report;
  layers: Map<string, Layer>;
  selection: Selection;
}

export class Selection {
  private listeners: ((name: string) => void)[] = [];
  constructor(public name: string) {}
  set(name: string) {
    this.name = name;
    for (const listener of this.listeners) listener(name);
  }
  // Now, and whenever another layer is selected.
  follow(listener: (name: string) => void) {
    this.listeners.push(listener);
    listener(this.name);
  }
}
