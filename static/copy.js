// Copies what a [data-copy] button carries, or the lines of what [data-copy-from] names, and says so beside it.
"use strict";

{
  const linesOf = (id) => [...document.getElementById(id).children].map((one) => one.textContent.trim()).join("\n");

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(button.dataset.copy ?? linesOf(button.dataset.copyFrom));
    } catch {
      said = "Could not copy: select the text instead";
    }
    const note = button.querySelector(".copied") ?? button.appendChild(document.createElement("span"));
    note.className = "copied";
    note.setAttribute("role", "status");
    note.textContent = said;
    setTimeout(() => note.remove(), 2000);
  });

  for (const button of document.querySelectorAll("[data-copy-from]")) button.hidden = false;
}
