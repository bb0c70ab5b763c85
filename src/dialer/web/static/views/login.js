// Signing in with a token.

import { h } from "../dom.js";
import { button } from "../parts/bits.js";
import { showProblem } from "../parts/dialog.js";
import * as fields from "../parts/fields.js";
import { go } from "../router.js";
import { signIn } from "../session.js";

const iconAddress = document.querySelector('link[rel="icon"]').href;

/** Only an address of ours: one that begins with two strokes would be another host. */
function destination(query) {
  const next = query.get("next") ?? "/campaigns";
  return /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/campaigns";
}

export function login({ query }) {
  const problems = h("div", { role: "alert" });
  const go_in = button("Sign in", { tone: "primary", type: "submit" });
  const form = h(
    "form",
    {
      class: "card-body",
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        go_in.disabled = true;
        try {
          await signIn(form.elements.token.value.trim());
          go(destination(query), { replace: true });
        } catch (error) {
          showProblem(form, problems, error);
        } finally {
          go_in.disabled = false;
        }
      },
    },
    h("h1", { tabindex: "-1" }, "Sign in"),
    problems,
    fields.text("token", "Token", {
      type: "password",
      autocomplete: "current-password",
      hint: "An admin of your account makes tokens, here under Account or with dialer token create.",
    }),
    go_in,
  );
  return {
    title: "Sign in",
    still: true,
    render: () =>
      h(
        "main",
        { class: "login" },
        h("div", { class: "brand" }, h("img", { src: iconAddress, alt: "" }), "dialer"),
        h("div", { class: "card" }, form),
      ),
  };
}
