// What quantization does to each layer: noise, sensitivity, clipping, and what to do about it.
import { html, prose, type Child, type Section } from "../dom";
import * as format from "../format";
import { barTable, type Column } from "../bars";
import { disturbance, noise, type Context, type Layer } from "../layers";
import { isObject, list, numberOf, textOf } from "../read";
import { lossText } from "./panel";

function columns(context: Context): Column<Layer>[] {
  const layers = [...context.layers.values()];
  const found: Column<Layer>[] = [
    { head: "SQNR (dB)", value: (layer) => numberOf(noise(layer)?.sqnr_db), text: (layer) => (noise(layer) ? format.decibel(noise(layer)!.sqnr_db) : format.kNone) },
    { head: "alone (dB)", value: (layer) => numberOf(noise(layer)?.local_sqnr_db), text: (layer) => (noise(layer) ? format.decibel(noise(layer)!.local_sqnr_db) : format.kNone), kind: "second", wide: true },
  ];
  if (layers.some((layer) => layer.evidence?.alone))
    found.push(
      { head: "sensitivity (dB)", value: (layer) => disturbance(layer.evidence?.alone?.output_sqnr_db), text: (layer) => (layer.evidence?.alone ? format.decibel(layer.evidence.alone.output_sqnr_db) : format.kNone) },
      { head: "lost alone", text: (layer) => lossText(layer.evidence?.alone), wide: true },
      { head: "lost without", text: (layer) => lossText(layer.evidence?.kept_in_float), wide: true },
    );
  found.push({ head: "clipped", text: (layer) => format.percent(layer.evidence?.saturation ? (layer.evidence.saturation.low_is_zero ? 0 : layer.evidence.saturation.low_share) + layer.evidence.saturation.high_share : layer.error?.clipped_share), wide: true });
  return found;
}

function certificate(context: Context): Child {
  const found = context.report.explain?.certificate;
  if (!isObject(found)) return null;
  return found.certified
    ? html("p", null, "✓ Certified: every node computes on integers, no sum can leave its accumulator, and the rounding of every node is bounded.")
    : html("div", null, html("p", { class: "warning" }, "Not certified:"), html("ul", null, ...list(found.reasons).map((reason) => html("li", null, textOf(reason)))));
}

export function quantization(context: Context): Section | null {
  const layers = [...context.layers.values()].filter(noise);
  if (layers.length === 0) return null;
  const { explain, quantize } = context.report;
  const scored = layers.some((layer) => layer.evidence?.alone);
  const learned = list(quantize?.learned).map((method) => `${textOf(method.method)}: error ${format.decimal(method.before)} → ${format.decimal(method.after)}`);
  return {
    id: "quantization",
    title: "Quantization",
    content: [
      explain && list(explain.advice).length ? html("ul", { class: "advice" }, ...list(explain.advice).map((sentence) => prose(textOf(sentence), "li"))) : null,
      certificate(context),
      learned.length ? html("p", null, learned.join("; ")) : null,
      barTable("sqnr", context, layers, (layer) => layer.name, columns(context)),
      prose("SQNR: signal to quantization noise in decibel, the higher the better, with all that was lost before; alone: the layer on the float network's values." + (scored ? " Sensitivity: the same of the network's output with only this layer quantized; its bar is the noise, the longer the worse. Lost: score against float with only this layer quantized, and with all but it." : ""), "p", { class: "muted small" }),
    ],
  };
}
