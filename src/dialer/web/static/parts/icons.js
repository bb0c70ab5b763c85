// Line drawings on a grid of 20.

import { s } from "../dom.js";

const SHAPES = {
  campaigns: "M4 5.5h12M4 10h12M4 14.5h7",
  dialogs: "M3.5 4.5h13v9h-7l-3.5 3v-3h-2.5zM7 8h6M7 10.5h4",
  trunks: "M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6.5 6.5h.01M6.5 13.5h.01M10 6.5h4M10 13.5h4",
  ban: "M10 3a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM5.2 5.2l9.6 9.6",
  account: "M10 3.5a3 3 0 1 0 0 6a3 3 0 0 0 0-6zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
  hook: "M8 8.5l-3 5M10 6.5l3 5M8.5 14h5.5M10 3.5a2.2 2.2 0 0 1 1.5 4M4 12a2.2 2.2 0 1 0 2.5 3M15.5 12a2.2 2.2 0 1 1-1 3.5",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  plus: "M10 4v12M4 10h12",
  play: "M6.5 4.500v11l9-5.500z",
  pause: "M7 4.500v11M13 4.500v11",
  stop: "M5.5 5.500h9v9h-9z",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.8 10h7.400l.8-10M8.5 9v4.500M11.5 9v4.5",
  copy: "M7 7h9v9h-9zM13 7V4H4v9h3",
  edit: "M4 16l.8-3.400L13 4.400l2.6 2.6-8.2 8.200zM11.5 6l2.5 2.5",
  download: "M10 3.500v9M6.5 9.500l3.5 3.500l3.5-3.500M4 16.500h12",
  upload: "M10 13v-9M6.5 7l3.5-3.500l3.5 3.500M4 16.500h12",
  more: "M4.5 10h1M9.5 10h1M14.5 10h1",
  repeat: "M4 9.500a6 6 0 0 1 10.5-3.500M16 4v3.500h-3.500M16 10.500a6 6 0 0 1-10.5 3.500M4 16v-3.500h3.5",
  alert: "M10 3.500l7 12.500h-14zM10 8.500v3.500M10 14h.01",
  info: "M10 3a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM10 9.500v4M10 6.700h.01",
  check: "M4.5 10.500l3.5 3.500l7.5-8",
  sun: "M10 7a3 3 0 1 0 0 6a3 3 0 0 0 0-6zM10 2.500v1.500M10 16v1.500M2.5 10h1.500M16 10h1.500M4.7 4.700l1 1M14.3 14.300l1 1M15.3 4.700l-1 1M5.7 14.300l-1 1",
  moon: "M16 11.800a6.5 6.5 0 1 1-7.8-7.800a5.2 5.2 0 0 0 7.8 7.800z",
  screen: "M3.5 4.500h13v9h-13zM7.5 16.500h5M10 13.500v3",
  leave: "M8.5 4h-4.500v12h4.500M8 10h8.500M13.5 7l3 3l-3 3",
  list: "M6.5 5h9.500M6.5 10h9.500M6.5 15h9.500M3.5 5h.01M3.5 10h.01M3.5 15h.01",
  phone: "M5 3.500h3l1.5 3.500l-2 1.500a9 9 0 0 0 4 4l1.5-2l3.5 1.500v3c0 .8-.7 1.5-1.5 1.500C8.5 16 4 11.5 3.5 5c0-.8.7-1.5 1.5-1.500z",
};

/** Return a drawing that says nothing to a screen reader: words stand beside it. */
export function icon(name) {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" },
    s("path", { d: SHAPES[name] }),
  );
}
