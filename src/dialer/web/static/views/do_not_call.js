// Who is not called: numbers and beginnings of numbers.

import { ask as send, del, get, post, url } from "../api.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { badge, button, link, pageHead, when } from "../parts/bits.js";
import { ask, show } from "../parts/dialog.js";
import * as fields from "../parts/fields.js";
import { empty } from "../parts/states.js";
import { pager, table } from "../parts/table.js";
import { toast } from "../parts/toast.js";
import { go } from "../router.js";
import { may } from "../session.js";

const API = "/v1/do-not-call";
const PATH = "/do-not-call";
const SOURCES = { person: "a person", import: "a list", api: "the API or this page", callee: "the person called" };

export function doNotCall({ query, refresh }) {
  const number = query.get("number");
  const cursor = query.get("cursor");
  return {
    title: "Do not call",
    load: (signal) => get(API, number ? { number } : { cursor, limit: 50 }, signal),
    render: (page) =>
      h(
        "div",
        { class: "page" },
        pageHead({
          title: "Do not call",
          line: "Numbers on this list are never dialled, whatever a campaign's list says.",
          actions: actions(refresh),
        }),
        search(number),
        h(
          "div",
          { class: "card" },
          page.items.length
            ? table({ caption: "Do-not-call list", columns: columns(refresh), rows: page.items, key: (one) => one.id })
            : nothing(number),
          number ? null : pager(PATH, {}, cursor, page.next_cursor),
        ),
      ),
  };
}

function actions(refresh) {
  const done = (work) => async () => {
    await work();
    await refresh();
  };
  return [
    link("Export", `${API}/export.csv`, { picture: "download", download: "" }),
    may("operator") ? button("Import", { picture: "upload", onclick: done(importList) }) : null,
    may("operator") ? button("Add", { picture: "plus", tone: "primary", onclick: done(add) }) : null,
  ];
}

function search(number) {
  return h(
    "form",
    {
      class: "search",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        go(url(PATH, { number: event.currentTarget.elements.number.value.trim() }));
      },
    },
    h("input", {
      class: "input",
      type: "search",
      name: "number",
      value: number ?? "",
      placeholder: "+4930123456",
      "aria-label": "Is this number listed?",
      "data-bound": true,
    }),
    button("Look up", { type: "submit" }),
  );
}

function columns(refresh) {
  const found = [
    {
      name: "Number",
      head: true,
      cell: (one) => (one.kind === "prefix" ? [`${one.phone}…`, " ", badge("beginning")] : one.phone),
    },
    { name: "Reason", cell: (one) => one.reason || "–" },
    { name: "From", cell: (one) => SOURCES[one.source] },
    { name: "List", cell: (one) => (one.scope === "all" ? "of all accounts" : "the account's") },
    { name: "Since", cell: (one) => when(one.created_at) },
  ];
  if (!may("operator")) return found;
  const take = (one) =>
    one.scope === "all"
      ? null
      : button("Remove", { small: true, label: `Remove ${one.phone}`, onclick: () => remove(one).then(refresh) });
  return [...found, { name: "Remove", quiet: true, cell: take }];
}

function nothing(number) {
  if (number) {
    return empty({
      picture: "check",
      title: `${number} is not listed`,
      text: "It may be called, as far as these lists go.",
      actions: [link("Show the whole list", PATH)],
    });
  }
  return empty({
    picture: "ban",
    title: "Nobody is listed",
    text: "Add people who do not want to be called, one by one or as a CSV list. Who asks for it in a call goes here too.",
  });
}

function remove(one) {
  return ask({
    title: `Take ${one.phone} off the list?`,
    text: "From then on campaigns may call it.",
    confirm: "Remove",
    tone: "danger-solid",
    submit: async () => {
      await del(API, { phone: one.phone, kind: one.kind });
      toast(`${one.phone} may be called again`);
    },
  });
}

function add() {
  return ask({
    title: "Add to the list",
    fields: [
      fields.text("phone", "Number", { required: true, placeholder: "+4930123456" }),
      fields.select("kind", "What it is", [
        ["number", "One number"],
        ["prefix", "All numbers that begin so"],
      ]),
      fields.text("reason", "Reason", { maxlength: 500 }),
    ],
    confirm: "Add",
    submit: async (form) => {
      const value = (name) => form.elements[name].value.trim();
      const found = await post(API, [{ phone: value("phone"), kind: value("kind"), reason: value("reason") }]);
      refuseRejected(found);
      toast(found.added ? `${value("phone")} is not called any more` : `${value("phone")} was listed already`);
    },
  });
}

function refuseRejected(found) {
  if (!found.rejected) return;
  const { reason } = found.rejected_rows[0];
  throw Object.assign(new Error(reason), { status: 422, errors: [{ pointer: "/phone", detail: reason }] });
}

async function importList() {
  const found = await ask({
    title: "Import a list",
    text: "A CSV file with the column phone, and if wanted kind (number or prefix) and reason.",
    fields: fields.text("file", "File", { type: "file", accept: ".csv,text/csv", required: true }),
    confirm: "Import",
    submit: async (form) => {
      const [file] = form.elements.file.files;
      if (!file) throw Object.assign(new Error("Choose a file."), { errors: [{ pointer: "/file", detail: "Choose a file." }] });
      return send("POST", API, { body: file, type: "text/csv" });
    },
  });
  if (!found) return;
  await show({
    title: "List imported",
    content: h(
      "div",
      { class: "stack" },
      h("p", null, `${plural(found.added, "entry", "entries")} added, ${plural(found.already_listed, "was", "were")} listed already, ${plural(found.rejected, "row")} rejected.`),
      h("ul", null, found.rejected_rows.slice(0, 20).map((row) => h("li", null, `Line ${row.line}, ${row.phone}: ${row.reason}`))),
    ),
  });
}
