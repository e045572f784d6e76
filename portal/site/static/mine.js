// A community is chosen, and kept on this phone: its page, its file of the field, and the shelters that its page names.
(function () {
  "use strict";
  var here = window.AnlanHere, offline = window.AnlanOffline, said = document.querySelector("[data-here]");
  function say(text, link) {
    said.hidden = false;
    said.textContent = text;
    if (link) said.appendChild(link);
  }
  var near = document.querySelector("[data-near]");
  if (near) {
    document.querySelector("[data-find]").hidden = false;
    near.addEventListener("click", function () {
      say(here.words("looking"));
      here.locate().then(function (at) {
        if (at.rough) { say(here.words("rough", at.accuracy)); return undefined; }
        return here.communityAt(at.lon, at.lat).then(function (found) {
          if (!found) { say(here.words("outside")); return; }
          var link = document.createElement("a");
          link.href = "/" + here.language + "/communities/" + found.code + "/";
          link.className = "button";
          link.textContent = found[here.language];
          say(here.words("community", "") + " ", link);
        });
      }).catch(function (why) { say(here.words(typeof why === "string" ? why : "nodata")); });
    });
  }
  var page = document.querySelector("[data-community]"), part = document.querySelector("[data-keep]");
  if (!page || !part || !offline || !("serviceWorker" in navigator) || !window.isSecureContext) return;
  var code = page.getAttribute("data-community"), button = document.querySelector("[data-keep-button]");
  var told = document.querySelector("[data-kept-words]");
  function show() { button.setAttribute("aria-pressed", String(offline.community() === code)); }
  function paths() {
    var found = ["/zh/communities/" + code + "/", "/en/communities/" + code + "/", "/fields/" + code + ".json"];
    Array.prototype.forEach.call(page.querySelectorAll("a[href*='/shelters/']"), function (link) {
      var path = new URL(link.href).pathname;
      if (/\/shelters\/./.test(path) && found.indexOf(path) < 0 && found.length < 30) found.push(path);
    });
    return found;
  }
  part.hidden = false;
  show();
  // Chosen elsewhere, by the location on the front page: what this page leads to is kept with it from now on.
  if (offline.community() === code && offline.count() < paths().length) offline.choose(code, paths()).catch(function () { return undefined; });
  if (offline.community() === code) told.textContent = told.getAttribute("data-kept");
  button.addEventListener("click", function () {
    var letGo = offline.community() === code;
    button.disabled = true;
    offline.choose(letGo ? "" : code, letGo ? [] : paths()).then(function () {
      told.textContent = told.getAttribute(letGo ? "data-let-go" : "data-kept");
    }, function () { told.textContent = told.getAttribute("data-failed"); }).then(function () { button.disabled = false; show(); });
  });
})();
