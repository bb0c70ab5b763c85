// Attempts by the hour as stacked columns, with a table behind.

import { h, s } from "../dom.js";
import { count, dateTime, plural, time } from "../format.js";
import { table } from "./table.js";

const WIDTH = 560;
const HEIGHT = 200;
const LEFT = 34;
const BOTTOM = 22;
const TOP = 8;
const TICKS = 6;
const MOST = 36; // columns; longer times are put together

const PARTS = [
  ["answered", "Answered", "var(--c-answered)"],
  ["other", "Not answered", "var(--c-completed_without_answer)"],
];

/** Return the drawing of a campaign's hours, the empty ones between them included. */
export function hoursChart(byHour) {
  const { slots, hours } = slotted(byHour);
  const top = nice(Math.max(...slots.map((one) => one.attempts)));
  const step = (WIDTH - LEFT) / slots.length;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  return h(
    "figure",
    { class: "stack" },
    s(
      "svg",
      { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary(slots) },
      [0, top / 2, top].map((value) => grid(value, y(value))),
      slots.map((one, place) => column(one, LEFT + place * step, step, y)),
      ticks(slots).map((place) =>
        s(
          "text",
          { x: LEFT + (place + 0.5) * step, y: HEIGHT - 6, "text-anchor": "middle" },
          hours < 24 ? time(slots[place].at) : dateTime(slots[place].at),
        ),
      ),
    ),
    h(
      "figcaption",
      { class: "key" },
      PARTS.map(([, name, colour]) =>
        h("span", null, h("span", { class: "dot", vars: { "--colour": colour } }), name),
      ),
    ),
    h(
      "details",
      { class: "more" },
      h("summary", null, "As a table"),
      table({
        caption: "Attempts by the hour",
        columns: [
          { name: "From", head: true, cell: (one) => dateTime(one.at) },
          { name: "Attempts", number: true, cell: (one) => count(one.attempts) },
          { name: "Answered", number: true, cell: (one) => count(one.answered) },
        ],
        rows: slots.filter((one) => one.attempts),
      }),
    ),
  );
}

function slotted(byHour) {
  const hour = 3600000;
  const first = Date.parse(byHour[0].hour);
  const span = Math.round((Date.parse(byHour.at(-1).hour) - first) / hour) + 1;
  const width = Math.ceil(span / MOST);
  // never less than a few, so that one hour is a column and not a wall
  const length = Math.max(Math.ceil(span / width), Math.min(8, MOST));
  const slots = Array.from({ length }, (_, place) => ({
    at: new Date(first + place * width * hour).toISOString(),
    attempts: 0,
    answered: 0,
  }));
  for (const one of byHour) {
    const slot = slots[Math.floor((Date.parse(one.hour) - first) / hour / width)];
    slot.attempts += one.attempts;
    slot.answered += Math.min(one.answered, one.attempts);
  }
  return { slots, hours: length * width };
}

function grid(value, y) {
  return s(
    "g",
    null,
    s("line", { class: value === 0 ? "axis" : "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }),
    s("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, count(value)),
  );
}

function column(one, x, step, y) {
  if (!one.attempts) return null;
  const width = Math.min(step * 0.7, 28);
  const left = x + (step - width) / 2;
  const parts = [
    [0, one.answered, PARTS[0][2]],
    [one.answered, one.attempts, PARTS[1][2]],
  ];
  return s(
    "g",
    null,
    s("title", null, `${dateTime(one.at)}: ${plural(one.attempts, "attempt")}, ${count(one.answered)} answered`),
    parts
      .filter(([from, to]) => to > from)
      .map(([from, to, colour]) => {
        const bar = s("rect", { x: left, y: y(to), width, height: Math.max(0.5, y(from) - y(to)), rx: 1.5 });
        bar.style.fill = colour;
        return bar;
      }),
  );
}

function ticks(slots) {
  const apart = Math.ceil(slots.length / TICKS);
  return slots.map((_, place) => place).filter((place) => place % apart === 0);
}

function nice(most) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return Math.max(2, [1, 2, 3, 4, 6, 8, 10].map((factor) => factor * unit).find((value) => value >= most));
}

function summary(slots) {
  const some = slots.filter((one) => one.attempts);
  const attempts = some.reduce((sum, one) => sum + one.attempts, 0);
  const answered = some.reduce((sum, one) => sum + one.answered, 0);
  const busiest = some.reduce((best, one) => (one.attempts > best.attempts ? one : best), some[0]);
  return (
    `${plural(attempts, "attempt")} by the hour, ${count(answered)} answered; ` +
    `the most, ${count(busiest.attempts)}, from ${dateTime(busiest.at)}`
  );
}
