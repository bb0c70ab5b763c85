// Questions to a person, as <dialog>: the browser keeps the focus in it, and Escape closes it.

import { h } from "../dom.js";
import { button } from "./bits.js";
import { note } from "./states.js";

let counter = 0;

/** Open a form in a dialog.
 *
 * `fields` are its content; `submit(form)` does the work and may throw Problem, which is shown in
 * the dialog, beside the field that it is about where there is one: `place` as of showProblem. With `guarded`, Escape
 * asks first where something was typed. Resolves with what `submit`
 * returned, or undefined where the person closed it.
 */
export function ask({ title, text, fields = [], confirm, tone = "primary", wide = false, guarded = false, place, submit }) {
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
            showProblem(form, problems, error, place);
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
    if (guarded) guard(dialog, form);
    open(dialog, () => resolve(result));
  });
}

function guard(dialog, form) {
  let typed = false;
  for (const type of ["input", "change"]) form.addEventListener(type, () => (typed = true));
  dialog.addEventListener("cancel", (event) => {
    if (!typed || event.target !== dialog) return;
    event.preventDefault();
    const question = { title: "Leave without saving?", text: "What you have typed is lost.", fields: [], tone: "danger-solid" };
    ask({ ...question, confirm: "Leave", submit: () => dialog.close() });
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

/** Show a refusal above a form, and each of its faults at its field.
 *
 * `placed(path)` returns the control for the parts of a fault's JSON pointer; without it, or where
 * it knows none, it is the one with that `name`. A Mistake brings its control with it.
 */
export function showProblem(form, place, error, placed = () => null) {
  forget(form);
  const faults = error.control ? [{ control: error.control, detail: error.message }] : found(form, error, placed);
  const seen = faults.filter((fault) => fault.control);
  for (const { control, detail } of seen) mark(control, detail);
  const said = seen.length && seen.length === faults.length;
  place.replaceChildren(
    note("bad", said ? "Some of this does not fit; it is said beside each field." : error.message, error.action),
  );
  if (seen.length) seen[0].control.focus();
  else place.scrollIntoView({ block: "nearest" });
}

function found(form, error, placed) {
  return (error.errors ?? []).map(({ pointer, detail }) => {
    const path = pointer.split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (path.length > 1) path.shift(); // the empty one before the first slash
    const control = placed(path) ?? form.querySelector(`[name="${CSS.escape(path[0])}"]`);
    return { detail, control: control?.closest(".field, .check") ? control : null };
  });
}

function mark(control, detail) {
  const id = `fault-${++counter}`;
  for (let fold = control.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  control.closest(".field, .check").append(h("p", { class: "fault", id }, detail));
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", [...describedBy(control), id].join(" "));
}

const describedBy = (control) => (control.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);

function forget(form) {
  for (const old of form.querySelectorAll(".fault")) old.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const hints = describedBy(control).filter((id) => !id.startsWith("fault-"));
    if (hints.length) control.setAttribute("aria-describedby", hints.join(" "));
    else control.removeAttribute("aria-describedby");
  }
}
