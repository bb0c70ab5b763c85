// Starts the dashboard: who is signed in, which page the address names, and its refreshing.

import { whenSignedOut } from "./api.js";
import { h, morph } from "./dom.js";
import * as live from "./live.js";
import { beginToasts } from "./parts/toast.js";
import { failure, skeleton } from "./parts/states.js";
import { begin, find, go, route } from "./router.js";
import { current, readSession } from "./session.js";
import { framed, showState } from "./shell.js";
import { account } from "./views/account.js";
import { call } from "./views/call.js";
import { campaign } from "./views/campaign.js";
import { campaigns } from "./views/campaigns.js";
import { create } from "./views/create.js";
import { dialogs } from "./views/dialogs.js";
import { doNotCall } from "./views/do_not_call.js";
import { login } from "./views/login.js";
import { trunks } from "./views/trunks.js";
import { webhook } from "./views/webhook.js";
import { webhooks } from "./views/webhooks.js";

route("/campaigns", campaigns);
route("/campaigns/new", create);
route("/campaigns/{id}", campaign);
route("/calls/{id}", call);
route("/dialogs", dialogs);
route("/trunks", trunks);
route("/do-not-call", doNotCall);
route("/webhooks", webhooks);
route("/webhooks/{id}", webhook);
route("/account", account);
route("/login", login);
route("/", () => ({ redirect: "/campaigns" }));

const PATIENCE = 150; // milliseconds until a page that has not come is drawn in grey
const SLOWLY = 15000; // milliseconds, after which a page is read anew whatever is told of it
const app = document.getElementById("app");
const busy = h("div", { class: "progress-line", role: "presentation" });

let page = null; // what is shown: {pattern, address, view, controller}

/** Show the page that the address names. */
async function show() {
  const found = find(location);
  const address = location.pathname + location.search;
  const signingIn = found.pattern === "/login";
  if (!signingIn && !current().signed_in) {
    go(`/login?next=${encodeURIComponent(address)}`, { replace: true });
    return;
  }
  const view = found.view
    ? found.view({ parameters: found.parameters, query: found.query, refresh })
    : { title: "Not found", load: () => Promise.reject(Object.assign(new Error("There is no such page."), { status: 404 })) };
  if (view.redirect) {
    go(view.redirect, { replace: true });
    return;
  }
  const same = page !== null && page.path === location.pathname;
  page?.controller.abort();
  clearTimeout(page?.timer);
  page = { view, path: location.pathname, controller: new AbortController(), shown: false };
  if (signingIn) {
    live.end();
    app.replaceChildren(view.render());
  } else {
    live.follow(view.campaign ?? null);
    await load(page, same);
    return;
  }
  document.title = `${view.title} · dialer`;
  app.querySelector("h1")?.focus();
}

/** Read and draw a page for the first time; `same` keeps what it shares with the one before. */
async function load(mine, same) {
  const place = framed(app, location.pathname);
  const grey = setTimeout(() => {
    document.body.append(busy);
    if (!same) place.replaceChildren(skeleton());
  }, PATIENCE);
  let shown;
  try {
    const data = await mine.view.load(mine.controller.signal);
    if (mine !== page) return;
    shown = mine.view.render(data);
    mine.shown = true;
    lookAgain(mine);
  } catch (error) {
    if (error.name === "AbortError" || mine !== page) return;
    report(error);
    shown = failure(error, show);
  } finally {
    clearTimeout(grey);
    if (mine === page) busy.remove();
  }
  document.title = `${typeof mine.view.title === "function" ? mine.view.title() : mine.view.title} · dialer`;
  if (same) {
    morph(place, h("div", null, shown));
    return;
  }
  place.replaceChildren(shown);
  window.scrollTo(0, 0);
  if (document.activeElement !== document.body || history.state?.paged) place.querySelector("h1")?.focus();
}

// Not all that changes is told as an event: a page says how soon it wants to look again.
function lookAgain(mine) {
  if (mine.view.still) return;
  const look = () => (document.hidden ? lookAgain(mine) : refresh());
  mine.timer = setTimeout(look, mine.view.every ?? SLOWLY);
}

/** Read what is shown anew. A page with a form in it has no wish to be refreshed. */
async function refresh() {
  const mine = page;
  if (mine === null || !mine.shown || mine.view.still) return;
  try {
    const data = await mine.view.load(mine.controller.signal);
    if (mine !== page) return;
    morph(app.querySelector(".view"), h("div", null, mine.view.render(data)));
    clearTimeout(mine.timer);
    lookAgain(mine);
  } catch (error) {
    if (error.name === "AbortError" || mine !== page) return;
    report(error);
    if (error.status === 404) {
      app.querySelector(".view").replaceChildren(failure(error, show));
      mine.shown = false;
    } else {
      clearTimeout(mine.timer);
      lookAgain(mine);
    }
  }
}

// The service's refusals are shown; what is our own fault goes to the console, where it can be found.
function report(error) {
  if (error.status === undefined) console.error(error);
}

whenSignedOut(() => {
  live.end();
  if (find(location).pattern === "/login") return;
  go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
});

async function start() {
  beginToasts();
  live.begin(refresh, showState);
  begin(show);
  try {
    await readSession();
  } catch (error) {
    app.replaceChildren(h("main", { class: "login" }, failure(error, () => location.reload())));
    return;
  }
  await show();
}

start();
