// Notifications as they arrive. This stands behind the worker's other part in /sw.js. What it promises to payloads of later
// versions: `title`, `body`, `url` and `end` keep their meaning, whatever else is there is passed over, and what cannot be read at
// all still says that there is something to look at.
(function () {
  "use strict";
  var STORE = "anlan-push", SEEN = "/push/seen", STATE = "/push/state", MOST_SEEN = 60;
  var GENERAL = { title: "安澜 Anlan", body: "有新的预警信息，请点开查看。\nThere is something new: open the page.", url: "/" };
  var turn = Promise.resolve();

  function read(path) {
    return caches.open(STORE).then(function (cache) { return cache.match(path); }).then(function (found) {
      return found ? found.json() : {};
    }).catch(function () { return {}; });
  }
  function write(path, value) {
    return caches.open(STORE).then(function (cache) {
      return cache.put(path, new Response(JSON.stringify(value), { headers: { "content-type": "application/json" } }));
    }).catch(function () { return undefined; });
  }
  function parsed(data) {
    var got;
    try { got = data.json(); } catch (error) { got = null; }
    return got && typeof got === "object" && typeof got.title === "string" && got.title ? got : GENERAL;
  }
  function text(value, most) { return typeof value === "string" ? value.slice(0, most) : ""; }
  function ours(url) {
    try {
      var at = new URL(typeof url === "string" ? url : "/", self.location.origin);
      return at.origin === self.location.origin ? at.pathname + at.search + at.hash : "/";
    } catch (error) { return "/"; }
  }
  function past(end) { return typeof end === "number" && Date.now() >= end * 1000; }
  // What has ended since it was shown is taken down; a browser wakes us for that only together with something else. Never while
  // one is being shown: Chromium forgets a notification that it is asked about at that moment, and a click on it leads nowhere.
  function tidy() {
    return self.registration.getNotifications().then(function (shown) {
      shown.forEach(function (one) { if (one.data && past(one.data.end)) one.close(); });
    });
  }
  function tidyInTurn() {
    turn = turn.then(tidy).catch(function () { return undefined; });
    return turn;
  }
  // Whether a message is new: not one that came before in another way, and not older than what was shown of the same warning.
  function isNew(message) {
    if (typeof message.id !== "string" || typeof message.n !== "number") return Promise.resolve(true);
    return read(SEEN).then(function (seen) {
      if (seen[message.id] && seen[message.id][0] >= message.n) return false;
      delete seen[message.id];
      var keys = Object.keys(seen);
      keys.slice(0, Math.max(0, keys.length - MOST_SEEN + 1)).forEach(function (key) { delete seen[key]; });
      seen[message.id] = [message.n];
      return write(SEEN, seen).then(function () { return true; });
    });
  }
  function show(message) {
    var urgent = (message.tier === "red" || message.tier === "orange") && message.kind !== "cancel" && message.drill !== true;
    return self.registration.showNotification(text(message.title, 200), {
      body: text(message.body, 1000), lang: text(message.lang, 20), tag: text(message.id, 80) || "anlan", renotify: true,
      requireInteraction: urgent, timestamp: typeof message.sent === "number" ? message.sent * 1000 : Date.now(),
      data: { url: ours(message.url), end: typeof message.end === "number" ? message.end : null }
    });
  }
  function post(path, value) {
    return fetch("/push/" + path, { method: "POST", credentials: "omit", headers: { "content-type": "application/json" },
      body: JSON.stringify(value) });
  }
  self.addEventListener("push", function (event) {
    var message = parsed(event.data);
    turn = turn.then(function () { return read(STATE); }).then(function (state) {
      if (state.off) {  // turned off on this device while the network was away: the portal hears of it now
        return state.endpoint ? post("off", { endpoint: state.endpoint }).catch(function () { return undefined; }) : undefined;
      }
      if (past(message.end)) return undefined;
      return isNew(message).then(function (fresh) { return fresh ? show(message) : undefined; });
    }).then(tidy).catch(function () { return undefined; });
    event.waitUntil(turn);
  });
  self.addEventListener("notificationclick", function (event) {
    var url = ours(event.notification.data && event.notification.data.url);
    event.notification.close();
    event.waitUntil(self.clients.matchAll({ type: "window", includeUncontrolled: true }).then(function (windows) {
      var there = windows.filter(function (one) { return ours(one.url) === url; })[0];
      return there ? there.focus() : self.clients.openWindow(url);
    }).then(tidyInTurn));
  });
  self.addEventListener("fetch", function (event) {
    if (event.request.mode === "navigate") event.waitUntil(tidyInTurn());
  });
  // The push service gave this browser another address: the portal moves what was chosen to it.
  self.addEventListener("pushsubscriptionchange", function (event) {
    event.waitUntil(read(STATE).then(function (state) {
      var old = (event.oldSubscription && event.oldSubscription.endpoint) || state.endpoint;
      if (state.off || !old) return undefined;
      var next = event.newSubscription ? Promise.resolve(event.newSubscription)
        : fetch("/push/key").then(function (answer) { return answer.json(); }).then(function (told) {
          return self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: told.key });
        });
      return next.then(function (subscription) {
        return post("renew", { old: old, subscription: subscription.toJSON() }).then(function (answer) {
          if (!answer.ok) throw new Error("not renewed");
          return write(STATE, { endpoint: subscription.endpoint });
        });
      });
    }));
  });
})();
