// What is in force where the reader lives comes first, the rest of the district below it. The community is remembered on this
// device only. Without this script everything in force stands in one list, the most severe first.
(function () {
  "use strict";
  var NAME = "anlan.place", language = document.documentElement.lang.slice(0, 2), offline = window.AnlanOffline, asked = null;
  function one(selector) { return document.querySelector(selector); }
  function prefix(code) { return code.replace(/(?:0{10}|0{8}|0{6}|0{3})$/, ""); }
  function touches(card, code) {
    return card.getAttribute("data-regions").split(" ").some(function (region) { return region && code.indexOf(prefix(region)) === 0; });
  }
  function names() { try { return JSON.parse(localStorage.getItem(NAME)) || {}; } catch (error) { return {}; } }
  function keepName(found) { try { localStorage.setItem(NAME, JSON.stringify({ code: found.code, zh: found.zh, en: found.en })); } catch (error) { return; } }
  // The community's name: kept with the choice, else looked up once in the file that devices search.
  function named(code, then) {
    var kept = names();
    if (kept.code === code) { then(kept[language] || kept.zh); return; }
    asked = asked || fetch("/fields/index.json", { credentials: "same-origin" }).then(function (response) { return response.json(); });
    asked.then(function (data) {
      var found = data.communities.filter(function (each) { return each.code === code; })[0];
      if (!found) return;
      keepName(found);
      then(found[language] || found.zh);
    }).catch(function () { asked = null; });
  }
  function arrange() {
    var place = one("[data-place]"), code = offline ? offline.community() : "", list = one("[data-live-list]");
    if (!place) return;
    place.hidden = false;
    one("[data-place-ask]").hidden = Boolean(code);
    one("[data-place-known]").hidden = one("[data-place-forget-line]").hidden = !code;
    if (code) {
      one("[data-place-link]").href = "/" + language + "/communities/" + code + "/";
      named(code, function (name) { one("[data-place-name]").textContent = name; });
    }
    var cards = Array.prototype.slice.call(list.querySelectorAll("article")), away = one("[data-away]");
    if (!away) return;
    cards.forEach(function (card, at) { if (!card.hasAttribute("data-at")) card.setAttribute("data-at", at); });
    cards.sort(function (a, b) { return a.getAttribute("data-at") - b.getAttribute("data-at"); });
    var here = cards.filter(function (card) { return !code || touches(card, code); });
    one("[data-none-here]").hidden = here.length > 0;
    away.hidden = here.length === cards.length;
    here.forEach(function (card) { card.classList.remove("is-away"); list.appendChild(card); });
    list.appendChild(away);
    cards.forEach(function (card) { if (here.indexOf(card) < 0) { card.classList.add("is-away"); list.appendChild(card); } });
  }
  function say(key, fill) {
    var said = one("[data-place-said]");
    said.hidden = false;
    said.textContent = said.getAttribute("data-" + key).replace("#", fill === undefined ? "" : fill);
  }
  function withHere(act) {
    if (window.AnlanHere) { act(window.AnlanHere); return; }
    var script = document.createElement("script");
    script.src = one("[data-place]").getAttribute("data-here-script");
    script.onload = function () { act(window.AnlanHere); };
    script.onerror = function () { say("nodata"); };
    document.head.appendChild(script);
  }
  function near() {
    say("looking");
    withHere(function (here) {
      here.locate().then(function (at) {
        if (at.rough) { say("rough", at.accuracy); return undefined; }
        return here.communityAt(at.lon, at.lat).then(function (found) {
          if (!found) { say("outside"); return undefined; }
          keepName(found);
          one("[data-place-said]").hidden = true;
          offline.remember(found.code);
          arrange();
          offline.choose(found.code, ["/zh/communities/" + found.code + "/", "/en/communities/" + found.code + "/",
            "/fields/" + found.code + ".json"]).catch(function () { return undefined; });
          return undefined;
        });
      }).catch(function (why) { say(typeof why === "string" ? why : "nodata"); });
    });
  }
  document.addEventListener("click", function (event) {
    if (event.target.closest && event.target.closest("[data-place-near]")) near();
    if (event.target.closest && event.target.closest("[data-place-forget]")) {
      offline.remember("");
      offline.choose("", []).catch(function () { return undefined; });
      arrange();
    }
  });
  document.addEventListener("anlan:updated", arrange);
  arrange();
})();
