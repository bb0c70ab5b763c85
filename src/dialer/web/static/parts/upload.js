// Choosing a list, checking it without writing anything, and what the check found.

import { ask } from "../api.js";
import { h } from "../dom.js";
import { count, plural } from "../format.js";
import { button, figures } from "./bits.js";
import { icon } from "./icons.js";
import { note } from "./states.js";
import { table } from "./table.js";

const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
let counter = 0;

/** Send a list as it is on the disk; the service tells its kind by what is in it. */
export function sendList(path, file, query = {}) {
  return ask("POST", path, {
    body: file,
    type: file.name.toLowerCase().endsWith(".xlsx") ? XLSX : "text/csv",
    query: { ...query, file_name: file.name },
  });
}

/** A place to choose or drop a file, which is checked at `checkPath` at once.
 *
 * Returns the element, and `file()`: the chosen file, null where none is or the check refused it.
 */
export function listPicker(checkPath, query = {}) {
  const id = `list-${++counter}`;
  let chosen = null;
  const report = h("div", { class: "stack", "aria-live": "polite" });
  const name = h("strong", null, "Choose a CSV or XLSX file, or drop it here");
  const input = h("input", {
    type: "file",
    id,
    class: "hidden",
    accept: `.csv,.txt,.xlsx,text/csv,${XLSX}`,
    onchange: () => take(input.files[0]),
  });
  const drop = h(
    "label",
    {
      class: "drop",
      for: id,
      ondragover: (event) => {
        event.preventDefault();
        drop.dataset.over = "";
      },
      ondragleave: () => delete drop.dataset.over,
      ondrop: (event) => {
        event.preventDefault();
        delete drop.dataset.over;
        take(event.dataTransfer.files[0]);
      },
    },
    icon("upload"),
    name,
    h("span", { class: "muted small" }, "The first column, or the one named phone, has the numbers. Other columns go along with each call."),
    input,
  );

  async function take(file) {
    if (!file) return;
    chosen = null;
    name.textContent = file.name;
    report.replaceChildren(h("p", { class: "muted" }, `Checking ${file.name} …`));
    try {
      const found = await sendList(checkPath, file, query);
      chosen = file;
      report.replaceChildren(listReport(found, file.name));
    } catch (error) {
      report.replaceChildren(note("bad", error.message));
    }
    input.value = "";
  }

  return { element: h("div", { class: "stack" }, drop, report), file: () => chosen };
}

/** What became, or would become, of a list. */
export function listReport(found, fileName) {
  const skipped = [
    ...found.rejected_rows.map((row) => ({ ...row })),
    ...found.duplicate_rows.map((row) => ({ ...row, reason: "is in the list or campaign already" })),
  ].sort((one, other) => one.line - other.line);
  const cut = found.rejected_rows_truncated || found.duplicate_rows_truncated;
  return h(
    "div",
    { class: "stack" },
    figures([
      [found.dry_run ? "would be added" : "added", count(found.added)],
      ["duplicates skipped", count(found.duplicates)],
      ["rows rejected", count(found.rejected)],
    ]),
    h("p", { class: "muted small" }, `Read as ${found.format}.`),
    found.undialable
      ? note("warn", `${plural(found.undialable, "number")} cannot exist; they go in and end as invalid without a call.`)
      : null,
    skipped.length
      ? h(
          "details",
          { class: "more" },
          h("summary", null, cut ? `The first ${skipped.length} skipped rows` : plural(skipped.length, "skipped row")),
          h(
            "div",
            { class: "stack" },
            table({
              caption: "Skipped rows",
              columns: [
                { name: "Line", number: true, cell: (row) => String(row.line) },
                { name: "Number", cell: (row) => row.phone },
                { name: "Reason", cell: (row) => row.reason },
              ],
              rows: skipped,
            }),
            h(
              "div",
              { class: "buttons" },
              found.import_id
                ? h(
                    "a",
                    { class: "button button-small", href: `/v1/imports/${found.import_id}/skipped.csv`, download: "" },
                    icon("download"),
                    "Download all skipped rows",
                  )
                : button("Download these rows", {
                    picture: "download",
                    small: true,
                    onclick: () => save(`skipped-${fileName}.csv`, csv(skipped)),
                  }),
            ),
          ),
        )
      : null,
  );
}

function csv(rows) {
  const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const lines = rows.map((row) => [row.line, row.phone, row.reason].map(quoted).join(","));
  return ["line,phone,reason", ...lines, ""].join("\r\n");
}

function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
