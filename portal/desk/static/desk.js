// The bar says since when it has heard nothing: silence must not look like calm. Printing is offered where scripts run.
(function () {
  "use strict";
  function show(lost) {
    const note = document.getElementById("live-lost");
    if (!note) return;
    note.hidden = !lost;
    document.getElementById("live").classList.toggle("live-stale", lost);
  }
  for (const name of ["htmx:sendError", "htmx:timeout"])
    document.addEventListener(name, function () { show(true); });
  document.addEventListener("htmx:responseError", function (event) {
    if (event.detail.xhr.status >= 500) show(true); // a refusal is an answer too: there is contact
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    // Only the bar's own answer brings the bar up to date; its swap also puts the note away.
    if (event.detail.successful && event.detail.pathInfo.requestPath.endsWith("/desk/live")) show(false);
  });
  window.addEventListener("offline", function () { show(true); });
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  }
})();
