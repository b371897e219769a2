// Ways to quantize side by side: size against score.
import { scaleLinear, scaleLog } from "d3-scale";

import { html, numbers, prose, svg, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { plot, title, xAxis, yAxis, type Frame } from "../plot";
import { amount, isObject, list, numberOf, textOf } from "../read";
import type { Interval, Recipe } from "../report";
import { legend } from "../stack";

// Points of accuracy below the best that the plot shows, as a share.
const kShownLoss = 0.3;

// Sizes come in powers of two; with the halves between them where these are few.
function powers([from, to]: [number, number]): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log2(from)); 2 ** power <= to && found.length < 64; ++power)
    for (const tick of [2 ** power, 1.5 * 2 ** power]) if (tick >= from && tick <= to) found.push(tick);
  return found.length > 8 ? found.filter((tick) => Number.isInteger(Math.log2(tick))) : found;
}

const ends = (interval: Interval | null | undefined): [number, number] | null =>
  Array.isArray(interval) && numberOf(interval[0]) !== null && numberOf(interval[1]) !== null ? [interval[0], interval[1]] : null;

export function recipes({ report }: Context): Section | null {
  const found = report.recipes;
  const all = list(found?.recipes).filter(isObject);
  if (!isObject(found) || all.length === 0) return null;
  const accuracy = found.metric === "accuracy";
  const score = (value: unknown) => (accuracy ? format.percent(value, 1) : format.decimal(value));
  const measured = all.filter((recipe) => !recipe.error && numberOf(recipe.value) !== null && amount(recipe.bytes) > 0);
  const kind = (recipe: Recipe) => (recipe.name === found.recommended ? "recommended" : recipe.on_front ? "front" : "");
  const real = numberOf(found.float?.value);

  const draw = (root: SVGSVGElement, width: number) => {
    const frame: Frame = { width, height: 300, left: 58, right: 14, top: 22, bottom: 40 };
    const values = measured.flatMap((recipe) => ends(recipe.interval) ?? [recipe.value!]).concat(real === null ? [] : [real]);
    const sizes = measured.map((recipe) => recipe.bytes!);
    const x = scaleLog([Math.min(...sizes) * 0.9, Math.max(...sizes) * 1.1], [frame.left, width - frame.right]).base(2);
    const most = Math.max(...values), least = Math.min(...values);
    // A recipe that guesses would press all others together.
    const floor = accuracy ? Math.max(least, most - kShownLoss) : least;
    const y = scaleLinear([floor, most], [frame.height - frame.bottom, frame.top]).clamp(true);
    xAxis(root, x, frame, "constants", format.bytes, powers(x.domain() as [number, number]));
    yAxis(root, y, frame, accuracy ? "accuracy" : format.metricName(found.metric), score);
    if (real !== null)
      root.append(
        svg("line", { class: "reference", x1: frame.left, x2: width - frame.right, y1: y(real), y2: y(real) }),
        svg("text", { class: "tick", x: width - frame.right, y: y(real) - 5, "text-anchor": "end" }, "float32"),
      );
    for (const recipe of [...measured].sort((a, b) => kind(a).length - kind(b).length)) {
      const interval = ends(recipe.interval), cx = x(recipe.bytes!), below = recipe.value! < floor;
      root.append(
        svg("g", { class: `recipe ${kind(recipe)}`.trim() },
          title(`${textOf(recipe.name)}: ${format.bytes(recipe.bytes)}, ${score(recipe.value)}`),
          interval && svg("line", { class: "range95", x1: cx, x2: cx, y1: y(interval[0]), y2: y(interval[1]) }),
          svg("circle", { class: below ? "mark below" : "mark", cx, cy: y(recipe.value!), r: kind(recipe) ? 5 : 3.5 })),
      );
    }
    return frame.height;
  };
  const drop = (recipe: Recipe) => {
    const interval = ends(recipe.drop_interval);
    return html("span", null, format.fixed(recipe.drop, 2), interval ? html("small", null, `${format.fixed(interval[0], 1)} to ${format.fixed(interval[1], 1)}`) : null);
  };
  const rows = all.map((recipe) => {
    const name = html("span", null, textOf(recipe.name), recipe.name === found.recommended ? html("b", { class: "tag" }, "recommended") : recipe.on_front ? html("b", { class: "tag plain" }, "best of its size") : null);
    return recipe.error ? [name, `failed: ${textOf(recipe.error)}`, "", ""] : [name, format.bytes(recipe.bytes), score(recipe.value), drop(recipe)];
  });
  return {
    id: "recipes",
    title: "Recipes",
    content: [
      prose(textOf(found.advice)),
      measured.length ? plot("recipes", `Score against size of ${measured.length} recipes with 95 % intervals; the table below has the numbers`, draw) : null,
      measured.length ? legend([["round recommended", "recommended"], ["round front", "best of its size"], ["round", "others"]]) : null,
      numbers(`Numbers of ${all.length} recipes`, ["Recipe", "Constants", "Score", accuracy ? "Points lost" : "Percent added"], rows),
      prose(`Scored on ${format.count(found.samples)} samples, calibrated on ${format.count(found.calibration_samples)}; bars are 95 % intervals${accuracy ? "; dashed points lie lower" : ""}.`, "p", { class: "muted small" }),
    ],
  };
}
