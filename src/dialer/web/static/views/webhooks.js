// The receivers of the account's events.

import { get, postOnce } from "../api.js";
import { h } from "../dom.js";
import { badge, button, pageHead, when } from "../parts/bits.js";
import { ask } from "../parts/dialog.js";
import * as fields from "../parts/fields.js";
import { showSecret } from "../parts/secret.js";
import { empty } from "../parts/states.js";
import { pager, table } from "../parts/table.js";
import { may } from "../session.js";

const PATH = "/webhooks";

export function webhooks({ query, refresh }) {
  const cursor = query.get("cursor");
  return {
    title: "Webhooks",
    load: (signal) => get("/v1/webhooks", { cursor, limit: 50 }, signal),
    render: (page) =>
      h(
        "div",
        { class: "page" },
        pageHead({
          title: "Webhooks",
          line: "What happens to campaigns and calls, sent to programs of yours, signed and in order.",
          actions: may("admin") ? actions(refresh) : [],
        }),
        h(
          "div",
          { class: "card" },
          page.items.length
            ? table({ caption: "Receivers, newest first", columns: COLUMNS, rows: page.items, key: (one) => one.id })
            : empty({
                picture: "hook",
                title: "Nobody receives events",
                text: "Add the address of a program that takes them, or give a campaign a webhook address of its own.",
              }),
          pager(PATH, {}, cursor, page.next_cursor),
        ),
      ),
  };
}

const COLUMNS = [
  {
    name: "Address",
    head: true,
    cell: (one) => [
      h("a", { href: `${PATH}/${one.id}` }, one.url),
      h("span", { class: "sub" }, one.of_campaigns ? "of campaigns that name it" : one.description),
    ],
  },
  { name: "State", cell: state },
  { name: "Events", cell: (one) => one.kinds.join(", ") || "all" },
  { name: "Failures in a row", number: true, cell: (one) => String(one.failures) },
  { name: "Since", cell: (one) => when(one.created_at) },
];

/** Whether a receiver gets anything now. */
export function state(one) {
  if (!one.enabled) return badge("Disabled", "bad");
  if (one.open_until && new Date(one.open_until) > new Date()) return badge("Left alone for a while", "warn");
  return one.failures ? badge("Failing", "warn") : badge("Works", "good");
}

/** The fields of a receiver. */
export function webhookFields(one) {
  return [
    fields.text("url", "Address", { type: "url", value: one.url, required: true, placeholder: "https://" }),
    fields.text("kinds", "Events", {
      value: one.kinds.join(", "),
      hint: "Such as call.answered or campaign.*, with commas between. Empty: all.",
    }),
    fields.text("description", "Description", { value: one.description, maxlength: 200 }),
    fields.check("enabled", "Send events", { checked: one.enabled }),
  ];
}

export function readWebhook(form) {
  const value = (name) => form.elements[name].value.trim();
  return {
    url: value("url"),
    kinds: fields.parts(value("kinds")),
    description: value("description"),
    enabled: form.elements.enabled.checked,
  };
}

function actions(refresh) {
  const add = async () => {
    const made = await ask({
      title: "New webhook",
      fields: webhookFields({ url: "", kinds: [], description: "", enabled: true }),
      confirm: "Add",
      submit: (form) => postOnce("/v1/webhooks", readWebhook(form)),
    });
    await refresh();
    if (made) await showSecret("Its signing secret", made.secret, "The receiver checks each event with it.");
  };
  const renew = async () => {
    const made = await ask({
      title: "New secret for campaigns' webhooks?",
      text: "It signs what goes to the addresses that campaigns name. The former one signs too for a day.",
      confirm: "Make it",
      submit: () => postOnce("/v1/account/webhook-secret"),
    });
    if (made) await showSecret("The account's signing secret", made.secret);
  };
  return [
    button("Campaigns' secret", { picture: "repeat", onclick: renew }),
    button("New webhook", { picture: "plus", tone: "primary", onclick: add }),
  ];
}
