// Tables with a caption, whose rows become small cards on a phone, and their pages.

import { h } from "../dom.js";
import { go } from "../router.js";
import { url } from "../api.js";
import { button } from "./bits.js";

/** Return a table.
 *
 * `columns`: {name, cell(row), number, head, quiet, minor}: `head` makes the row's header cell of
 * it, of a `quiet` one the name is only spoken, a `minor` one has no room on a phone.
 * The roles are said once more, since the cards of a phone are no table to a browser.
 */
export function table({ caption, columns, rows, key }) {
  return h(
    "div",
    { class: "table-wrap", role: "region", "aria-label": caption, tabindex: "0" },
    h(
      "table",
      { class: "reflow", role: "table" },
      h("caption", { class: "hidden" }, caption),
      h(
        "thead",
        { role: "rowgroup" },
        h(
          "tr",
          { role: "row" },
          columns.map((column) =>
            h(
              "th",
              { scope: "col", role: "columnheader", class: column.number ? "number" : null },
              column.quiet ? h("span", { class: "hidden" }, column.name) : column.name,
            ),
          ),
        ),
      ),
      h(
        "tbody",
        { role: "rowgroup" },
        rows.map((row) =>
          h("tr", { role: "row", "data-key": key ? `row-${key(row)}` : null }, columns.map((column) => cell(column, row))),
        ),
      ),
    ),
  );
}

function cell(column, row) {
  const content = column.cell(row);
  const nothing = content === null || content === undefined || content === "" || content === "–";
  if (column.head) return h("th", { scope: "row", role: "rowheader" }, content);
  return h(
    "td",
    {
      role: "cell",
      class: column.number ? "number" : null,
      "data-label": column.quiet ? null : column.name,
      "data-empty": nothing,
      "data-minor": column.minor,
    },
    content,
  );
}

/** Links to the next page and back to the first; nothing where one page is all. */
export function pager(path, query, cursor, next) {
  if (!cursor && !next) return null;
  const back = () => (history.state?.paged ? history.back() : go(url(path, query)));
  return h(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    cursor ? button("Previous page", { small: true, onclick: back }) : h("span", null),
    next
      ? h("a", { class: "button button-small", href: url(path, { ...query, cursor: next }) }, "Next page")
      : h("span", null, "End of the list"),
  );
}
