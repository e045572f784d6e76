// The switch of notifications on this device. What is chosen goes to the portal under the browser's own secret address at its push
// service; no number and no cookie is needed. Turning off works without the network as well.
(function () {
  "use strict";
  var STORE = "anlan-push", STATE = "/push/state", LATER = "anlan.push.off";
  var part = document.querySelector("[data-push]");
  if (!part) return;
  var language = document.documentElement.lang.slice(0, 2), form = part.querySelector("form"), status = part.querySelector("[data-push-status]");
  var list = part.querySelector("[data-push-chosen]"), add = part.querySelector("[data-push-add]"), tier = part.querySelector("[data-push-tier]");
  var on = part.querySelector("[data-push-on]"), off = part.querySelector("[data-push-off]");
  var chosen = [], most = 10, key = null, active = false;

  function word(name, fill) {
    var text = part.getAttribute("data-" + name) || "";
    return fill === undefined ? text : text.replace("#", fill);
  }
  function say(name, text) {
    status.textContent = text || word(name);
    status.setAttribute("data-said", name);
  }
  // On a full disk nothing is better than what was there: an "off" that stays would hide every warning from now on.
  function remember(state) {
    return caches.open(STORE).then(function (cache) {
      return cache.put(STATE, new Response(JSON.stringify(state), { headers: { "content-type": "application/json" } }));
    }).catch(function () { return caches.delete(STORE); }).catch(function () { return undefined; });
  }
  function later(endpoint) {
    try { if (endpoint) window.localStorage.setItem(LATER, endpoint); else window.localStorage.removeItem(LATER); }
    catch (error) { return; }
  }
  // {told: words} when the portal refused, anything else when it could not be reached.
  function ask(path, body) {
    return fetch("/push/" + path + "?lang=" + language, body === undefined ? { credentials: "omit" }
      : { method: "POST", credentials: "omit", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
      .then(function (answer) {
        return answer.json().then(function (told) {
          if (answer.ok) return told;
          throw { told: (told.errors || []).map(function (one) { return one.message; }).join(" ") || told.title };
        });
      });
  }
  function bytes(text) {
    var raw = window.atob(text.replace(/-/g, "+").replace(/_/g, "/")), out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  function boundTo(subscription) {
    var own = subscription.options && subscription.options.applicationServerKey, wanted = bytes(key);
    if (!own) return true;
    own = new Uint8Array(own);
    return own.length === wanted.length && wanted.every(function (value, at) { return value === own[at]; });
  }
  function nameOf(code) {
    var option = add.querySelector('option[value="' + code + '"]');
    return option ? option.textContent : "";
  }
  function draw() {
    list.textContent = "";
    chosen.forEach(function (code) {
      var item = document.createElement("li"), button = document.createElement("button");
      item.appendChild(document.createTextNode(nameOf(code) + " "));
      button.type = "button";
      button.className = "button quiet";
      button.textContent = word("remove");
      button.setAttribute("aria-label", word("remove-one", nameOf(code)));
      button.addEventListener("click", function () {
        chosen = chosen.filter(function (one) { return one !== code; });
        draw();
        add.focus();
      });
      item.appendChild(button);
      list.appendChild(item);
    });
    part.querySelector("[data-push-none]").hidden = chosen.length > 0;
    add.disabled = chosen.length >= most;
    on.textContent = word(active ? "change" : "turn-on");
    off.hidden = !active;
  }
  function choose(code) {
    if (/^\d{12}$/.test(code) && nameOf(code) && chosen.indexOf(code) < 0 && chosen.length < most) chosen.push(code);
  }
  function subscribe() {
    return navigator.serviceWorker.ready.then(function (registration) {
      return registration.pushManager.getSubscription().then(function (had) {
        if (had && boundTo(had)) return { subscription: had, fresh: false };
        return (had ? had.unsubscribe() : Promise.resolve()).then(function () {
          return registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
        }).then(function (made) { return { subscription: made, fresh: true }; });
      });
    });
  }
  function turnOn() {
    if (!chosen.length) { say("choose"); add.focus(); return Promise.resolve(); }
    return Promise.resolve(Notification.requestPermission()).then(function (answer) {
      if (answer !== "granted") { say(answer === "denied" ? "denied" : "unasked"); return undefined; }
      say("working");
      return subscribe().then(function (got) {
        var device = got.subscription.toJSON();
        return ask("device", { subscription: { endpoint: device.endpoint, keys: device.keys }, regions: chosen, tier: tier.value, language: language })
          .then(function () {
            later("");
            active = true;
            return remember({ endpoint: device.endpoint }).then(function () { draw(); say("on"); });
          }, function (error) {
            if (got.fresh) got.subscription.unsubscribe();
            throw error;
          });
      });
    }).catch(function (error) {
      if (error && error.told) say("refused", error.told);
      else say(error && error.name === "AbortError" ? "service" : "unreachable");
    });
  }
  function turnOff() {
    return navigator.serviceWorker.ready.then(function (registration) { return registration.pushManager.getSubscription(); })
      .then(function (subscription) {
        if (!subscription) { active = false; draw(); say("off"); return undefined; }
        var endpoint = subscription.endpoint;
        later(endpoint);
        active = false;
        // The worker shows nothing from here on, whatever becomes of the rest.
        return remember({ endpoint: endpoint, off: true }).then(function () {
          draw();
          say("off-later");
          return subscription.unsubscribe().catch(function () { return undefined; });
        }).then(function () { return ask("off", { endpoint: endpoint }); }).then(function () { later(""); say("off"); });
      }).catch(function () { say("off-later"); });
  }
  function settle() {
    var waiting = "";
    try { waiting = window.localStorage.getItem(LATER) || ""; } catch (error) { waiting = ""; }
    return waiting ? ask("off", { endpoint: waiting }).then(function () { later(""); }, function () { return undefined; }) : Promise.resolve();
  }
  function begin(told) {
    key = told.key;
    most = told.regions;
    if (!key) { say("none-here"); return undefined; }
    form.hidden = false;
    choose(new URLSearchParams(window.location.search).get("community") || "");
    if (window.AnlanOffline) choose(window.AnlanOffline.community());
    draw();
    if (Notification.permission === "denied") { say("denied"); return undefined; }
    return navigator.serviceWorker.ready.then(function (registration) { return registration.pushManager.getSubscription(); })
      .then(function (subscription) {
        if (!subscription) { say("is-off"); return undefined; }
        return ask("mine", { endpoint: subscription.endpoint }).then(function (mine) {
          if (!mine.known) { say("lapsed"); return undefined; }
          var asked = chosen;
          chosen = mine.regions.filter(nameOf);
          asked.slice(0, 1).forEach(choose);
          tier.value = mine.tier;
          active = true;
          draw();
          say("is-on");
          // The portal's key is another one: what was chosen is bound to the new one without a word.
          return boundTo(subscription) ? undefined : turnOn();
        });
      });
  }
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window) || !window.isSecureContext) {
    say(/iPhone|iPad/.test(navigator.userAgent) && !navigator.standalone ? "iphone" : "unsupported");
    return;
  }
  add.addEventListener("change", function () { choose(add.value); add.value = ""; draw(); });
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    on.disabled = true;
    turnOn().then(function () { on.disabled = false; });
  });
  off.addEventListener("click", function () {
    off.disabled = true;
    turnOff().then(function () { off.disabled = false; });
  });
  say("working");
  settle().then(function () { return ask("key"); }).then(begin).catch(function () {
    // Without the portal it can still be turned off.
    navigator.serviceWorker.ready.then(function (registration) { return registration.pushManager.getSubscription(); })
      .then(function (subscription) {
        say("unreachable");
        if (!subscription) return;
        active = true;
        form.hidden = false;
        draw();
      });
  });
})();
