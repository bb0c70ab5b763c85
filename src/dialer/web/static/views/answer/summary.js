// What happens when somebody answers, to read.

import { h } from "../../dom.js";
import { plural } from "../../format.js";
import { facts } from "../../parts/bits.js";
import { isEmpty } from "../../parts/editors.js";
import { note } from "../../parts/states.js";
import { TIMINGS } from "./machine.js";
import {
  FAX,
  FORMAT,
  heard,
  MACHINE,
  manner,
  pairs,
  reached,
  recorded,
  seconds,
  sentence,
  SILENCE,
  steps,
} from "./words.js";

const SHOWN = {
  prompt: ["file", "say", "voice"],
  hang_up: ["after_seconds"],
  bot: ["url", "secret", "parameters", "connect_timeout_seconds", "fallback", "transfers"],
  transfer: ["prompt", "target"],
  gather: [
    "name",
    "prompt",
    "digits",
    "barge_in",
    "first_key_seconds",
    "between_keys_seconds",
    "retries",
    "retry_prompt",
    "branches",
    "otherwise",
    "transfers",
  ],
};

/** Return `on_answer` as something to read; keys that are unknown here are named. */
export function answerSummary(wanted) {
  const detection = wanted.machine_detection;
  const unknown = Object.keys(wanted).filter(
    (key) =>
      !["kind", "machine_detection", "recording", ...(SHOWN[wanted.kind] ?? [])].includes(key) && !isEmpty(wanted[key]),
  );
  return [
    facts(about(wanted)),
    wanted.kind === "gather" ? menuTree(wanted) : null,
    wanted.transfers ? facts(targets(wanted.transfers)) : null,
    detection ? facts(machineFacts(detection)) : null,
    wanted.recording ? facts(recordingFacts(wanted.recording)) : null,
    unknown.length ? note("info", `Also set, and kept as it is: ${unknown.join(", ")}. The API shows it.`) : null,
  ];
}

function about(wanted) {
  if (wanted.kind === "prompt") return [["A person hears", sentence(`${heard(wanted)}, then hangs up`)]];
  if (wanted.kind === "hang_up") return [["What happens", hangUp(wanted)]];
  if (wanted.kind === "gather") return [["What happens", `A menu asks for keys: ${wanted.name}`]];
  if (wanted.kind === "transfer")
    return [
      ["A person hears first", wanted.prompt ? sentence(heard(wanted.prompt)) : null],
      ["The call is transferred", sentence(reached(wanted.target))],
    ];
  if (wanted.kind !== "bot") return [["What happens", `${wanted.kind}, which this page does not know`]];
  return [
    ["A bot speaks", wanted.url],
    ["Parameters", pairs(wanted.parameters ?? {})],
    ["Secret", wanted.secret],
    ["Connects within", seconds(wanted.connect_timeout_seconds)],
    ["If the bot fails", fallback(wanted.fallback)],
  ];
}

const targets = (transfers) => Object.entries(transfers).map(([name, one]) => [`Transfer to ${name}`, sentence(reached(one))]);

const hangUp = (one) => (one.after_seconds ? `Hangs up after ${seconds(one.after_seconds)}` : "Hangs up at once");

function fallback(one) {
  if (one.kind === "prompt") return sentence(`${heard(one)}, then hangs up`);
  if (one.kind === "retry") return MACHINE.retry;
  return one.kind === "hang_up" ? hangUp(one) : one.kind;
}

function machineFacts(one) {
  if (!one.enabled) return [["Machine detection", "Off; its settings are kept"]];
  const message = one.machine === "leave_message" ? ` after the beep: ${one.message}` : "";
  const unusual = TIMINGS.filter(([key, , usual]) => one[key] !== usual).map(([key, label]) => `${label}: ${one[key]}`);
  return [
    ["A machine answers", `${MACHINE[one.machine]}${message}`],
    ["A fax answers", FAX[one.fax]],
    ["Nobody says anything", SILENCE[one.silence]],
    ["Decided otherwise than usual", unusual.join("; ")],
  ];
}

function recordingFacts(one) {
  return [
    ["The call is recorded", sentence(recorded(one))],
    ["Kept as", FORMAT[one.format] ?? one.format],
    ["Kept for", one.keep_days ? plural(one.keep_days, "day") : "as long as the configuration says"],
  ];
}

/** A menu with what its keys do, and the menus below it. */
function menuTree(menu) {
  return h(
    "div",
    { class: "menu-tree" },
    h("p", null, h("strong", null, menu.name), " ", `${heard(menu.prompt)}; ${manner(menu).join("; ")}.`),
    h(
      "dl",
      null,
      Object.entries(menu.branches).map(([keys, branch]) => branchLines(keys, branch)),
      branchLines("Otherwise", menu.otherwise),
    ),
  );
}

function branchLines(keys, branch) {
  return h(
    "div",
    null,
    h("dt", null, keys === "Otherwise" ? keys : h("kbd", null, keys)),
    h("dd", null, sentence(steps(branch).join(", ")), branch.menu ? menuTree(branch.menu) : null),
  );
}
