// The command that makes it all again.
import { html, type Section } from "../dom";
import * as format from "../format";
import type { Context } from "../layers";
import { textOf } from "../read";

export function reproduce({ report }: Context): Section {
  const command = textOf(report.command);
  const button = html("button", { type: "button" }, "Copy");
  button.addEventListener("click", () => {
    // Pages from disk may not be allowed to write the clipboard: then the text is selected for the user's own hands.
    const chosen = () => getSelection()?.selectAllChildren(text);
    navigator.clipboard ? navigator.clipboard.writeText(command).then(() => (button.textContent = "Copied"), chosen) : chosen();
  });
  const text = html("pre", { tabindex: 0, role: "group", "aria-label": "Command" }, html("code", null, ...command.split(" ").flatMap((word, i) => [i ? " " : null, html("span", null, word)])));
  const seconds = Object.entries(report.quantize?.seconds ?? {});
  return {
    id: "reproduce",
    title: "Reproduce",
    content: [
      command ? html("div", { class: "command" }, text, button) : html("p", { class: "muted" }, "The command was not recorded."),
      seconds.length ? html("p", { class: "muted small" }, `Time on the host: ${seconds.map(([name, value]) => `${name} ${format.fixed(value, 1)} s`).join(", ")}.`) : null,
    ],
  };
}
