// Calling hours as rows of weekdays, from and to, which can be added and taken out.

import { h } from "../dom.js";
import { DAYS } from "../words.js";
import { button } from "./bits.js";
import * as fields from "./fields.js";

const NEW = { days: ["sat"], from: "10:00", to: "14:00" };

export function windowRows(windows) {
  const rows = h("div", { class: "windows" }, windows.map(row));
  return h(
    "div",
    { class: "stack" },
    rows,
    h(
      "div",
      { class: "buttons" },
      button("Add hours", {
        picture: "plus",
        small: true,
        onclick: () => {
          const added = row(NEW);
          rows.append(added);
          added.querySelector("input").focus();
        },
      }),
    ),
  );
}

function row(one) {
  const shown = h(
    "div",
    { class: "window-row" },
    fields.chips("window_days", "Days", Object.entries(DAYS), one.days, { classes: "days" }),
    fields.text("window_from", "From", { value: one.from, pattern: "[0-2][0-9]:[0-5][0-9]", maxlength: 5 }),
    fields.text("window_to", "To", { value: one.to, pattern: "[0-2][0-9]:[0-5][0-9]", maxlength: 5 }),
    button("", {
      picture: "trash",
      tone: "plain",
      label: "Take these hours out",
      onclick: () => {
        const next = shown.parentNode.nextElementSibling;
        shown.remove();
        next.querySelector("button").focus();
      },
    }),
  );
  return shown;
}

/** Return the windows of a form as the API wants them. */
export function readWindows(form) {
  return [...form.querySelectorAll(".window-row")].map((shown) => ({
    days: fields.checked(shown, "window_days"),
    from: shown.querySelector('[name="window_from"]').value.trim(),
    to: shown.querySelector('[name="window_to"]').value.trim(),
  }));
}
