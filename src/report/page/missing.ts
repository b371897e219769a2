// Of what a report does not have: what it would show, and the command that adds it.
import { isObject, list } from "./read";
import type { Report } from "./report";

interface Missing {
  what: string;
  command: string;
  has: (report: Report) => boolean;
}

export const kParts: Missing[] = [
  { what: "Accuracy float against integer", command: "`nibble deploy` of a float model", has: (report) => list(report.scores).length > 1 },
  { what: "Confusion matrix", command: "`nibble deploy` with `--data` that have one class per sample", has: (report) => list(report.confusion).length > 0 },
  { what: "Picture of the network", command: "`nibble deploy`", has: (report) => list(report.graph?.nodes).length > 0 },
  { what: "Noise of each layer", command: "`nibble deploy` of a float model", has: (report) => list(report.layer_errors).length + list(report.explain?.layers).length > 0 },
  { what: "Sensitivity, histograms, advice", command: "`nibble deploy --explain`", has: (report) => list(report.explain?.layers).length > 0 },
  { what: "How far it depends on the calibration samples", command: "`nibble deploy --stability`", has: (report) => isObject(report.stability) },
  { what: "Memory over time", command: "`nibble deploy`", has: (report) => list(report.plan?.buffers).length > 0 },
  { what: "Flash by owner", command: "`nibble deploy`", has: (report) => list(report.flash).length > 0 },
  { what: "Instructions of each layer", command: "`nibble deploy`", has: (report) => list(report.run?.layers).length > 0 },
  { what: "Latency, energy and other targets", command: "`nibble report DIR --estimate`", has: (report) => isObject(report.estimate) && list(report.estimate.targets).length > 0 },
  { what: "Recipes compared", command: "`nibble report DIR --recipes FILE.json` with what `nibble compare --json` printed", has: (report) => list(report.recipes?.recipes).length > 0 },
];
