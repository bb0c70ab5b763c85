// Whether an answered call is recorded, by whose consent, and how it is kept.

import { h } from "../../dom.js";
import { choice, group, line, number, optionalNumber } from "../../parts/editors.js";
import { prompt } from "../../parts/prompt.js";
import { capital, CONSENT, FORMAT } from "./words.js";

const KEYS = [..."1234567890*#"].map((key) => [key, key]);

/** An editor of the recording; null where there is none. */
export function recordingEditor(before) {
  const kinds = Object.entries(CONSENT).map(([name, words]) => [name, capital(words)]);
  const consent = choice("Recording of the call", [["", "No"], ...kinds], before?.consent ?? "", {
    onchange: show,
    hint: "Each side on a channel of its own. Which consent is needed is a matter of the law where people are called.",
  });
  const announcement = prompt("What is announced", before?.announcement);
  const key = choice("Key that agrees", KEYS, before?.key ?? "1");
  const wait = number("Seconds left to press it", before?.key_wait_seconds, 5, {
    min: 1,
    max: 60,
    hint: "After the announcement.",
  });
  const column = line("Column that says yes", before?.column, {
    required: true,
    maxlength: 100,
    hint: "Yes, y, true or 1 in the list; anything else is no.",
  });
  const format = choice("Kept as", Object.entries(FORMAT), before?.format ?? "wav");
  const days = optionalNumber("Kept for days", before?.keep_days, {
    min: 1,
    max: 3650,
    step: 1,
    hint: "Empty: as long as the configuration says.",
  });
  const chosen = (...kinds) => kinds.includes(consent.read());
  const editors = {
    consent,
    announcement: { ...announcement, read: () => (chosen("announced", "key") ? announcement.read() : null) },
    key: { ...key, read: () => (chosen("key") ? key.read() : undefined) },
    key_wait_seconds: { ...wait, read: () => (chosen("key") ? wait.read() : undefined) },
    column: { ...column, read: () => (chosen("column") ? column.read() : null) },
    format,
    keep_days: days,
  };
  const panel = h("div", { class: "stack" });
  function show() {
    const wanted = [...(chosen("key") ? [key, wait] : []), ...(chosen("column") ? [column] : []), format, days];
    panel.hidden = chosen("");
    panel.replaceChildren(
      chosen("announced", "key") ? announcement.element : "",
      h("div", { class: "fields" }, wanted.map((one) => one.element)),
    );
  }
  show();
  const all = group(editors, before);
  return {
    element: h("div", { class: "stack" }, h("div", { class: "fields" }, consent.element), panel),
    read: () => (chosen("") ? null : all.read()),
    place(path) {
      const control = path.length ? all.place(path) : null;
      return control?.isConnected ? control : consent.control;
    },
  };
}
