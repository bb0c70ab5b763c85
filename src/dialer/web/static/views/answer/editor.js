// The part of a campaign's form for what happens when somebody answers.

import { h } from "../../dom.js";
import { count } from "../../format.js";
import { group, kindEditor, Mistake, number, optionalLine, line } from "../../parts/editors.js";
import { pairs } from "../../parts/pairs.js";
import { prompt, PROMPTS } from "../../parts/prompt.js";
import { machineEditor } from "./machine.js";
import { menuEditor } from "./menu.js";
import { recordingEditor } from "./recording.js";
import { targetEditor, transferList } from "./target.js";

const SECRETS = "known-secrets";

const kinds = (known) => ({
  prompt: { label: "A prompt is played", make: (before) => prompt("What is heard", before) },
  bot: { label: "A bot speaks", make: (before) => botEditor(before, known) },
  gather: { label: "A menu asks for keys", make: (before) => gatherEditor(before, known) },
  transfer: { label: "The call is transferred", make: (before) => transferEditor(before, known) },
  hang_up: { label: "Hang up", make: hangUpEditor },
});

const FALLBACKS = {
  hang_up: { label: "Hang up", make: hangUpEditor },
  prompt: { label: "Play a prompt, then hang up", make: (before) => prompt("What is heard", before) },
  retry: { label: "Hang up, and call again later", make: (before) => group({}, before, h("div", { hidden: true })) },
};

/** An editor of `on_answer`; what was not touched is given back as it was.
 *
 * `known`: the `trunks`, `prompts` and `secrets` of bots that there are.
 */
export function answerEditor(before, known) {
  const KINDS = kinds(known);
  const { machine_detection: detection, recording: recorded, ...rest } = before;
  const machine = machineEditor(detection ?? null);
  const recording = recordingEditor(recorded ?? null);
  const told = before.kind in KINDS;
  const asks = (kind) => kind in KINDS && kind !== "hang_up";
  const what = kindEditor("What happens", KINDS, told ? rest : before, {
    changed: (kind) => {
      machine.element.hidden = !asks(kind);
      recording.element.hidden = !kind;
    },
  });
  function read() {
    const answer = what.read();
    if (!what.kind()) return answer;
    const besides = { ...(asks(what.kind()) ? { machine_detection: machine.read() } : {}), recording: recording.read() };
    const said = Object.entries(besides).filter(([key, value]) => value !== null || key in before);
    return { ...answer, ...Object.fromEntries(said) };
  }
  const first = JSON.stringify(read());
  return {
    element: h("div", { class: "stack" }, what.element, machine.element, recording.element, offers(known)),
    read() {
      const now = read();
      return JSON.stringify(now) === first ? before : now;
    },
    place([key, ...path]) {
      if (key === "machine_detection") return machine.place(path);
      return key === "recording" ? recording.place(path) : what.place(key === undefined ? [] : [key, ...path]);
    },
  };
}

/** What is offered while a file or a secret is typed. */
function offers({ prompts, secrets }) {
  const list = (id, items, about) =>
    h("datalist", { id }, items.map((one) => h("option", { value: one.name, label: `${one.name}, ${about(one)}` })));
  return [list(PROMPTS, prompts, (one) => `${count(one.seconds)} s`), list(SECRETS, secrets, (one) => one.url)];
}

function hangUpEditor(before) {
  const after = number("After how many seconds", before.after_seconds, 0, { min: 0, max: 3600 });
  return group({ after_seconds: after }, before, h("div", { class: "fields" }, after.element));
}

/** A menu, and whom it may transfer calls to. */
function gatherEditor({ transfers, ...before }, { trunks }) {
  const targets = transferList(transfers, trunks);
  const menu = uniqueNames(menuEditor(before, targets.picker));
  return {
    element: h("div", { class: "stack" }, menu.element, targets.element),
    editors: { ...menu.editors, transfers: targets },
    read() {
      const answer = menu.read();
      const wanted = targets.read();
      return transfers || Object.keys(wanted).length ? { ...answer, transfers: wanted } : answer;
    },
    place: ([key, ...path]) => (key === "transfers" ? targets.place(path) : menu.place(key === undefined ? [] : [key, ...path])),
  };
}

function transferEditor(before, { trunks }) {
  const editors = {
    prompt: prompt("What is heard first", before.prompt, { nothing: "Nothing" }),
    target: targetEditor(before.target ?? {}, { trunks, alone: true }),
  };
  const element = h("div", { class: "stack" }, editors.prompt.element, editors.target.element);
  return group(editors, before, element);
}

function botEditor(before, { trunks }) {
  const editors = {
    url: line("Address of the bot", before.url, {
      type: "url",
      wide: true,
      required: true,
      maxlength: 2048,
      placeholder: "wss://",
      hint: "A WebSocket that speaks the protocol of Twilio Media Streams.",
    }),
    secret: optionalLine("Secret", before.secret, {
      list: SECRETS,
      maxlength: 100,
      hint: "The name of a header in the configuration that opens the bot's door.",
    }),
    connect_timeout_seconds: number("Seconds to connect in", before.connect_timeout_seconds, 5, { min: 0.1, max: 30 }),
    parameters: pairs("Parameters", before.parameters, {
      add: "Add a parameter",
      hint: "Told to the bot at the beginning of each call, beside the list's columns.",
    }),
    fallback: kindEditor("If the bot is away or fails", FALLBACKS, before.fallback ?? { kind: "hang_up" }),
    transfers: transferList(before.transfers, trunks),
  };
  const element = h(
    "div",
    { class: "stack" },
    h("div", { class: "fields" }, [editors.url, editors.secret, editors.connect_timeout_seconds].map((one) => one.element)),
    editors.parameters.element,
    editors.fallback.element,
    editors.transfers.element,
  );
  return group(editors, before, element);
}

/** Refuse two menus of one name, which would be one result; the API cannot say which they are. */
function uniqueNames(menu) {
  return {
    ...menu,
    read() {
      const names = new Set();
      for (const name of menu.names()) {
        if (name.read() && names.has(name.read())) throw new Mistake(name.control, "Another menu has this name.");
        names.add(name.read());
      }
      return menu.read();
    },
  };
}
