"use strict";
// Says so when the code cannot be refreshed: an old one checks nobody in.
for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"])
  document.addEventListener(name, () => { const lost = document.querySelector("#code [data-lost]"); if (lost) lost.hidden = false; });
