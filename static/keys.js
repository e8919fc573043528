// The keyboard layer. It only ever presses what is on the page, so it offers nobody what they may not do. Off inside fields.
"use strict";

(() => {
  const dialog = document.getElementById("keys");
  const opener = document.querySelector("[data-keys-open]");
  let awaitingPlace = 0;

  const inField = (target) => target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const rows = () => [...document.querySelectorAll("[data-rows] > [data-row-of]")];

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement.closest("[data-row-of]"));
    const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, here + step));
    all[next].tabIndex = -1;
    all[next].focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  function pick() {
    const box = document.activeElement.closest("[data-row-of]")?.querySelector(".pick input[data-row]");
    if (!box) return;
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function listKeys() {
    const list = dialog.querySelector("[data-keys-here]");
    list.replaceChildren();
    for (const control of document.querySelectorAll("[data-key]")) {
      const line = document.createElement("div");
      const key = document.createElement("dt");
      const what = document.createElement("dd");
      key.appendChild(document.createElement("kbd")).textContent = control.dataset.key;
      what.textContent = control.dataset.keyLabel ?? control.textContent.trim();
      line.append(key, what);
      list.append(line);
    }
    dialog.showModal();
  }

  function close() {
    const open = document.activeElement.closest("details[open]") ?? document.querySelector("details.menu[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
      return;
    }
    document.querySelector(".drawer [data-close]")?.click();
  }

  function press(control) {
    if (control.matches("input, select, textarea")) control.focus();
    else control.click();
  }

  function controlFor(key) {
    return [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && !dialog.open) {
      if (inField(event.target)) event.target.blur();
      else close();
      return;
    }
    if (inField(event.target) || dialog.open) return;
    if (Date.now() < awaitingPlace) {
      awaitingPlace = 0;
      document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    if (event.key === "g") awaitingPlace = Date.now() + 1500;
    else if (event.key === "?") listKeys();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "x") pick();
    else if (event.key === "Enter" && document.activeElement.matches("[data-row-of]")) {
      document.activeElement.querySelector("a")?.click();
    } else {
      const control = controlFor(event.key);
      if (!control) return;
      event.preventDefault();
      press(control);
    }
  });

  // A click outside closes an open panel; a link to a panel's inside opens it.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const anchor = event.target.closest('a[href^="#"]');
    const panel = anchor && document.getElementById(anchor.getAttribute("href").slice(1))?.closest("details");
    if (panel) panel.open = true;
  });

  opener.hidden = false;
  opener.addEventListener("click", listKeys);
})();
