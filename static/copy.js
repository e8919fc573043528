// Copies what a [data-copy] button carries and says so beside it.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    said = "Could not copy: select the text instead";
  }
  const note = button.querySelector(".copied") ?? button.appendChild(document.createElement("span"));
  note.className = "copied";
  note.setAttribute("role", "status");
  note.textContent = said;
  setTimeout(() => note.remove(), 2000);
});
