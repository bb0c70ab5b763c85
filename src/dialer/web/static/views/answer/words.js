// What happens on answer, in words.

import { plural } from "../../format.js";

export const MACHINE = {
  hang_up: "Hang up",
  leave_message: "Leave a message",
  retry: "Hang up, and call again later",
  continue: "Go on as with a person",
};
export const FAX = { hang_up: MACHINE.hang_up, retry: MACHINE.retry };
export const SILENCE = { hang_up: MACHINE.hang_up, retry: MACHINE.retry, continue: MACHINE.continue };

/** Return what is heard: plays hello.wav. */
export function heard(prompt) {
  if (prompt.file) return `plays ${prompt.file}`;
  return `says “${prompt.say}”${prompt.voice ? ` with the voice ${prompt.voice}` : ""}`;
}

const value = (one) => (one === true ? "yes" : one === false ? "no" : typeof one === "string" ? `“${one}”` : String(one));

/** Return names with values: language = “de”, tries = 2. */
export const pairs = (given) =>
  Object.entries(given)
    .map(([name, one]) => `${name} = ${value(one)}`)
    .join(", ");

export const CONSENT = {
  given: "from the beginning, since consent was given before",
  announced: "after an announcement",
  key: "once a key agrees",
  column: "where the list says yes",
};
export const FORMAT = { wav: "WAV", opus: "Opus, which is smaller" };

/** Return from when on, and of whom, a call is recorded. */
export function recorded(recording) {
  const { consent, announcement, key } = recording;
  if (consent === "announced") return `after the announcement, which ${heard(announcement)}`;
  if (consent === "column") return `where the list says yes in the column ${recording.column}`;
  if (consent !== "key") return CONSENT[consent] ?? consent;
  const late = seconds(recording.key_wait_seconds ?? 5);
  return `once ${key ?? "1"} is pressed during the announcement, which ${heard(announcement)}, or within ${late} after it`;
}

export const WAITING = { ringback: "Ringing", silence: "Silence" };

/** Return how a target of a transfer is reached. */
export function reached(target) {
  const whom = target.number_from ? `the number in the column ${target.number_from}` : target.number || "no number yet";
  const way =
    target.by === "refer"
      ? `asks the far end to call ${whom}`
      : `calls ${whom}${target.trunk ? ` over the trunk ${target.trunk}` : ""} and joins the two calls`;
  // by REFER, what rings is the far end's own
  const word = target.by === "refer" ? null : WAITING[target.waiting]?.toLowerCase();
  const meanwhile = typeof target.waiting === "object" ? `${heard(target.waiting)} over and over` : word;
  return [
    way,
    `tries for ${seconds(target.ring_seconds ?? 30)}`,
    meanwhile && `meanwhile ${meanwhile}`,
    target.on_failure === "hang_up" && "hangs up where nobody answers",
  ]
    .filter(Boolean)
    .join("; ");
}

/** Return what a branch does, step by step; the menu that follows is only named. */
export function steps(branch) {
  const found = [];
  if (Object.keys(branch.set ?? {}).length) found.push(`notes ${pairs(branch.set)}`);
  if (branch.opt_out) found.push("puts the number on the do-not-call list");
  if (branch.prompt) found.push(heard(branch.prompt));
  const where = branch.transfer ? "where that fails " : "";
  if (branch.transfer) found.push(`transfers the call to ${branch.transfer}`);
  if (branch.menu) found.push(`${where}goes on with the menu ${branch.menu.name || "without a name"}`);
  else if (branch.again) found.push(`${where}begins this menu again`);
  else found.push(`${where}hangs up`);
  return found;
}

/** Return how a menu takes its keys. */
export function manner(menu) {
  const times = { 0: "is not asked again", 1: "is asked again once", 2: "is asked again twice" };
  const again = times[menu.retries] ?? `is asked again ${menu.retries} times`;
  const how = menu.retries && menu.retry_prompt ? `, then ${heard(menu.retry_prompt)}` : "";
  return [
    `takes ${menu.digits > 1 ? `up to ${menu.digits} keys` : "one key"} within ${seconds(menu.first_key_seconds)}`,
    menu.digits > 1 ? `${seconds(menu.between_keys_seconds)} between keys` : null,
    menu.barge_in ? "keys stop the prompt" : "keys count once the prompt is over",
    `who presses nothing or another key ${again}${how}`,
  ].filter(Boolean);
}

export const seconds = (count) => plural(count, "second");

export const capital = (words) => `${words[0].toUpperCase()}${words.slice(1)}`;

/** Return a sentence with a capital and a full stop. */
export const sentence = (words) => `${capital(words)}.`;
