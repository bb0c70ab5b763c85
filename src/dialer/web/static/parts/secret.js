// A secret that is shown once.

import { h } from "../dom.js";
import { button } from "./bits.js";
import { show } from "./dialog.js";
import { toast } from "./toast.js";

export function showSecret(title, secret, more = "") {
  const copy = async () => {
    await navigator.clipboard.writeText(secret);
    toast("Copied");
  };
  return show({
    title,
    content: h(
      "div",
      { class: "stack" },
      h("p", null, `Copy it now: it is shown this once and can never be read again. ${more}`),
      h("code", { class: "secret" }, secret),
      // browsers give the clipboard to pages over https and on this machine alone
      navigator.clipboard ? h("div", null, button("Copy", { picture: "copy", small: true, onclick: copy })) : null,
    ),
  });
}
