// The account: its plan and what is used of it, and its tokens.

import { del, get, postOnce } from "../api.js";
import { h } from "../dom.js";
import { count, date, plural } from "../format.js";
import { usage } from "../parts/bars.js";
import { badge, button, card, facts, pageHead, when } from "../parts/bits.js";
import { ask } from "../parts/dialog.js";
import * as fields from "../parts/fields.js";
import { showSecret } from "../parts/secret.js";
import { empty, note } from "../parts/states.js";
import { table } from "../parts/table.js";
import { toast } from "../parts/toast.js";
import { may } from "../session.js";
import { ROLES } from "../words.js";

const PERIODS = { day: "each day", week: "each week", month: "each month" };

export function account({ refresh }) {
  return {
    title: "Account",
    every: 10000,
    async load(signal) {
      const [own, tokens] = await Promise.all([
        get("/v1/account", {}, signal),
        may("admin") ? get("/v1/tokens", {}, signal) : null,
      ]);
      return { own, tokens };
    },
    render: ({ own, tokens }) =>
      h(
        "div",
        { class: "page" },
        pageHead({ title: own.settings.name, beside: badge(`Account ${own.id}`) }),
        card("Plan and use", plan(own), { beside: h("span", { class: "muted small" }, period(own)) }),
        card("Rules", facts(rules(own))),
        tokens
          ? card("Tokens", tokenTable(tokens.items, refresh), {
              flush: true,
              beside: button("New token", { picture: "plus", small: true, onclick: () => create(refresh) }),
            })
          : null,
      ),
  };
}

function period(own) {
  return [`${date(own.period.begins_at)} to `, when(own.period.ends_at)];
}

function plan(own) {
  const { settings, usage: used } = own;
  const minutes = used.billed_minutes + used.talking_minutes;
  const spent = settings.minutes !== null && used.minutes_left === 0;
  return h(
    "div",
    { class: "stack" },
    spent ? note("bad", "The minutes of this period are used up; campaigns pause until the plan is raised or a new period begins.") : null,
    usage("Minutes", Math.round(minutes * 10) / 10, settings.minutes, "min"),
    usage("Unique users", used.unique_users + used.unique_users_reserved, settings.unique_users, "people"),
    usage("Calls up now", used.live_calls, settings.max_simultaneous_calls, "calls"),
  );
}

function rules(own) {
  const { settings } = own;
  const limit = (value, unit) => (value === null ? "no limit" : `${count(value)} ${unit}`);
  return [
    ["Period", PERIODS[settings.period]],
    ["Time zone", settings.time_zone],
    ["Talk time is rounded up to", plural(settings.increment_seconds, "second")],
    ["Numbers that may be called", settings.allowed_prefixes.length ? `those that begin with ${settings.allowed_prefixes.join(", ")}` : "all"],
    ["Attempts to a number a day", limit(settings.attempts_per_day, "")],
    ["Attempts to a number a week", limit(settings.attempts_per_week, "")],
    ["Since", when(own.created_at)],
  ];
}

function state(token) {
  if (token.revoked_at) return badge("Revoked");
  if (token.expires_at && new Date(token.expires_at) < new Date()) return badge("Expired", "warn");
  return badge("Works", "good");
}

function tokenTable(tokens, refresh) {
  if (!tokens.length) {
    return empty({
      picture: "account",
      title: "No tokens yet",
      text: "Make one for each person and program, so that each can be revoked alone.",
    });
  }
  return table({
    caption: "Tokens",
    columns: [
      { name: "Name", head: true, cell: (one) => one.name },
      { name: "Role", cell: (one) => ROLES[one.role] },
      { name: "State", cell: state },
      { name: "Last used", cell: (one) => when(one.last_used_at) },
      { name: "Expires", cell: (one) => (one.expires_at ? when(one.expires_at) : "never") },
      {
        name: "Revoke",
        quiet: true,
        cell: (one) =>
          one.revoked_at
            ? null
            : button("Revoke", { small: true, label: `Revoke ${one.name}`, onclick: () => revoke(one).then(refresh) }),
      },
    ],
    rows: tokens,
    key: (one) => one.id,
  });
}

function revoke(token) {
  return ask({
    title: `Revoke ${token.name}?`,
    text: "Whoever uses it is refused within seconds. This cannot be undone.",
    confirm: "Revoke",
    tone: "danger-solid",
    submit: async () => {
      await del(`/v1/tokens/${token.id}`);
      toast(`${token.name} is revoked`);
    },
  });
}

async function create(refresh) {
  const made = await ask({
    title: "New token",
    fields: [
      fields.text("name", "Name", { hint: "Who or what uses it.", required: true, maxlength: 100 }),
      fields.select(
        "role",
        "Role",
        [
          ["viewer", "Viewer: reads"],
          ["operator", "Operator: also steers campaigns"],
          ["admin", "Admin: also makes tokens and steers trunks"],
        ],
        { value: "operator" },
      ),
      fields.text("expires_at", "Works until", { type: "datetime-local", hint: "Empty: until it is revoked." }),
    ],
    confirm: "Make it",
    submit: (form) => {
      const until = form.elements.expires_at.value;
      return postOnce("/v1/tokens", {
        name: form.elements.name.value.trim(),
        role: form.elements.role.value,
        expires_at: until ? new Date(until).toISOString() : null,
      });
    },
  });
  if (!made) return;
  await refresh();
  await showSecret(`The token ${made.name}`, made.secret);
}
