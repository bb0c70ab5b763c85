// One receiver: how it fares, what was sent to it, and what can be sent again.

import { del, get, patch, post, postOnce, url } from "../api.js";
import { h } from "../dom.js";
import { plural } from "../format.js";
import { badge, button, card, facts, pageHead, when } from "../parts/bits.js";
import { ask, show } from "../parts/dialog.js";
import { checked, chips } from "../parts/fields.js";
import { showSecret } from "../parts/secret.js";
import { empty, note } from "../parts/states.js";
import { pager, table } from "../parts/table.js";
import { toast } from "../parts/toast.js";
import { go } from "../router.js";
import { may } from "../session.js";
import { readWebhook, state, webhookFields } from "./webhooks.js";

const STATUSES = { pending: ["Pending", "info"], delivered: ["Delivered", "good"], dead: ["Dead", "bad"] };

export function webhook({ parameters, query, refresh }) {
  const path = `/webhooks/${parameters.id}`;
  const api = `/v1${path}`;
  const status = query.get("status");
  const cursor = query.get("cursor");
  return {
    title: "Webhook",
    every: 5000, // what is delivered is no event of its own
    async load(signal) {
      const [one, deliveries] = await Promise.all([
        get(api, {}, signal),
        get(`${api}/deliveries`, { status, cursor, limit: 25 }, signal),
      ]);
      return { one, deliveries };
    },
    render: ({ one, deliveries }) =>
      h(
        "div",
        { class: "page" },
        pageHead({
          title: one.url,
          crumb: ["Webhooks", "/webhooks"],
          beside: state(one),
          line: one.description || null,
          actions: actions(api, one, refresh),
        }),
        one.disabled_reason ? note("bad", `Disabled: ${one.disabled_reason}`) : null,
        card("Receiver", facts(about(one))),
        card("Deliveries", [filter(path, status), deliveryTable(path, { status }, cursor, deliveries, refresh)]),
      ),
  };
}

function about(one) {
  return [
    ["Events", one.kinds.join(", ") || "all"],
    ["Whose", one.of_campaigns ? "the campaigns' that have its address" : "the account's"],
    ["Failures in a row", String(one.failures)],
    ["Left alone until", one.open_until ? when(one.open_until) : null],
    ["Disabled since", one.disabled_at ? when(one.disabled_at) : null],
    ["Since", when(one.created_at)],
  ];
}

function filter(path, status) {
  const options = Object.entries(STATUSES).map(([slug, [words]]) => [slug, words]);
  const choose = (event) => {
    // one at a time: the one that was just ticked
    const found = checked(event.currentTarget.closest("fieldset"), "status").filter((one) => one !== status);
    go(url(path, { status: found[0] }));
  };
  return chips("status", "Status", options, status ? [status] : [], { onchange: choose, hideLegend: true });
}

function deliveryTable(path, query, cursor, page, refresh) {
  if (!page.items.length) {
    return empty({ picture: "hook", title: "Nothing here", text: "Events that are sent, or wait to be, stand here." });
  }
  const again = (one) => done(() => post(`/v1/webhooks/deliveries/${one.id}/resend`), "It is sent again", refresh);
  const columns = [
    { name: "Event", head: true, cell: (one) => [one.kind, h("span", { class: "sub" }, subject(one))] },
    { name: "Status", cell: (one) => badge(...STATUSES[one.status]) },
    { name: "Attempts", number: true, cell: (one) => String(one.attempts) },
    { name: "Answer", cell: (one) => one.problem || (one.answer_status ? String(one.answer_status) : "–") },
    { name: "Last try", cell: (one) => when(one.last_attempt_at) },
    { name: "Next try", cell: (one) => when(one.next_attempt_at) },
    {
      name: "Again",
      quiet: true,
      cell: (one) =>
        may("operator") && one.status !== "pending"
          ? button("Send again", { small: true, label: `Send delivery ${one.id} again`, onclick: () => again(one) })
          : null,
    },
  ];
  return [
    table({ caption: "Deliveries, newest first", columns, rows: page.items, key: (one) => one.id }),
    pager(path, query, cursor, page.next_cursor),
  ];
}

function subject(one) {
  if (one.call_id) return h("a", { href: `/calls/${one.call_id}` }, `Call ${one.call_id}`);
  return one.campaign_id ? h("a", { href: `/campaigns/${one.campaign_id}` }, `Campaign ${one.campaign_id}`) : null;
}

async function done(work, said, refresh) {
  try {
    const result = await work();
    toast(typeof said === "function" ? said(result) : said);
  } catch (error) {
    await show({ title: "This was refused", content: note("bad", error.message) });
  }
  await refresh();
}

function actions(api, one, refresh) {
  const test = () => done(() => post(`${api}/test`), "A test event is on its way", refresh);
  const resend = () => done(() => post(`${api}/resend`), (found) => `${plural(found.resent, "dead delivery", "dead deliveries")} sent again`, refresh);
  return [
    may("operator") && one.enabled ? button("Test", { picture: "play", onclick: test }) : null,
    may("operator") && one.enabled ? button("Resend dead ones", { picture: "repeat", onclick: resend }) : null,
    may("admin") && !one.of_campaigns ? ownerActions(api, one, refresh) : null,
  ];
}

function ownerActions(api, one, refresh) {
  return [
    button("New secret", { picture: "copy", onclick: () => renew(api) }),
    button("Change", { picture: "edit", onclick: () => change(api, one).then(refresh) }),
    button("Delete", { picture: "trash", tone: "danger", onclick: () => remove(api, one) }),
  ];
}

async function renew(api) {
  const made = await ask({
    title: "New signing secret?",
    text: "The former one signs too for a day, so that the receiver can change over.",
    confirm: "Make it",
    submit: () => postOnce(`${api}/secret`),
  });
  if (made) await showSecret("Its signing secret", made.secret);
}

function change(api, one) {
  return ask({
    title: "Change the webhook",
    fields: webhookFields(one),
    confirm: "Save",
    submit: async (form) => {
      await patch(api, readWebhook(form));
      toast("Webhook saved");
    },
  });
}

function remove(api, one) {
  return ask({
    title: "Delete the webhook?",
    text: `${one.url} gets nothing more, and its deliveries are gone. This cannot be undone.`,
    confirm: "Delete",
    tone: "danger-solid",
    submit: async () => {
      await del(api);
      toast("Webhook deleted");
      go("/webhooks", { replace: true });
    },
  });
}
