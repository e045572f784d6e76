// The bar says since when it has heard nothing: silence must not look like calm. What looks again by itself takes nothing away that
// is being pressed. Printing is offered where scripts run.
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
  // A click is lost where what was pressed is replaced before it is let go. The next look, seconds later, brings the same.
  const LONGEST = 5000, AFTER = 300;  // a press whose end nobody told; a finger's click comes after its end
  let until = 0;
  document.addEventListener("pointerdown", function () { until = performance.now() + LONGEST; }, true);
  for (const name of ["pointerup", "pointercancel"])
    document.addEventListener(name, function () { until = Math.min(until, performance.now() + AFTER); }, true);
  document.addEventListener("htmx:beforeSwap", function (event) {
    const looks = (event.detail.requestConfig.elt.getAttribute("hx-trigger") || "").includes("every ");
    if (looks && performance.now() < until) event.detail.shouldSwap = false;
  });
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", function () { window.print(); });
  }
})();
