// Pages are files, so a warning may end while nothing renders them again: the device's own clock marks it as past.
// A page that may change asks again by its ETag, and takes over what changed where the reader is. Without this script the
// page still says until when the warning is in force.
(function () {
  "use strict";
  var EVERY = 30000, root = document.documentElement, main = document.getElementById("main");
  var shown = main && main.hasAttribute("data-refresh") ? main.innerHTML : null, tag = "", asked = Date.now(), timer = 0;
  function each(root, selector, act) { Array.prototype.forEach.call(root.querySelectorAll(selector), act); }
  function look() {
    each(document, "[data-expires]", function (item) {
      if (!(Date.parse(item.getAttribute("data-expires")) <= Date.now())) return;
      item.classList.add("is-past");
      each(item, "[data-past]", function (part) { part.hidden = false; });
      each(item, "[data-live]", function (part) { part.hidden = true; });
    });
    var made = document.querySelector("[data-made]"), age = document.querySelector("[data-age]");
    if (!made || !age) return;
    var minutes = Math.floor((Date.now() - Date.parse(made.getAttribute("datetime"))) / 60000);
    age.hidden = !(minutes >= 1);
    age.textContent = minutes < 120 ? " " + age.getAttribute("data-minutes").replace("#", minutes)
      : " " + age.getAttribute("data-hours").replace("#", Math.floor(minutes / 60));
  }
  // What the reader sees stays where it is, what was open stays open, and the keyboard stays where it was.
  function swap(next) {
    var marks = Array.prototype.slice.call(main.querySelectorAll("h1, h2")), open = {}, focus = document.activeElement, way = "";
    var seen = marks.filter(function (mark) { return mark.getBoundingClientRect().bottom > 0; })[0];
    var top = seen && seen.getBoundingClientRect().top;
    each(main, "details[open] > summary", function (line) { open[line.textContent] = true; });
    if (focus && main.contains(focus) && focus !== main) way = focus.id ? "#" + focus.id : focus.getAttribute("href") ? "[href='" + focus.getAttribute("href") + "']" : "";
    main.replaceChildren.apply(main, Array.prototype.slice.call(next.childNodes));
    each(main, "details > summary", function (line) { if (open[line.textContent]) line.parentNode.open = true; });
    document.dispatchEvent(new Event("anlan:updated"));
    look();
    if (way && (focus = main.querySelector(way))) focus.focus({ preventScroll: true });
    marks = seen && Array.prototype.filter.call(main.querySelectorAll(seen.tagName), function (mark) { return mark.textContent === seen.textContent; })[0];
    if (marks && window.scrollY) window.scrollBy(0, marks.getBoundingClientRect().top - top);
  }
  // A click is lost where what was pressed is replaced before it is let go; and a finger's click comes a little after that.
  var HELD = 5000, AFTER = 300, until = 0;
  document.addEventListener("pointerdown", function () { until = performance.now() + HELD; }, true);
  ["pointerup", "pointercancel"].forEach(function (name) {
    document.addEventListener(name, function () { until = Math.min(until, performance.now() + AFTER); }, true);
  });
  function take(text) {
    if (performance.now() < until) { setTimeout(take, AFTER, text); return; }
    var page = new DOMParser().parseFromString(text, "text/html"), next = page.getElementById("main");
    var made = document.querySelector("[data-made]"), fresh = page.querySelector("[data-made]"), told = document.querySelector("[data-updated]");
    if (!next) return;
    if (made && fresh) { made.setAttribute("datetime", fresh.getAttribute("datetime")); made.textContent = fresh.textContent; }
    if (next.innerHTML === shown) { look(); return; }
    shown = next.innerHTML;
    document.title = page.title;
    swap(next);
    told.hidden = false;
    told.textContent = told.getAttribute("data-words").replace("#", fresh ? fresh.textContent : "");
  }
  // The age of what is shown: of the last answer, or of what the worker kept.
  function contact(moment, fresh) {
    root.setAttribute("data-contact", moment);
    if (fresh) root.removeAttribute("data-kept"); else root.setAttribute("data-kept", moment);
    document.dispatchEvent(new Event("anlan:contact"));
  }
  function ask() {
    clearTimeout(timer);
    timer = setTimeout(ask, EVERY * (0.9 + Math.random() / 5));
    if (document.hidden || navigator.onLine === false) return;
    asked = Date.now();
    fetch(location.pathname, { cache: "no-cache", credentials: "same-origin" }).then(function (response) {
      if (!response.ok || response.redirected) throw new Error("no page");
      var kept = response.headers.get("x-anlan-kept"), now = response.headers.get("etag");
      if (kept) { contact(root.getAttribute("data-contact") || kept, false); return undefined; }
      contact(new Date().toISOString(), true);
      if (now && now === tag) return undefined;
      tag = now;
      return response.text().then(take);
    }).catch(function () { contact(root.getAttribute("data-contact") || new Date(asked).toISOString(), false); });
  }
  look();
  setInterval(look, 15000);
  if (shown === null || !window.fetch || !window.DOMParser || !main.replaceChildren) return;
  if (!root.hasAttribute("data-kept")) root.setAttribute("data-contact", new Date().toISOString());
  timer = setTimeout(ask, EVERY);
  document.addEventListener("visibilitychange", function () { if (!document.hidden && Date.now() - asked > 10000) ask(); });
  window.addEventListener("online", ask);
})();
