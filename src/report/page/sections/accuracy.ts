// Accuracy float against integer, and which classes are taken for which.
import { choice, html, scroller, table, type Child, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { amount, isObject, list, numberOf, textOf } from "../read";
import type { Confusion, Report, Stability } from "../report";

const kMostClasses = 40, kMostPairs = 30;

function scores(report: Report): Child {
  const found = list(report.scores);
  if (found.length === 0) return null;
  return table(
    ["Arithmetic", "Score", "Samples"],
    found.map((score) => [textOf(score.arithmetic), format.score(score), format.scoreDetail(score)]),
    1,
    { class: "fit" },
  );
}

function className(confusion: Confusion, index: number): string {
  return textOf(list(confusion.classes)[index]) || String(index);
}

// The matrix of one arithmetic, or what it has more than another one.
function matrix(confusion: Confusion, less: Confusion | null): HTMLElement {
  const rows = list(confusion.counts).map((row) => list(row));
  const value = (t: number, p: number) => amount(rows[t]?.[p]) - amount(less?.counts?.[t]?.[p]);
  const sum = (row: number[]) => row.reduce((total, n) => total + amount(n), 0);
  const most = Math.max(1, ...rows.flatMap((row, t) => row.map((_, p) => Math.abs(value(t, p)))));
  const cells = rows.map((row, t) => {
    const total = sum(row);
    return html(
      "tr",
      null,
      html("th", { scope: "row" }, className(confusion, t)),
      ...rows.map((_, p) => {
        const n = value(t, p);
        const text = less ? format.signed(n, format.count) : format.count(n);
        // Of a difference the colour says whether it is good: more that are right, or fewer that are not.
        const good = (p === t) === (n >= 0);
        const cell = html("td", { class: `mark${good ? " right" : ""}`, title: `${className(confusion, t)} taken for ${className(confusion, p)}: ${text}` });
        if (n !== 0) cell.textContent = text;
        const strength = less ? Math.abs(n) / most : total > 0 ? n / total : 0;
        cell.style.setProperty("--v", String(Math.max(0, Math.min(1, strength))));
        return cell;
      }),
      html("td", { class: "number total" }, less ? "" : format.percent(total > 0 ? amount(row[t]) / total : null, 0)),
    );
  });
  return html(
    "table",
    { class: "confusion", "data-plot": "confusion" },
    html("thead", null, html("tr", null, html("td"), ...rows.map((_, p) => html("th", { scope: "col" }, html("span", null, className(confusion, p)))), html("td"))),
    html("tbody", null, ...cells),
  );
}

// Of many classes only the pairs that are mixed up most often.
function pairs(confusion: Confusion): HTMLElement {
  const found = list(confusion.pairs).filter((pair) => Array.isArray(pair)).map(([t, p, n]) => [amount(t), amount(p), amount(n)]);
  list(confusion.counts).forEach((row, t) => list(row).forEach((n, p) => { if (t !== p && amount(n) > 0) found.push([t, p, amount(n)]); }));
  found.sort((a, b) => b[2] - a[2]);
  const rows = found.slice(0, kMostPairs).map(([t, p, n]) => [className(confusion, t), className(confusion, p), format.count(n)]);
  const element = table(["True class", "Taken for", "Samples"], rows, 2, { class: "fit" });
  element.setAttribute("data-plot", "confusion");
  return element;
}

function confusions(report: Report): Child[] {
  const found = list(report.confusion).filter((one) => isObject(one) && list(one.counts).length + list(one.pairs).length > 0);
  if (found.length === 0) return [];
  const body = scroller("Confusion matrix");
  const last = found[found.length - 1];
  const options = found.map((one) => textOf(one.arithmetic));
  const small = (one: Confusion) => list(one.counts).length > 0 && list(one.counts).length <= kMostClasses;
  if (found.length > 1 && small(found[0]) && small(last) && list(found[0].counts).length === list(last.counts).length) options.push("Difference");
  const show = (index: number) => {
    const one = found[index];
    body.replaceChildren(!one ? matrix(last, found[0]) : small(one) ? matrix(one, null) : pairs(one));
  };
  show(found.length - 1);
  return [choice("Arithmetic", options, found.length - 1, show), html("p", { class: "muted small" }, "Rows: the true class; columns: what it was taken for; last: the share that is right. Red is wrong, or worse."), body];
}

function stability(found: Stability | undefined): Child {
  if (!isObject(found)) return null;
  const enough = numberOf(found.enough), samples = numberOf(found.samples);
  const interval = found.metric ? `Calibrated on ${format.count(found.resamplings)} resamplings of the data, the ${textOf(found.metric)} is ${format.inMetric(found.metric, found.low)} to ${format.inMetric(found.metric, found.high)} (95 %). ` : "";
  return html("p", null, interval + (enough !== null && samples !== null && enough < samples ? `${format.count(enough)} of the ${format.count(samples)} calibration samples would be enough.` : "More calibration samples may well move the ranges."));
}

export function accuracy({ report }: Context): Section | null {
  const shown = scores(report), confusion = confusions(report);
  if (!shown && confusion.length === 0) return null;
  return { id: "accuracy", title: "Accuracy", content: [html("div", { class: "beside" }, html("div", null, shown, stability(report.stability)), confusion.length ? html("div", null, ...confusion) : null)] };
}
