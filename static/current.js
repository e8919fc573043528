// Where a row of places or tabs is wider than the window, the one that is open is scrolled into sight.
"use strict";

for (const open of document.querySelectorAll("nav > [aria-current=page]")) {
  const row = open.parentElement;
  if (row.scrollWidth > row.clientWidth) {
    const before = open.getBoundingClientRect().left - row.getBoundingClientRect().left + row.scrollLeft;
    row.scrollLeft = before - (row.clientWidth - open.offsetWidth) / 2;
  }
}
