// Who answered: a person, a machine, a fax or nobody, and what is done upon each.

import { h } from "../../dom.js";
import { choice, group, number, optionalLine, toggle } from "../../parts/editors.js";
import { PROMPTS } from "../../parts/prompt.js";
import { FAX, MACHINE, SILENCE } from "./words.js";

/** What is measured: [key, label, usual, least, most, step]. */
export const TIMINGS = [
  ["initial_silence_seconds", "Silence that means nobody (s)", 3, 0.5, 20],
  ["greeting_seconds", "Greeting that means a machine (s)", 1.8, 0.5, 10],
  ["words", "Most words of a person's greeting", 6, 1, 50, 1],
  ["silence_after_greeting_seconds", "Silence after a person's hello (s)", 0.7, 0.3, 5],
  ["analysis_seconds", "Decision at the latest (s)", 6, 1, 30],
  ["silence_for_message_seconds", "Silence that stands for a beep (s)", 3, 0.5, 20],
];

/** An editor of machine detection; null where it never was switched on. */
export function machineEditor(before) {
  const on = toggle("Find out first whether a person has answered", before ? (before.enabled ?? true) : false, {
    onchange: show,
    hint: "Meanwhile the far end hears silence; a person is known some 0.8 seconds after a hello.",
  });
  const message = optionalLine("Message after the beep", before?.message, { list: PROMPTS, hint: "An audio file in the folder of prompts." });
  const machine = choice("A machine answers", Object.entries(MACHINE), before?.machine ?? "hang_up", { onchange: show });
  const timings = TIMINGS.map(([key, label, normal, min, max, step = "any"]) => [
    key,
    number(label, before?.[key], normal, { min, max, step }),
  ]);
  const editors = {
    machine,
    message,
    fax: choice("A fax answers", Object.entries(FAX), before?.fax ?? "hang_up"),
    silence: choice("Nobody says anything", Object.entries(SILENCE), before?.silence ?? "hang_up"),
    ...Object.fromEntries(timings),
  };
  const details = h(
    "div",
    { class: "stack" },
    h("div", { class: "fields" }, [machine, message, editors.fax, editors.silence].map((one) => one.element)),
    h(
      "details",
      { class: "more" },
      h("summary", null, "How it is decided"),
      h("div", { class: "fields" }, timings.map(([, one]) => one.element)),
    ),
  );
  function show() {
    details.hidden = !on.read();
    message.element.hidden = machine.read() !== "leave_message";
  }
  show();
  const all = group({ enabled: on, ...editors }, before);
  return {
    element: h("div", { class: "stack" }, on.element, details),
    read: () => (before || on.read() ? all.read() : null),
    place: (path) => (path.length ? all.place(path) : null) ?? (message.element.hidden ? on.control : message.control),
  };
}
