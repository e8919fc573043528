// Row selection: "select all on this page", a live count, and a bulk bar that steps aside while nothing is picked.
"use strict";

(() => {
  const boxes = (form) => [...form.querySelectorAll(".pick input[data-row]")];

  function show(form) {
    const all = boxes(form);
    const picked = all.filter((box) => box.checked).length;
    for (const place of form.querySelectorAll("[data-picked]")) place.textContent = `(${picked})`;
    for (const button of form.querySelectorAll("[data-needs-picked]")) button.disabled = picked === 0;
    const head = form.querySelector("input[data-all]");
    if (head) {
      head.checked = picked > 0 && picked === all.length;
      head.indeterminate = picked > 0 && picked < all.length;
    }
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-select]");
    if (!form) return;
    if (event.target.matches("input[data-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    show(form);
  });

  function start() {
    for (const form of document.querySelectorAll("form[data-select]")) {
      const head = form.querySelector("input[data-all]");
      if (head) head.hidden = false;
      show(form);
    }
  }

  document.addEventListener("htmx:load", start);
  start();
})();
