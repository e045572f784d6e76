// A screen that nobody touches: it asks for its own page every few seconds, puts what is new in place without a flicker, and says
// since when it has heard nothing. What it shows is never taken away by a lost connection.
(function () {
  "use strict";
  var EVERY = 10000, LATE = 10000, SILENT = 60000, STALE = 20 * 60000, TURN = 15000;
  var body = document.body, zone = body.getAttribute("data-zone"), heard = Date.parse(document.documentElement.getAttribute("data-kept")) || Date.now(), made = null, at = 0, parts = files(document);

  function all(selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); }
  function files(page) {
    return all("script[src], link[rel='stylesheet']", page).map(function (item) { return item.getAttribute("src") || item.getAttribute("href"); }).join(" ");
  }
  function words(key, language, fill) { return (body.getAttribute("data-" + key + "-" + language) || "").replace("#", fill || ""); }
  function clock(moment) {
    return new Intl.DateTimeFormat("zh-CN", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone }).format(moment);
  }
  function day(moment) {
    return new Intl.DateTimeFormat("zh-CN", { month: "long", day: "numeric", weekday: "short", timeZone: zone }).format(moment);
  }
  // A moment of another day with its day: a screen may stay alone for long.
  function since(moment) {
    var date = new Intl.DateTimeFormat("zh-CN", { month: "numeric", day: "numeric", timeZone: zone });
    return (date.format(moment) === date.format(Date.now()) ? "" : date.format(moment) + " ") + clock(moment);
  }
  function bilingual(element, key, fill) {
    element.textContent = "";
    ["zh", "en"].forEach(function (language) {
      var part = document.createElement("span");
      part.lang = language === "zh" ? "zh-CN" : "en";
      part.className = language;
      part.textContent = words(key, language, fill) + " ";
      element.appendChild(part);
    });
  }

  // -- what is in force, and what is past by this screen's clock -------------------------------------------
  function look() {
    var now = Date.now();
    all("[data-clock]").forEach(function (item) { item.textContent = day(now) + (document.querySelector("[data-time]") ? "" : " " + clock(now)); });
    all("[data-time]").forEach(function (item) { item.textContent = clock(now); });
    all("[data-expires]").forEach(function (item) {
      if (!(Date.parse(item.getAttribute("data-expires")) <= now)) return;
      item.classList.add("is-past");
      all("[data-past]", item).forEach(function (part) { part.hidden = false; });
      all("[data-live]", item).forEach(function (part) { part.hidden = true; });
    });
    var silence = document.querySelector("[data-silence]"), none = document.querySelector("[data-none]");
    var lost = now - heard >= SILENT, stale = !lost && made !== null && now - made >= STALE, from = since(lost ? heard : made || heard);
    document.querySelector("[data-contact]").textContent = since(heard);
    if (lost || stale) {
      bilingual(silence, lost ? "lost" : "stale", from);
      if (none) bilingual(none, "calm-then", from);  // nobody knows whether it is still so
    }
    if (silence.hidden !== !(lost || stale)) {
      silence.hidden = !(lost || stale);
      fit();
    }
  }
  function turn() {
    var cards = all("[data-alarm]"), others = all("[data-other]");
    cards.forEach(function (card, n) { card.hidden = n !== at % cards.length; });
    others.forEach(function (other, n) { other.hidden = n === at % cards.length; });
    fit();
  }
  // The letters never become smaller: what is spare goes, until the rest has room.
  function fit() {
    all("[data-spare]").forEach(function (part) { part.hidden = false; });
    var shown = document.querySelector("[data-alarm]:not([hidden]), [data-calm]");
    if (!shown) return;
    var spare = all("[data-spare]", shown).concat(all("[data-near] [data-spare]")).sort(function (a, b) { return b.getAttribute("data-spare") - a.getAttribute("data-spare"); });
    while (spare.length && shown.scrollHeight > shown.clientHeight + 1) spare.shift().hidden = true;
  }

  // -- asking ----------------------------------------------------------------------------------------------
  function ask(path) {
    var control = new AbortController(), timer = setTimeout(function () { control.abort(); }, LATE);
    return fetch(path, { cache: "no-cache", credentials: "same-origin", signal: control.signal }).then(function (response) {
      if (!response.ok || response.headers.get("x-anlan-kept")) throw new Error(path);  // what the device itself has kept is no contact
      return response.text();
    }).then(function (text) { clearTimeout(timer); return text; }, function (error) { clearTimeout(timer); throw error; });
  }
  function replace(text) {
    var page = new DOMParser().parseFromString(text, "text/html"), fresh = page.getElementById("main"), old = document.getElementById("main");
    if (!fresh) throw new Error("no page");
    if (files(page) !== parts) { location.reload(); return; }  // the portal was upgraded
    // The same page again puts back what this device had marked: its words are those of the server now.
    var next = document.importNode(fresh, true);
    if (old.getAttribute("data-alarms") !== fresh.getAttribute("data-alarms")) at = 0;
    body.className = page.body.className;
    old.parentNode.replaceChild(next, old);
  }
  function renew() {
    Promise.all([ask(location.pathname), ask("/feeds/index.json")]).then(function (both) {
      heard = Date.now();
      made = Date.parse(JSON.parse(both[1]).generated) || null;
      replace(both[0]);
    }).catch(function () { return undefined; }).then(function () { look(); turn(); setTimeout(renew, EVERY); });
  }

  // -- the nearest shelters --------------------------------------------------------------------------------
  function metres(a, b) {
    var x = (b[0] - a[0]) * Math.cos((a[1] + b[1]) * Math.PI / 360), y = b[1] - a[1];
    return Math.sqrt(x * x + y * y) * 111195;
  }
  function shelters() {
    var middle = (body.getAttribute("data-middle") || "").split(",").map(Number), section = document.querySelector("[data-near]");
    if (middle.length !== 2) return;
    ask("/fields/shelters.json").then(function (text) {
      var near = JSON.parse(text).shelters.filter(function (s) { return s.at && s.status !== "unsafe"; });
      near.forEach(function (s) {
        s.away = metres(middle, s.at);
        s.sure = s.open && !s.stale;  // what was said too long ago is not "now"
      });
      near.sort(function (a, b) { return (b.sure ? 1 : 0) - (a.sure ? 1 : 0) || a.away - b.away; });
      var list = section.querySelector("ul");
      list.textContent = "";
      near.slice(0, 3).forEach(function (s, at) {
        var item = document.createElement("li"), name = document.createElement("strong");
        var state = s.sure ? "open" : s.open ? "unsure" : s.status === "full" && !s.stale ? "full" : "not-open";
        if (at) item.setAttribute("data-spare", at === 2 ? "2.5" : "1");
        name.lang = "zh-CN";
        name.textContent = s.zh;
        item.appendChild(name);
        item.appendChild(document.createTextNode(" " + words("metres", "zh", String(Math.round(s.away / 50) * 50)) + " · "
          + words(state, "zh") + " " + words(state, "en")));
        list.appendChild(item);
      });
      section.hidden = !near.length;
      fit();
    }).catch(function () { return undefined; }).then(function () { setTimeout(shelters, 60000); });
  }

  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(function () { return undefined; });  // after a power cut without a network
  look();
  turn();
  window.addEventListener("resize", fit);
  setInterval(look, 1000);
  setInterval(function () { at += 1; turn(); }, TURN);
  setTimeout(renew, EVERY);
  shelters();
})();
