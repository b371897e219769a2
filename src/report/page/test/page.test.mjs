// The built page in headless Chromium, opened from disk with the network off.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import puppeteer from "puppeteer-core";

import { contrasts, focusables, overflow, plots } from "./look.mjs";
import { hostileReports, sampleReport } from "./sample.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const template = process.env.NIBBLE_REPORT_PAGE ?? join(here, "..", "dist", "report_page.html");
const chromium = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => path && existsSync(path));
const kAllPlots = ["activations", "confusion", "cost", "estimate", "flash", "flash-kinds", "graph", "memory", "mix", "recipes", "sqnr", "time", "weights"];

// Why nothing can be deployed here; false: it can.
function whyNoProgram() {
  if (!process.env.NIBBLE_PROGRAM) return "no program was named in the variable NIBBLE_PROGRAM";
  const missing = ["arm-none-eabi-gcc", "qemu-system-arm"].filter((tool) => spawnSync(tool, ["--version"]).error);
  return missing.length ? `left out: ${missing.join(", ")} is missing` : false;
}

let browser, folder;

before(async () => {
  assert.ok(chromium, "no Chromium: install it (Debian: chromium) or name it in the variable CHROMIUM");
  folder = mkdtempSync(join(tmpdir(), "nibble-page-"));
  // Containers run as root, where Chromium has no sandbox.
  browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
});
after(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// As `nibble report` writes it: no "<" of the data can end the element that holds them.
function write(name, data) {
  const file = join(folder, `${name}.html`), text = typeof data === "string" ? data : JSON.stringify(data).replace(/</g, "\\u003c");
  writeFileSync(file, readFileSync(template, "utf8").replace("@NIBBLE_REPORT@", () => text));
  return file;
}

function open(name, data, look) {
  return openFile(write(name, data), look);
}

async function openFile(file, { width = 1180, scheme = "light" } = {}) {
  const page = await browser.newPage(), complaints = [], requests = [];
  page.on("console", (message) => ["error", "warn", "assert"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => requests.push(request.url()));
  await page.setViewport({ width, height: 800 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setOfflineMode(true);
  const url = pathToFileURL(file).href;
  await page.goto(url);
  // Plots are drawn once their width is known.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)))));
  return { page, complaints, requests: requests.filter((one) => one !== url) };
}

test("the page is one small file that loads nothing", async () => {
  const text = readFileSync(template, "utf8");
  assert.ok(statSync(template).size < 400e3, `${statSync(template).size} bytes before the data`);
  assert.ok(statSync(write("size", sampleReport())).size < 2e6);
  const markup = text.replace(/<script>[^]*?<\/script>|<style>[^]*?<\/style>|<!--[^]*?-->/g, "");
  assert.doesNotMatch(markup, /\b(src|href)=/);
  assert.doesNotMatch(text.match(/<style>[^]*?<\/style>/)[0], /url\(|@import/);
  assert.match(markup, /default-src 'none'/);
  assert.doesNotMatch(markup, /unsafe/);
});

for (const scheme of ["light", "dark"])
  for (const width of [1180, 360])
    describe(`${scheme}, ${width} pixels wide`, () => {
      let opened;
      before(async () => { opened = await open(`full-${scheme}-${width}`, sampleReport(), { scheme, width }); });
      after(() => opened?.page.close());

      test("every plot is drawn", async () => {
        const found = await opened.page.evaluate(plots);
        assert.deepEqual(Object.keys(found).sort(), kAllPlots);
        for (const [name, { marks, visible }] of Object.entries(found)) assert.ok(marks > 0 && visible > 0, `${name}: ${marks} marks, ${visible} to be seen`);
        assert.equal(found.graph.marks, 7);
        assert.equal(found.memory.marks, 8);
        assert.equal(found.confusion.marks, 16);
        const widths = await opened.page.$$eval("[data-plot=time] .shared .bar", (bars) => bars.map((bar) => bar.getBoundingClientRect().width));
        assert.equal(widths.length, 14);
        assert.equal(new Set(widths).size, 1, "bars of one scale have one width");
      });
      test("nothing is wider than the page", async () => {
        await opened.page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        assert.deepEqual(await opened.page.evaluate(overflow), []);
      });
      test("text stands out", async () => {
        const found = await opened.page.evaluate(contrasts);
        assert.ok(found.looked > 200, `only ${found.looked} texts were looked at`);
        assert.deepEqual(found.weak, []);
      });
      test("no complaint and no request", () => {
        assert.deepEqual(opened.complaints, []);
        assert.deepEqual(opened.requests, []);
      });
    });

test("the tab key reaches every control, and shows where it is", async () => {
  const { page } = await open("tab", sampleReport());
  const wanted = await page.evaluate(focusables);
  assert.ok(wanted > 25, `${wanted} controls`);
  const reached = new Set();
  for (let i = 0; i < wanted + 5; ++i) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const shown = element.matches(".choice input") ? element.nextElementSibling : element;
      const style = getComputedStyle(shown);
      return { id: element.getAttribute("data-focus"), what: element.outerHTML.slice(0, 80), outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 };
    });
    if (!at) continue;
    assert.ok(at.outlined, `no visible focus on ${at.what}`);
    assert.ok(at.id, `not expected in the tab order: ${at.what}`);
    reached.add(at.id);
  }
  assert.equal(reached.size, wanted);
  await page.close();
});

test("the keyboard walks through the network and changes what is shown", async () => {
  const { page, complaints } = await open("keys", sampleReport());
  const name = () => page.$eval(".panel .name", (element) => element.textContent);
  await page.$eval("svg.network", (element) => element.focus());
  await page.keyboard.press("Home");
  assert.equal(await name(), "block_0/output");
  await page.keyboard.press("ArrowDown");
  assert.equal(await name(), "block_1/output");
  assert.equal(await page.$$eval(".node.selected", (found) => found.length), 1);
  const before = await page.$eval("svg.network > g", (scene) => scene.getAttribute("transform"));
  await page.keyboard.press("+");
  assert.notEqual(await page.$eval("svg.network > g", (scene) => scene.getAttribute("transform")), before);
  await page.select("#layer", "4");
  assert.equal(await name(), "block_4/output");
  await page.click("[data-plot=cost] tbody tr:nth-child(3)");
  assert.equal(await name(), "block_2/output");
  assert.deepEqual(await page.$$eval("tr.selected th", (all) => all.map((head) => head.textContent)), ["block_2/output", "block_2/output", "block_2/output", "block_2/output"]);
  const bars = () => page.$$eval("[data-plot=estimate] .mark", (found) => found.length);
  assert.equal(await bars(), 15);
  await page.$$eval("button", (all) => all.find((button) => button.textContent.startsWith("Show all")).click());
  await page.waitForFunction(() => document.querySelectorAll("[data-plot=estimate] .mark").length === 24);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("what was executed stands by class, and both predictions of time beside each other", async () => {
  const { page, complaints } = await open("mix", sampleReport());
  const texts = (selector) => page.$$eval(selector, (all) => all.map((element) => element.textContent.replace(/\u00a0/g, " ")));
  assert.deepEqual(await texts("#cost .legend li"), ["load 24.0 %", "store 6.0 %", "multiply 32.0 %", "vector load, store 4.0 %", "vector arithmetic 6.0 %", "divide, float 2.0 %", "branch, loop 6.0 %", "add, move, other 20.0 %"]);
  // The bar of the layer with most instructions is as long as its cell; that of another in proportion.
  const ends = await page.$$eval("[data-plot=cost] tbody .bar", (bars) => bars.map((bar) => ({ marks: bar.children.length, end: Number(bar.lastChild.getAttribute("x")) + Number(bar.lastChild.getAttribute("width")) })));
  assert.equal(ends.length, 7);
  for (const [i, { marks, end }] of ends.entries()) {
    assert.equal(marks, 8);
    assert.ok(Math.abs(end - (100 * (82 + 6 * i)) / 118) < 0.31, `layer ${i} ends at ${end}`);
  }
  const numbers = await page.$$eval("#cost .numbers tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(numbers.at(-1), ["All", "168,000", "42,000", "224,000", "28,000", "42,000", "14,000", "42,000", "140,000"]);
  assert.deepEqual(await texts("#cost .fit tbody tr"), ["By mix1.12 M9.33 ms280 µJ", "By rules1.26 M1.07 M to 1.45 M10.5 ms8.92 ms to 12.1 ms315 µJ221 µJ to 410 µJ"]);
  // By rules: the layer's part of the whole prediction.
  assert.deepEqual(await texts("[data-plot=time] tbody tr:first-child .number"), ["131 k", "148 k", "20 µJ"]);
  assert.match((await texts("#cost"))[0], /By mix: every instruction.* 70 k cycles of waiting.*By rules: the program without running it.*measured boards/s);
  assert.match((await texts(".facts"))[0], /Cycles by mix141 k.*Cycles by rules158 k \(80 %: 135 k to 182 k\)/);
  assert.deepEqual(complaints, []);
  await page.close();
});

const without = (change) => {
  const report = sampleReport();
  change(report.run);
  return report;
};
const bare_layers = (run) => run.layers.forEach((layer) => ["mix", "cycles", "latency_ms", "energy_uj", "rule_cycles"].forEach((key) => delete layer[key]));
for (const [name, change, plots_left, said] of [
  ["of an older nibble", (run) => { delete run.mix; delete run.predicted; bare_layers(run); }, ["cost", "time"], [/By class: nothing; this report was made before.*nibble deploy/, /By mix: nothing; this report was made before.*nibble deploy/, /By rules: the program/]],
  ["of a core without rows", (run) => { run.predicted = { by_mix: null, by_rules: null }; run.layers.forEach((layer) => ["cycles", "latency_ms", "energy_uj", "rule_cycles"].forEach((key) => delete layer[key])); }, ["cost", "mix", "time"], [/By mix: nothing, for it is not known what an instruction takes on cortex-m4/]],
  ["of a board without a clock", (run) => { run.predicted.by_rules = { rule_cycles: run.predicted.by_rules.rule_cycles }; delete run.predicted.by_mix.latency_ms; }, ["cost", "mix", "time"], [/rules that its kernels were chosen by\./]],
])
  test(`a report ${name} still shows what it has, and says what is missing`, async () => {
    const { page, complaints } = await open("older", without(change));
    assert.deepEqual(await page.$$eval("#cost [data-plot]", (all) => all.map((plot) => plot.getAttribute("data-plot")).sort()), plots_left);
    const text = await page.$eval("#cost", (element) => element.textContent);
    for (const wanted of said) assert.match(text, wanted);
    assert.doesNotMatch(text, /undefined|NaN|null/);
    assert.deepEqual(complaints, []);
    await page.close();
  });

test("a difference of confusions is red where it is worse", async () => {
  const { page } = await open("confusion", sampleReport());
  await page.$$eval("#accuracy .choice input", (all) => all[2].click());
  const cells = await page.$$eval("[data-plot=confusion] tbody tr:first-child .mark", (all) => all.map((cell) => [cell.textContent, cell.classList.contains("right")]));
  assert.deepEqual(cells, [["−3", false], ["+1", false], ["+1", false], ["+1", false]]);
  await page.close();
});

test("all commands that made the page are there", async () => {
  const { page } = await open("commands", sampleReport());
  assert.deepEqual(await page.$$eval(".command pre", (all) => all.map((command) => command.textContent)), [sampleReport().command, sampleReport().page_command]);
  await page.close();
});

test("a report with next to nothing says which commands add the rest", async () => {
  const { page, complaints } = await open("bare", { format: "nibble report 1", model: "m.onnx", command: "nibble deploy m.onnx" });
  assert.deepEqual(await page.$$eval("main > section", (found) => found.map((section) => section.id)), ["summary", "reproduce", "missing"]);
  const lines = await page.$$eval("#missing li", (found) => found.map((line) => line.textContent));
  assert.equal(lines.length, 11);
  for (const line of lines) assert.match(line, /nibble \w+/);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a full report misses nothing", async () => {
  const { page } = await open("full", sampleReport());
  assert.equal(await page.$("#missing"), null);
  assert.match(await page.$eval(".lead", (element) => element.textContent), /sample fits mcu3, loses 2\.00 points of accuracy in integers and computes/);
  await page.close();
});

for (const [name, report] of Object.entries(hostileReports()))
  test(`two reports of which one is hostile: ${name}`, async () => {
    const { page, complaints } = await open(`pair-${name}`, { format: "nibble reports 1", names: ["a", "<b>"], reports: [report, sampleReport()] }, { width: 360 });
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.ok(await page.$("#summary"), "the other one is shown");
    assert.deepEqual(await page.evaluate(overflow, true), []);
    assert.deepEqual(complaints, []);
    await page.close();
  });

for (const [name, report] of Object.entries(hostileReports()))
  test(`a hostile report does no harm: ${name}`, async () => {
    const { page, complaints, requests } = await open(name, report, { width: 360 });
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.deepEqual(complaints, []);
    assert.deepEqual(requests, []);
    assert.deepEqual(await page.evaluate(overflow, true), []);
    assert.ok(await page.$("#summary"), "the summary is shown");
    assert.equal(await page.$$eval("main img, main script, main style", (found) => found.length), 0);
    // Parts that cannot be understood are named; what is merely odd is shown.
    const given_up = await page.$$eval("section > .warning", (found) => found.map((element) => element.textContent).filter((text) => text.includes("cannot show")));
    if (name !== "wrong") assert.deepEqual(given_up, []);
    await page.close();
  });

test("data that were not escaped run nothing either", async () => {
  const { page } = await open("raw", '{"model": "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"}');
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await page.close();
});

test("of many classes the pairs that are mixed up are shown", async () => {
  const report = sampleReport();
  report.confusion = [{ arithmetic: "int8", pairs: [[3, 500, 2], [7, 9, 12]] }];
  const { page, complaints } = await open("pairs", report);
  assert.deepEqual(await page.$$eval("[data-plot=confusion] tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(" "))), ["7 9 12", "3 500 2"]);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("data that are no report are told so", async () => {
  for (const [name, text] of [["broken", "{"], ["number", "7"], ["unfilled", "@OTHER@"]]) {
    const { page, complaints } = await open(name, text);
    assert.match(await page.$eval("main", (element) => element.textContent), /no report of nibble/);
    assert.deepEqual(complaints, []);
    await page.close();
  }
});

test("a network of a thousand layers is drawn", async () => {
  const { page, complaints } = await open("long", sampleReport((i) => `stage_${i}/out`, 1000));
  const found = await page.evaluate(plots);
  assert.equal(found.graph.marks, 1000);
  assert.deepEqual(complaints, []);
  await page.close();
});

describe("the program's own page", { skip: whyNoProgram() }, () => {
  const run = (...words) => {
    const { status, stderr } = spawnSync(process.env.NIBBLE_PROGRAM, words, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  };
  before(() => {
    const data = (name) => join(process.env.NIBBLE_EXAMPLE, name);
    const deploy = ["deploy", data("kws.onnx"), "--calibration", data("calibration.npz"), "--data", data("test.npz"), "--samples", "24", "--target", "stm32l4r5"];
    run(...deploy, "--explain", "-o", join(folder, "a"));
    run(...deploy, "--optimize", "size", "-o", join(folder, "b"));
    run("report", join(folder, "a"));
    run("compare-reports", join(folder, "a"), join(folder, "b"), "-o", join(folder, "ab.html"));
  });

  for (const [scheme, width] of [["light", 1180], ["dark", 360]])
    test(`${scheme}, ${width} pixels wide`, async () => {
      const { page, complaints, requests } = await openFile(join(folder, "a", "report.html"), { scheme, width });
      const found = await page.evaluate(plots);
      assert.deepEqual(Object.keys(found).sort(), kAllPlots.filter((name) => !["estimate", "recipes"].includes(name)));
      for (const [name, { marks, visible }] of Object.entries(found)) assert.ok(marks > 0 && visible > 0, `${name}: ${marks} marks, ${visible} to be seen`);
      assert.deepEqual(await page.$$eval("section > .warning", (all) => all.map((element) => element.textContent)), []);
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      assert.deepEqual(await page.evaluate(overflow), []);
      assert.deepEqual((await page.evaluate(contrasts)).weak, []);
      assert.match(await page.$eval(".lead", (element) => element.textContent), /kws fits stm32l4r5.*byte for byte/);
      // What is missing names a command that there is.
      assert.deepEqual(await page.$$eval("#missing li", (all) => all.map((line) => line.textContent.split(":")[0])), ["How far it depends on the calibration samples", "Latency, energy and other targets", "Recipes compared"]);
      assert.deepEqual([complaints, requests], [[], []]);
      await page.close();
    });

  test("two of them", async () => {
    const { page, complaints } = await openFile(join(folder, "ab.html"), { width: 360 });
    assert.ok((await page.evaluate(plots)).difference.marks > 0);
    assert.deepEqual(await page.evaluate(overflow), []);
    assert.deepEqual(complaints, []);
    await page.close();
  });
});

test("two reports stand side by side", async () => {
  const other = sampleReport();
  other.run.instructions_per_inference *= 2;
  const { page, complaints } = await open("pair", { format: "nibble reports 1", names: ["out/a", "out/b"], reports: [sampleReport(), other] }, { width: 360 });
  assert.match(await page.$eval("#difference", (element) => element.textContent), /\+700,000 \(\+100\.0\s%\)/);
  assert.equal(await page.$$eval("#difference .legend li", (all) => all.length), 8);
  assert.equal(await page.$$eval("[data-plot=difference] tbody tr:first-child .bar .mark", (all) => all.length), 16);
  assert.deepEqual(await page.evaluate(overflow), []);
  await page.$$eval(".choice input", (all) => all[0].click());
  assert.ok((await page.evaluate(plots)).difference.marks > 0);
  assert.deepEqual(complaints, []);
  await page.close();
});

test("on paper everything is open and nothing is to be clicked", async () => {
  const { page } = await open("paper", sampleReport(), { scheme: "dark" });
  await page.emulateMediaType("print");
  assert.equal(await page.$eval("nav", (element) => getComputedStyle(element).display), "none");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.$$eval("details:not([open])", (found) => found.filter((details) => details.checkVisibility()).length), 0);
  assert.ok((await page.pdf()).length > 10000);
  await page.close();
});
