// What is done upon keys: fields for the record, the do-not-call list, a prompt, and what comes then.

import { h } from "../../dom.js";
import { choice, group, line, toggle } from "../../parts/editors.js";
import { fold } from "../../parts/folds.js";
import { pairs, typedValue } from "../../parts/pairs.js";
import { prompt } from "../../parts/prompt.js";
import { sentence, steps } from "./words.js";

/** An editor of a branch that folds to a line.
 *
 * `keys` is its pattern, null of what is done otherwise. `menu(before)` makes the editor of a menu
 * below, null where menus are as deep as they may be. `picker` makes a choice among the targets of
 * transfers. `remove` takes the branch out.
 */
export function branchEditor(keys, before, { menu, picker, remove, open = false }) {
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
    transfer: picker(before.transfer),
    ...then.editors,
  };
  const all = group(editors, before);
  const typed = () => pattern?.read().toUpperCase();
  const { element } = fold({
    kind: "branch",
    title: () => (pattern ? `Key ${typed() || "?"}` : "Otherwise"),
    words: () => sentence(steps(all.read()).join(", ")),
    body: [
      pattern ? h("div", { class: "fields" }, pattern.element) : null,
      editors.set.element,
      editors.opt_out.element,
      editors.prompt.element,
      h("div", { class: "fields" }, editors.transfer.element, then.choice),
      then.element,
    ],
    taking: () => `key ${typed() || "?"}`,
    remove,
    open,
  });
  return {
    element,
    name: pattern,
    key: typed,
    read: all.read,
    names: then.names,
    place: (path) => (path.length ? all.place(path) : null) ?? pattern?.control ?? editors.prompt.place([]),
  };
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
    choice: kind.element,
    element: place,
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
