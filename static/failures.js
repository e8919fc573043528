// A request in the background that fails says so on the page, with what to do; nothing is lost silently.
"use strict";

(() => {
  const place = document.getElementById("page-failures");

  function say(text) {
    place.hidden = false;
    place.querySelector("[data-text]").textContent = text;
  }

  document.addEventListener("htmx:sendError", () => say("The server did not answer. What you see may be out of date."));
  document.addEventListener("htmx:timeout", () => say("The server took too long to answer. What you see may be out of date."));
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (status === 403 || status === 401) say("You are signed out, or may no longer do this.");
    else say(`The server refused or failed (${status}). Nothing was changed by that step.`);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) place.hidden = true;
  });
})();
