// Draws every <figure data-chart> from the JSON beside it. A string that starts with "--" in the figure is the name of a
// colour in tokens.css, looked up for the scheme that is on; the drawing is made again when that changes. SVG traces only.
"use strict";

(() => {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  function colour(name) {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  }

  function coloured(value) {
    if (typeof value === "string") return value.startsWith("--") ? colour(value) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
    }
    return value;
  }

  // Plotly's own defaults are for a white page: give axes, hover and fonts the page's.
  function axis(given, narrow) {
    return {
      gridcolor: colour("--chart-grid"),
      linecolor: colour("--line-strong"),
      tickcolor: colour("--line-strong"),
      zeroline: false,
      showgrid: true,
      automargin: true,
      nticks: narrow ? 5 : undefined,
      ...given,
      title: given.title && { ...given.title, font: { size: 12 } },
    };
  }

  // A label on a narrow picture takes several lines, or it runs out of it.
  function broken(label) {
    return { ...label, text: label.text.replaceAll(" and ", " and<br>").replace(/ released$/, "<br>released") };
  }

  function layout(given, place) {
    const narrow = place.clientWidth < 520;
    const made = {
      autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 8, r: 8, t: 28, b: 8 },
      hovermode: "x unified",
      bargap: 0.15,
      showlegend: true,
      legend: {
        traceorder: "normal",
        orientation: "h",
        x: 0,
        // At the top of the picture, which the drawing then makes room for: above the drawing it would slide into it.
        yref: "container",
        y: 1,
        yanchor: "top",
        font: { size: narrow ? 11 : 12 },
        ...(narrow && { entrywidth: 0.5, entrywidthmode: "fraction" }),
      },
      ...given,
      annotations: narrow ? given.annotations?.map(broken) : given.annotations,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--ink-2"), ...given.font },
      hoverlabel: {
        bgcolor: colour("--raised"),
        bordercolor: colour("--line-strong"),
        font: { color: colour("--ink") },
        ...given.hoverlabel,
      },
    };
    for (const key of new Set(["xaxis", "yaxis", ...Object.keys(given).filter((one) => /^[xy]axis\d*$/.test(one))])) {
      made[key] = axis(given[key] ?? {}, narrow);
    }
    return made;
  }

  function draw(figure) {
    const place = figure.querySelector(".plot");
    const data = figure.querySelector('script[type="application/json"]');
    if (!place || !data) return;
    const given = JSON.parse(data.textContent);
    const drawn = coloured(given);
    window.Plotly.react(place, drawn.data, layout(drawn.layout ?? {}, place), {
      displayModeBar: false,
      responsive: true,
      staticPlot: false,
    });
  }

  function drawAll() {
    for (const figure of document.querySelectorAll("figure[data-chart]")) draw(figure);
  }

  document.addEventListener("retort:scheme", drawAll);
  document.addEventListener("htmx:load", (event) => {
    for (const figure of event.detail.elt.querySelectorAll("figure[data-chart]")) draw(figure);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  window.matchMedia("print").addEventListener("change", drawAll);
  drawAll();
})();
