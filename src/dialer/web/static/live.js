// What changes on the server while a page is open: its stream of events, else asking every 5 s.

import { CALL_STATUSES } from "./words.js";

const KINDS = [
  ...["draft", "planned", "in_progress", "paused", "finished", "deleted"].map((one) => `campaign.${one}`),
  ...Object.keys(CALL_STATUSES).map((one) => `call.${one}`),
  ...["numbers.added", "numbers.removed", "account.closed"],
];
const APART = 500; // milliseconds between two refreshes
const POLL = 5000; // milliseconds, while there is no stream

let source = null;
let stream = "";
let timer = null;
let waiting = false;
let last = 0;
let refresh = async () => {};
let onState = () => {};

/** Call `wanted` when something changed, never twice at once; tell `told` how the stream is. */
export function begin(wanted, told) {
  refresh = wanted;
  onState = told;
  setInterval(() => {
    if (source === null || document.hidden || source.readyState === EventSource.OPEN) return;
    if (source.readyState === EventSource.CLOSED) connect(); // it gives up where it was refused
    changed();
  }, POLL);
  document.addEventListener("visibilitychange", () => {
    // a stream takes one of the few connections that a browser makes to a host, so only who looks has one
    if (document.hidden) source?.close();
    else if (source !== null) {
      connect();
      changed();
    }
  });
}

/** Follow what concerns one campaign, or everything where `campaign` is null. */
export function follow(campaign) {
  const wanted = campaign === null ? "/v1/events" : `/v1/events?campaign_id=${campaign}`;
  if (wanted === stream && source !== null) return;
  stream = wanted;
  connect();
}

function connect() {
  source?.close();
  source = new EventSource(stream);
  source.onopen = () => onState("live");
  source.onerror = () => onState("down");
  source.addEventListener("reset", changed);
  for (const kind of KINDS) source.addEventListener(kind, changed);
}

/** Follow nothing any more. */
export function end() {
  source?.close();
  source = null;
  stream = "";
}

// The first change is shown at once, those that follow within half a second together.
function changed() {
  if (timer !== null) {
    waiting = true;
    return;
  }
  waiting = false;
  timer = setTimeout(run, Math.max(0, last + APART - performance.now()));
}

async function run() {
  try {
    if (!document.hidden) await refresh();
  } finally {
    last = performance.now();
    timer = null;
    if (waiting) changed();
  }
}
