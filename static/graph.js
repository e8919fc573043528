// The link graph: one tab stop, arrow keys between values in the order of the list; what is pointed at lights its ties.
// Without this script every value is a link of its own.
"use strict";

(() => {
  function wire(figure) {
    const stops = [...figure.querySelectorAll("a[data-node]")];
    const said = figure.querySelector("[data-graph-said]");
    const lines = [...figure.querySelectorAll("line")];
    if (!stops.length) return;
    stops.forEach((stop, place) => stop.setAttribute("tabindex", place ? "-1" : "0"));

    function light(node) {
      const here = node?.dataset.node;
      for (const line of lines) {
        line.classList.toggle("lit", here !== undefined && (line.dataset.from === here || line.dataset.to === here));
      }
      if (node) said.textContent = node.dataset.text;
    }

    function go(place) {
      const next = stops[Math.min(stops.length - 1, Math.max(0, place))];
      for (const stop of stops) stop.setAttribute("tabindex", stop === next ? "0" : "-1");
      next.focus();
    }

    const places = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    figure.addEventListener("keydown", (event) => {
      const here = stops.indexOf(event.target.closest("a[data-node]"));
      if (here < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key in places) go(here + places[event.key]);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(stops.length - 1);
      else return;
      event.preventDefault();
    });
    for (const kind of ["focusin", "pointerover"]) {
      figure.addEventListener(kind, (event) => light(event.target.closest("[data-node]")));
    }
  }

  function wireAll(root) {
    for (const figure of root.querySelectorAll("figure[data-graph]:not([data-wired])")) {
      figure.dataset.wired = "";
      wire(figure);
    }
  }

  document.addEventListener("htmx:load", (event) => wireAll(event.detail.elt.parentElement ?? document));
  wireAll(document);
})();
