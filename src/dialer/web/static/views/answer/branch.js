// What is done upon keys: fields for the record, the do-not-call list, a prompt, and what comes then.

import { h } from "../../dom.js";
import { button } from "../../parts/bits.js";
import { choice, group, line, Mistake, toggle } from "../../parts/editors.js";
import { pairs, typedValue } from "../../parts/pairs.js";
import { prompt } from "../../parts/prompt.js";
import { sentence, steps } from "./words.js";

/** An editor of a branch that folds to a line.
 *
 * `keys` is its pattern, null of what is done otherwise. `menu(before)` makes the editor of a menu
 * below, null where menus are as deep as they may be. `remove` takes the branch out.
 */
export function branchEditor(keys, before, { menu, remove, open = false }) {
  const pattern =
    keys === null
      ? null
      : line("Keys", keys, { maxlength: 33, autocapitalize: "characters", spellcheck: "false", required: true });
  const then = following(before, menu, keys !== null);
  const editors = {
    set: pairs("Notes for the record", before.set, {
      makeValue: typedValue,
      add: "Add a note",
      hint: "They stand in the report of the call.",
    }),
    opt_out: toggle("Put the number on the do-not-call list", before.opt_out ?? false, {
      hint: "No campaign of the account calls it again.",
    }),
    prompt: prompt("Then is heard", before.prompt, { nothing: "Nothing" }),
    ...then.editors,
  };
  const name = h("strong", null);
  const words = h("span", { class: "muted" });
  const all = group(editors, before);

  function told() {
    const typed = pattern?.read().toUpperCase();
    name.textContent = pattern ? `Key ${typed || "?"}` : "Otherwise";
    try {
      words.textContent = sentence(steps(all.read()).join(", "));
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      words.textContent = "Something in it does not fit.";
    }
    removing?.setAttribute("aria-label", `Take key ${typed || "?"} out`);
  }

  const removing = remove ? button("Take out", { picture: "trash", tone: "danger", small: true, onclick: () => remove(made) }) : null;
  const element = h(
    "details",
    { class: "branch", open, oninput: told, onchange: told },
    h("summary", null, name, words),
    h(
      "div",
      { class: "branch-body" },
      pattern ? h("div", { class: "fields" }, pattern.element) : null,
      editors.set.element,
      editors.opt_out.element,
      editors.prompt.element,
      then.element,
      removing ? h("div", { class: "buttons" }, removing) : null,
    ),
  );
  const made = {
    element,
    pattern,
    keys: () => pattern.read().toUpperCase(),
    read: all.read,
    names: then.names,
    place: (path) => (path.length ? all.place(path) : null) ?? pattern?.control ?? editors.prompt.place([]),
  };
  told();
  return made;
}

/** What comes after a branch: the end of the call, a menu below, or the same one again. */
function following(before, menu, mayRepeat) {
  const place = h("div", { class: "menu-below" });
  let made = null;
  // a select tells of its input before it tells of its change
  const below = () => (made ??= menu(before.menu ?? {}));
  const kind = choice(
    "And then",
    [
      ["end", "Hang up"],
      ...(menu || before.menu ? [["menu", "Go on with another menu"]] : []),
      ...(mayRepeat ? [["again", "Begin this menu again"]] : []),
    ],
    before.menu ? "menu" : before.again ? "again" : "end",
    { onchange: show },
  );
  function show() {
    const chosen = kind.read() === "menu";
    if (chosen) place.replaceChildren(below().element);
    place.hidden = !chosen;
  }
  show();
  return {
    element: h("div", { class: "stack" }, h("div", { class: "fields" }, kind.element), place),
    names: () => (kind.read() === "menu" ? below().names() : []),
    editors: {
      menu: {
        read: () => (kind.read() === "menu" ? below().read() : null),
        place: (path) => (kind.read() === "menu" ? below().place(path) : kind.control),
      },
      again: { read: () => kind.read() === "again", place: () => kind.control },
    },
  };
}
