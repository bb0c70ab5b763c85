// What a person hears: an audio file, or a text with the list's columns in it.

import { h } from "../dom.js";
import { button } from "./bits.js";
import { choice, leaf, line, optionalLine } from "./editors.js";
import * as fields from "./fields.js";

/** The id of the list of files to choose from, which the form has. */
export const PROMPTS = "known-prompts";

const KEYS = ["file", "say", "voice"];
const COLUMN = "column";

/** An editor of a prompt; `nothing` is what stands for none, where none may be.
 *
 * `words` are choices besides a prompt, whose value is a word: [[value, label], ...].
 */
export function prompt(label, given, { nothing, words = [] } = {}) {
  const before = typeof given === "string" ? null : given;
  const file = line("Audio file", before?.file, { list: PROMPTS, hint: "In the service's folder of prompts." });
  const say = text(before?.say);
  const voice = optionalLine("Voice", before?.voice, { hint: "As the speech command names it. Empty: its usual one." });
  const kind = choice(
    label,
    [
      ...(nothing ? [["", nothing]] : []),
      ...words,
      ["file", "Play an audio file"],
      ["say", "Say a text"],
    ],
    typeof given === "string" ? given : before?.say ? "say" : before?.file || !nothing ? "file" : "",
    { onchange: show },
  );
  function show() {
    const chosen = kind.read();
    file.element.hidden = chosen !== "file";
    say.element.hidden = voice.element.hidden = chosen !== "say";
  }
  show();
  return {
    element: h("div", { class: "fields" }, kind.element, file.element, voice.element, say.element),
    editors: Object.fromEntries(KEYS.map((key) => [key, null])),
    read() {
      const kept = Object.entries(before ?? {}).filter(([key]) => !KEYS.includes(key) && key !== "kind");
      const more = Object.fromEntries(kept);
      if (kind.read() === "file") return { ...more, file: file.read() };
      if (kind.read() !== "say") return kind.read() || null;
      return voice.read() ? { ...more, say: say.read(), voice: voice.read() } : { ...more, say: say.read() };
    },
    place([key]) {
      if (key === "voice") return voice.control;
      return { file: file.control, say: say.control }[kind.read()] ?? kind.control;
    },
  };
}

function text(before) {
  const element = fields.area(null, "Text to say", {
    value: before ?? "",
    rows: 3,
    maxlength: 2000,
    hint: "{column|otherwise} says what the list has in that column, or else what stands behind the bar.",
  });
  const said = leaf(element, (input) => input.value.replace(/\s*\n\s*/g, " "));
  element.append(
    h("div", { class: "buttons" }, button("Insert a column", { picture: "plus", small: true, onclick: () => insert(said.control) })),
  );
  return said;
}

function insert(area) {
  const at = area.selectionStart;
  area.setRangeText(`{${COLUMN}|}`, at, area.selectionEnd);
  area.focus();
  area.setSelectionRange(at + 1, at + 1 + COLUMN.length);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}
