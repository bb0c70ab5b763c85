// Short confirmations, said by screen readers too; the one live region of the dashboard.

import { h } from "../dom.js";

const SECONDS = 6;
const region = h("div", { class: "toasts", role: "status", "aria-live": "polite" });

/** Put the region into the document, once. */
export function beginToasts() {
  document.body.append(region);
}

/** Say that something was done. */
export function toast(text) {
  const shown = h("div", { class: "toast" }, text);
  region.append(shown);
  setTimeout(() => shown.remove(), SECONDS * 1000);
}
