// Switches light, dark or automatic colours at once; without this file the same form posts and the page comes back.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-scheme-form]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  const scheme = event.submitter.value;
  const root = document.documentElement;
  if (scheme === "auto") delete root.dataset.scheme;
  else root.dataset.scheme = scheme;
  for (const button of form.querySelectorAll("button[name=scheme]")) {
    button.setAttribute("aria-pressed", String(button.value === scheme));
  }
  fetch(form.action, { method: "POST", body: new FormData(form, event.submitter), credentials: "same-origin" });
  document.dispatchEvent(new CustomEvent("retort:scheme"));
});
