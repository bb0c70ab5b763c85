// What can be done to a campaign, each with the question that it deserves.

import { del, get, post, postOnce } from "../api.js";
import { h } from "../dom.js";
import { count, plural } from "../format.js";
import { ask, show } from "../parts/dialog.js";
import * as fields from "../parts/fields.js";
import { note } from "../parts/states.js";
import { toast } from "../parts/toast.js";
import { listPicker, listReport, sendList } from "../parts/upload.js";
import { go } from "../router.js";
import { CALL_STATUSES, REQUEUED_STATUSES } from "../words.js";

const path = (campaign) => `/v1/campaigns/${campaign.id}`;

async function told(work, said) {
  try {
    await work();
    toast(said);
  } catch (error) {
    await show({ title: "This was refused", content: note("bad", error.message) });
  }
}

export const start = (campaign) => told(() => post(`${path(campaign)}/start`), `${campaign.name} started`);
export const pause = (campaign) =>
  told(() => post(`${path(campaign)}/pause`), `${campaign.name} paused; calls that are up run to their end`);
export const resume = (campaign) => told(() => post(`${path(campaign)}/resume`), `${campaign.name} resumed`);

export function finish(campaign, live) {
  return ask({
    title: `Finish ${campaign.name}?`,
    text: "A finished campaign makes no more calls and cannot be started again. Numbers that were never called become Not dialed.",
    fields: live
      ? h(
          "fieldset",
          { class: "stack-tight" },
          h("legend", { class: "label" }, live === 1 ? "One call is up" : `${plural(live, "call")} are up`),
          fields.check("hang_up", "Let them run to their end", { type: "radio", value: "no", checked: true }),
          fields.check("hang_up", "Hang up now", { type: "radio", value: "yes" }),
        )
      : [],
    confirm: "Finish",
    tone: "danger-solid",
    submit: async (form) => {
      await post(`${path(campaign)}/finish`, { hang_up: form.elements.hang_up?.value === "yes" });
      toast(`${campaign.name} finished`);
    },
  });
}

export function remove(campaign) {
  const launched = !["draft", "finished"].includes(campaign.status);
  return ask({
    title: `Delete ${campaign.name}?`,
    text: `${launched ? "It is finished first. " : ""}The campaign is gone from every list. Its calls stay readable under Dialogs. This cannot be undone.`,
    confirm: "Delete",
    tone: "danger-solid",
    submit: async () => {
      await del(path(campaign));
      toast(`${campaign.name} deleted`);
      go("/campaigns", { replace: true });
    },
  });
}

export function clone(campaign) {
  return ask({
    title: "Clone",
    text: "A new draft with the same settings.",
    fields: [
      fields.text("name", "Name", { value: `${campaign.name} (copy)`, required: true }),
      fields.select("numbers", "Numbers", [
        ["none", "None"],
        ["all", "All numbers"],
        ["not_answered", "Those that were not answered"],
      ]),
    ],
    confirm: "Clone",
    submit: async (form) => {
      const made = await postOnce(`${path(campaign)}/clone`, {
        name: form.elements.name.value.trim(),
        numbers: form.elements.numbers.value,
      });
      toast(`Draft made with ${plural(made.numbers_added, "number")}`);
      go(`/campaigns/${made.id}`);
    },
  });
}

export function requeue(campaign) {
  const calls = Object.fromEntries(campaign.counts.map((one) => [one.status, one.calls]));
  return ask({
    title: "Requeue calls",
    text: "Calls that are over are planned anew and called as soon as their hours allow. Answered ones never are.",
    fields: h(
      "fieldset",
      { class: "stack-tight" },
      h("legend", { class: "label" }, "Which calls"),
      REQUEUED_STATUSES.map((status) =>
        fields.check("statuses", `${CALL_STATUSES[status]} (${count(calls[status])})`, { value: status }),
      ),
    ),
    confirm: "Requeue",
    submit: async (form) => {
      const done = await post(`${path(campaign)}/requeue`, { statuses: fields.checked(form, "statuses") });
      toast(`${plural(done.requeued, "call")} planned anew`);
    },
  });
}

export async function addNumbers(campaign) {
  const list = listPicker(`${path(campaign)}/numbers`, { dry_run: true });
  const typed = fields.area("numbers", "Or write numbers", {
    hint: "One a line, with country code, as +4930123456.",
    rows: 3,
  });
  const added = await ask({
    title: "Add numbers",
    fields: [list.element, typed],
    confirm: "Add",
    wide: true,
    submit: async (form) => {
      const file = list.file();
      if (file) return sendList(`${path(campaign)}/numbers`, file);
      return postOnce(`${path(campaign)}/numbers`, fields.parts(form.elements.numbers.value));
    },
  });
  if (added) await show({ title: "Numbers added", content: listReport(added, "list"), wide: true });
}

export async function removeNumbers(campaign) {
  const imports = await get(`${path(campaign)}/imports`, { limit: 100 });
  const options = imports.items.map((one) => [
    String(one.id),
    `${one.file_name || "Numbers sent by API"}, ${plural(one.added, "number")}`,
  ]);
  const removed = await ask({
    title: "Remove numbers",
    text: "Numbers that were never called are taken out of the campaign. All others stay, with their records.",
    fields: [
      fields.area("numbers", "Numbers", { hint: "One a line, as the calls show them.", rows: 4 }),
      options.length ? fields.select("import_id", "Or a whole list", [["", "None"], ...options]) : [],
    ],
    confirm: "Remove",
    tone: "danger-solid",
    submit: (form) => {
      const list = form.elements.import_id?.value;
      const what = list ? { import_id: Number(list) } : { numbers: fields.parts(form.elements.numbers.value) };
      return post(`${path(campaign)}/numbers/remove`, what);
    },
  });
  if (!removed) return;
  const kept = removed.kept_calls.slice(0, 20);
  await show({
    title: "Numbers removed",
    content: h(
      "div",
      { class: "stack" },
      h("p", null, `${plural(removed.removed, "number")} removed, ${count(removed.kept)} kept.`),
      kept.length ? h("ul", null, kept.map((one) => h("li", null, `${one.phone}: ${one.reason}`))) : null,
    ),
  });
}
