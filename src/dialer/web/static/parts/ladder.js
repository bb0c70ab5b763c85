// The SIP messages of one leg, drawn between the two parties, with the text of the chosen one below.

import { h, s } from "../dom.js";
import { exactTime } from "../format.js";

const WIDE = { width: 760, left: 190, right: 640, letters: 56, gaps: true };
const NARROW = { width: 330, left: 112, right: 290, letters: 22, gaps: false };
const TOP = 56;
const STEP = 34;

const TYPE = /^m=audio/m;

/** Return the ladder of a leg's `messages`; each is a button that shows its text. */
export function ladder(messages, own) {
  const room = window.matchMedia("(max-width: 40rem)").matches ? NARROW : WIDE;
  const text = h("pre", { class: "sip", hidden: true, tabindex: "0", "aria-label": "Text of the message" });
  const height = TOP + messages.length * STEP + 12;
  const drawn = messages.map((message, place) => arrow(message, place, messages[place - 1], room, choose));

  function choose(place) {
    drawn.forEach((one, index) => one.setAttribute("aria-pressed", String(index === place)));
    text.textContent = messages[place].text.trimEnd();
    text.hidden = false;
    text.scrollIntoView({ block: "nearest" });
  }

  const { local, peer, transport } = messages[0];
  return h(
    "div",
    { class: "stack", "data-own": own },
    h(
      "div",
      { class: "ladder" },
      s(
        "svg",
        { viewBox: `0 0 ${room.width} ${height}`, role: "group", "aria-label": "SIP messages, in order" },
        party("dialer", local, room.left),
        party("trunk", room.gaps ? `${peer} ${transport.toUpperCase()}` : peer, room.right),
        s("line", { class: "life", x1: room.left, x2: room.left, y1: 44, y2: height }),
        s("line", { class: "life", x1: room.right, x2: room.right, y1: 44, y2: height }),
        drawn,
      ),
    ),
    text,
  );
}

function party(name, address, x) {
  return s(
    "g",
    null,
    s("text", { class: "party", x, y: 14, "text-anchor": "middle" }, name),
    s("text", { class: "address", x, y: 30, "text-anchor": "middle" }, address),
  );
}

function arrow(message, place, before, room, choose) {
  const y = TOP + place * STEP + 14;
  const sent = message.direction === "sent";
  const [from, to] = sent ? [room.left, room.right] : [room.right, room.left];
  const back = sent ? to - 9 : to + 9;
  const line = firstLine(message.text);
  const body = TYPE.test(message.text) ? " (SDP)" : "";
  const gap = before ? Date.parse(message.at) - Date.parse(before.at) : 0;
  return s(
    "g",
    {
      class: "message",
      role: "button",
      tabindex: "0",
      "aria-pressed": "false",
      "aria-label": `${exactTime(message.at)} ${sent ? "sent" : "received"} ${line}`,
      "data-kind": kind(line),
      onclick: () => choose(place),
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose(place);
      },
    },
    s("rect", { class: "hit", x: 4, y: y - 22, width: room.width - 8, height: STEP - 2, rx: 6 }),
    s("text", { class: "time", x: 14, y: y + 4 }, exactTime(message.at)),
    room.gaps && before
      ? s("text", { class: "time", x: room.width - 14, y: y + 4, "text-anchor": "end" }, `+${apart(gap)}`)
      : null,
    s("text", { x: (room.left + room.right) / 2, y: y - 6, "text-anchor": "middle" }, shortened(line, room.letters) + body),
    s("line", { x1: from, x2: sent ? to - 6 : to + 6, y1: y, y2: y }),
    s("polygon", { class: "head", points: `${to},${y} ${back},${y - 4.5} ${back},${y + 4.5}` }),
  );
}

function firstLine(text) {
  const line = text.slice(0, text.search(/\r?\n/)).trim();
  return line.startsWith("SIP/2.0 ") ? line.slice(8) : line.replace(/ SIP\/2\.0$/, "");
}

const shortened = (line, most) => (line.length > most ? `${line.slice(0, most - 1)}…` : line);

function kind(line) {
  const code = /^(\d)\d\d\b/.exec(line);
  if (code === null) return "request";
  if (code[1] === "1") return "progress";
  return code[1] === "2" ? "success" : "failure";
}

function apart(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
