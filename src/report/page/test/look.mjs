// What the tests look at; these functions run inside the page.

// Marks of each plot, and how many of them have an area.
export function plots() {
  const found = {};
  for (const plot of document.querySelectorAll("[data-plot]")) {
    const marks = [...plot.querySelectorAll(".mark")];
    const visible = marks.filter((mark) => {
      const box = mark.getBoundingClientRect();
      return box.width > 0 && box.height > 0;
    });
    found[plot.getAttribute("data-plot")] = { marks: marks.length, visible: visible.length };
  }
  return found;
}

// Elements that stick out of the page and of nothing that scrolls by itself; `clipped`: nor out of a plot, which clips what is absurd.
export function overflow(clipped = false) {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && (box.right > width + 1 || box.left < -1) && !element.closest(clipped ? ".scroll, nav, .network, .plot svg" : ".scroll, nav, .network");
  });
  if (document.documentElement.scrollWidth > width) out.push(document.documentElement);
  return out.slice(0, 5).map((element) => element.outerHTML.slice(0, 120));
}

// Numbers the controls that the tab key must reach, and returns how many there are.
export function focusables() {
  const all = [...document.querySelectorAll("a[href], button, select, summary, input, [tabindex='0']")].filter((element) => {
    if (element.matches("input[type=radio]") && !element.checked) return false;
    return element.checkVisibility() && getComputedStyle(element).visibility === "visible";
  });
  all.forEach((element, i) => element.setAttribute("data-focus", String(i)));
  return all.length;
}

// Every text against what lies under its middle; 4.5 is what WCAG 2 asks for.
export function contrasts() {
  const parse = (text) => {
    const numbers = text.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number) ?? [];
    const [r, g, b, a = 1] = text.startsWith("color(srgb") ? numbers : [...numbers.slice(0, 3).map((n) => n / 255), numbers[3] ?? 1];
    return { r, g, b, a };
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = ({ r, g, b }) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const paint = (element) => {
    const style = getComputedStyle(element);
    if (element instanceof SVGElement) return element.matches("rect, circle") && style.fill !== "none" ? parse(style.fill) : null;
    const colour = parse(style.backgroundColor);
    return colour.a > 0.99 ? colour : null;
  };
  document.querySelectorAll("details").forEach((details) => (details.open = true));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const weak = [];
  let looked = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, title, option, noscript") || !element.checkVisibility()) continue;
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || box.width === 0) continue;
    const stack = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const under = stack.filter((one) => one !== element).concat(element.closest(".network, section, nav, header") ?? [], document.body);
    const own = element instanceof SVGElement ? null : paint(element);
    const ground = own ?? under.map(paint).find(Boolean);
    const style = getComputedStyle(element);
    const colour = parse(element instanceof SVGElement ? style.fill : style.color);
    if (!ground) continue;
    const [light, dark] = [luminance(colour), luminance(ground)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    ++looked;
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${node.data.trim().slice(0, 40)} (${element.tagName}.${element.getAttribute("class")})`);
  }
  scrollTo(0, 0);
  return { looked, weak: [...new Set(weak)].slice(0, 12) };
}
