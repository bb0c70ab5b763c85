// The frame around every page: navigation, who is signed in, the theme, and how fresh the data is.

import { h } from "./dom.js";
import { zoneLine } from "./format.js";
import { go } from "./router.js";
import { current, signOut } from "./session.js";
import { button } from "./parts/bits.js";
import { icon } from "./parts/icons.js";
import { ROLES } from "./words.js";

const PAGES = [
  ["/campaigns", "Campaigns", "campaigns"],
  ["/dialogs", "Dialogs", "dialogs"],
  ["/trunks", "Trunks", "trunks"],
  ["/do-not-call", "Do not call", "ban"],
  ["/webhooks", "Webhooks", "hook"],
  ["/account", "Account", "account"],
];
const THEMES = [
  ["light", "Light", "sun"],
  ["dark", "Dark", "moon"],
  ["system", "As the system", "screen"],
];

const iconAddress = document.querySelector('link[rel="icon"]').href;
const links = PAGES.map(([href, name, picture]) => h("a", { href }, icon(picture), name));
const state = h("span", { class: "link-state" });
const main = h("main", { class: "content", id: "main", tabindex: "-1" });
const view = h("div", { class: "view" });
const who = h("div", { class: "who" });
const toggle = button("", { picture: "menu", tone: "plain", label: "Menu", onclick: () => setOpen() });
const side = h(
  "header",
  { class: "side" },
  h("a", { class: "brand", href: "/campaigns" }, h("img", { src: iconAddress, alt: "" }), "dialer"),
  toggle,
  h("nav", { class: "nav", id: "navigation", "aria-label": "Main" }, links),
  who,
);
toggle.classList.add("menu-button");
toggle.setAttribute("aria-controls", "navigation");
toggle.setAttribute("aria-expanded", "false");

const foot = h("footer", { class: "foot" });
main.append(view, foot);
const frame = h(
  "div",
  { class: "shell" },
  h("a", { class: "skip", href: "#main" }, "Skip to the content"),
  side,
  main,
);

function setOpen(open = !("open" in side.dataset)) {
  if (open) side.dataset.open = "";
  else delete side.dataset.open;
  toggle.setAttribute("aria-expanded", String(open));
}

/** Return the place of the page, with the frame around it put into `app` where it was not. */
export function framed(app, address) {
  if (frame.parentNode !== app) app.replaceChildren(frame);
  setOpen(false);
  for (const link of links) {
    const here = address === link.pathname || address.startsWith(`${link.pathname}/`);
    const within = link.pathname === "/campaigns" && address.startsWith("/calls/");
    if (here || within) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showWho();
  showFoot();
  return view;
}

/** Say whether changes arrive by themselves. */
export function showState(how) {
  state.dataset.state = how;
  state.textContent = how === "live" ? "Live" : "Reconnecting, refreshed every 5 s";
}

function showFoot() {
  foot.replaceChildren(state, h("span", null, `Times in ${zoneLine()}`));
}

function showWho() {
  const session = current();
  const leave = button("", {
    picture: "leave",
    tone: "plain",
    label: "Sign out",
    onclick: async () => {
      await signOut();
      go("/login");
    },
  });
  who.replaceChildren(
    h(
      "div",
      { class: "who-row" },
      h(
        "div",
        { class: "who-name" },
        session.account.name,
        h("div", { class: "muted" }, session.token_needed ? `${session.token}, ${ROLES[session.role]}` : ROLES[session.role]),
      ),
      session.token_needed ? leave : null,
    ),
    themes(),
  );
}

function themes() {
  const chosen = document.documentElement.dataset.theme ?? "system";
  return h(
    "div",
    { class: "segments", role: "group", "aria-label": "Theme" },
    THEMES.map(([theme, name, picture]) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(theme === chosen),
          "aria-label": name,
          title: name,
          onclick: () => choose(theme),
        },
        icon(picture),
      ),
    ),
  );
}

function choose(theme) {
  const root = document.documentElement;
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // storage may be switched off; then it holds until the page is reloaded
  }
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  const group = who.querySelector(".segments");
  group.replaceWith(themes());
  who.querySelector('.segments [aria-pressed="true"]').focus();
}
