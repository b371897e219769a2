// The commands that make it all again.
import { html, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { textOf } from "../read";

function withCopy(command: string): HTMLElement {
  const button = html("button", { type: "button" }, "Copy");
  button.addEventListener("click", () => {
    // Pages from disk may not be allowed to write the clipboard: then the text is selected for the user's own hands.
    const chosen = () => getSelection()?.selectAllChildren(text);
    navigator.clipboard ? navigator.clipboard.writeText(command).then(() => (button.textContent = "Copied"), chosen) : chosen();
  });
  const text = html("pre", { tabindex: 0, role: "group", "aria-label": "Command" }, html("code", null, ...command.split(" ").flatMap((word, i) => [i ? " " : null, html("span", null, word)])));
  return html("div", { class: "command" }, text, button);
}

export function reproduce({ report }: Context): Section {
  const commands = [report.command, report.page_command].map(textOf).filter(Boolean);
  const seconds = Object.entries(report.quantize?.seconds ?? {});
  return {
    id: "reproduce",
    title: "Reproduce",
    content: [
      ...(commands.length ? commands.map(withCopy) : [html("p", { class: "muted" }, "The command was not recorded.")]),
      seconds.length ? html("p", { class: "muted small" }, `Time on the host: ${seconds.map(([name, value]) => `${name} ${format.fixed(value, 1)} s`).join(", ")}.`) : null,
    ],
  };
}
