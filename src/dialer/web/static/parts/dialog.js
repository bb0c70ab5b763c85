// Questions to a person, as <dialog>: the browser keeps the focus in it, and Escape closes it.

import { h } from "../dom.js";
import { button } from "./bits.js";
import { note } from "./states.js";

let counter = 0;

/** Open a form in a dialog.
 *
 * `fields` are its content; `submit(form)` does the work and may throw Problem, which is shown in
 * the dialog, beside the field that it is about where there is one. Resolves with what `submit`
 * returned, or undefined where the person closed it.
 */
export function ask({ title, text, fields = [], confirm, tone = "primary", wide = false, submit }) {
  return new Promise((resolve) => {
    const id = `dialog-${++counter}`;
    let result;
    const problems = h("div", { role: "alert" });
    const go = button(confirm, { tone, type: "submit" });
    const form = h(
      "form",
      {
        class: "dialog-form",
        method: "dialog",
        novalidate: true,
        onsubmit: async (event) => {
          event.preventDefault();
          go.disabled = true;
          try {
            result = await submit(form);
            dialog.close();
          } catch (error) {
            showProblem(form, problems, error);
          } finally {
            go.disabled = false;
          }
        },
      },
      h("h2", { id }, title),
      text ? h("p", { class: "muted" }, text) : null,
      problems,
      fields,
      h("div", { class: "buttons" }, button("Cancel", { onclick: () => dialog.close() }), go),
    );
    const dialog = h("dialog", { class: wide ? "dialog-wide" : null, "aria-labelledby": id }, form);
    open(dialog, () => resolve(result));
  });
}

/** Show something in a dialog that has only to be closed. */
export function show({ title, content, wide = false }) {
  const id = `dialog-${++counter}`;
  const dialog = h(
    "dialog",
    { class: wide ? "dialog-wide" : null, "aria-labelledby": id },
    h(
      "form",
      { class: "dialog-form", method: "dialog" },
      h("h2", { id }, title),
      content,
      h("div", { class: "buttons" }, button("Close", { type: "submit", tone: "primary" })),
    ),
  );
  return new Promise((resolve) => open(dialog, resolve));
}

function open(dialog, closed) {
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus?.();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** Show a refusal above a form, and each of its faults at the field with that `name`. */
export function showProblem(form, place, error) {
  for (const old of form.querySelectorAll(".fault")) old.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  const unplaced = [];
  let first = null;
  for (const fault of error.errors ?? []) {
    const name = fault.pointer.split("/")[1] ?? fault.pointer;
    const field = form.querySelector(`[name="${CSS.escape(name)}"]`);
    if (!field || !field.closest(".field")) {
      unplaced.push(fault);
      continue;
    }
    const id = `fault-${++counter}`;
    field.closest(".field").append(h("p", { class: "fault", id }, fault.detail));
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
    first ??= field;
  }
  const placed = first !== null && unplaced.length === 0;
  place.replaceChildren(
    note("bad", placed ? "Some of this does not fit; it is said beside each field." : error.message),
  );
  if (first) first.focus();
  else place.scrollIntoView({ block: "nearest" });
}
