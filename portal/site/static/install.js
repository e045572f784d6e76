// An installed site is offered where the browser allows it, once, and never again after a no.
(function () {
  "use strict";
  var NO = "anlan.install-no", offer = null, part = document.querySelector("[data-install]");
  if (!part) return;
  function read() { try { return localStorage.getItem(NO); } catch (error) { return null; } }
  window.addEventListener("beforeinstallprompt", function (event) {
    event.preventDefault();
    if (part.hasAttribute("data-install-hint") && read()) return;
    offer = event;
    part.hidden = false;
  });
  window.addEventListener("appinstalled", function () { part.hidden = true; });
  part.addEventListener("click", function (event) {
    if (event.target.closest("[data-install-no]")) {
      try { localStorage.setItem(NO, "1"); } catch (error) { offer = null; }
      part.hidden = true;
    } else if (offer && event.target.closest("[data-install-button]")) {
      offer.prompt();
      part.hidden = true;
    }
  });
})();
