// On every page: the worker that keeps pages, the banner that says how old a kept page is, and the link to the community
// that the reader chose. The choice is kept on this device only.
(function () {
  "use strict";
  var KEY = "anlan.community", LIST = "anlan.kept", WHEN = "anlan.refreshed", EVERY = 15 * 60000;
  var root = document.documentElement, language = root.lang.slice(0, 2), loaded = new Date();

  function read(key) { try { return window.localStorage.getItem(key) || ""; } catch (error) { return ""; } }
  function write(key, value) {
    try { if (value) window.localStorage.setItem(key, value); else window.localStorage.removeItem(key); return true; }
    catch (error) { return false; }
  }
  function clock(moment) {
    // In the district's zone, as everywhere on the pages, wherever the device believes to be.
    var zone = document.querySelector("[data-zone]").getAttribute("data-zone"), day = { timeZone: zone };
    var options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone };
    if (moment.toLocaleDateString("en", day) !== new Date().toLocaleDateString("en", day)) {
      options.month = "short";
      options.day = "numeric";
    }
    return moment.toLocaleString(root.lang, options);
  }
  function age(moment) {
    var minutes = Math.max(0, Math.floor((Date.now() - moment) / 60000)), banner = document.querySelector("[data-kept-banner]");
    return minutes < 120 ? banner.getAttribute("data-minutes").replace("#", minutes)
      : banner.getAttribute("data-hours").replace("#", Math.floor(minutes / 60));
  }
  // A page that the worker gave from what it keeps carries the time of that; one that was fresh is as of its loading.
  function look() {
    var banner = document.querySelector("[data-kept-banner]"), kept = root.getAttribute("data-kept");
    if (!banner) return;
    var moment = kept ? new Date(kept) : new Date(root.getAttribute("data-contact") || loaded);
    banner.hidden = !kept && navigator.onLine !== false;
    banner.textContent = banner.getAttribute("data-words").replace("#", clock(moment)) + " " + age(moment);
  }
  // Asks the worker to keep these paths; the answer is {kept, failed}.
  function keep(paths) {
    if (!("serviceWorker" in navigator)) return Promise.reject(new Error("no worker"));
    return navigator.serviceWorker.ready.then(function (registration) {
      return new Promise(function (done, refused) {
        var channel = new MessageChannel();
        channel.port1.onmessage = function (event) { if (event.data.failed) refused(event.data); else done(event.data); };
        registration.active.postMessage({ keep: paths }, [channel.port2]);
        setTimeout(refused, 60000, new Error("too slow"));
      });
    });
  }
  function refresh() {
    var paths;
    try { paths = JSON.parse(read(LIST)); } catch (error) { return; }
    if (!paths.length || navigator.onLine === false || Date.now() - Number(read(WHEN)) < EVERY) return;
    write(WHEN, String(Date.now()));
    keep(paths).catch(function () { write(WHEN, ""); });
  }
  window.AnlanOffline = {
    clock: clock,
    community: function () { return /^\d{12}$/.test(read(KEY)) ? read(KEY) : ""; },
    // How many paths are kept with it.
    count: function () { try { return JSON.parse(read(LIST)).length; } catch (error) { return 0; } },
    // Only which community it is, where the worker cannot keep its pages.
    remember: function (code) { write(KEY, code); link(); },
    choose: function (code, paths) {
      return keep(paths).then(function () {
        write(KEY, code); write(LIST, paths.length ? JSON.stringify(paths) : ""); write(WHEN, String(Date.now()));
        link();
      });
    }
  };
  function link() {
    var code = window.AnlanOffline.community();
    Array.prototype.forEach.call(document.querySelectorAll("[data-mine]"), function (item) {
      item.setAttribute("href", "/" + language + "/communities/" + (code ? code + "/" : ""));
    });
  }
  // The warnings that the front page names are kept before anybody opens them, in the language that is read.
  function warnings() {
    var main = document.querySelector("main[data-refresh]"), paths = [];
    if (!main || !("serviceWorker" in navigator)) return;
    Array.prototype.forEach.call(main.querySelectorAll("a[href*='/warnings/']"), function (item) {
      if (paths.indexOf(item.pathname) < 0) paths.push(item.pathname);
    });
    if (paths.length) navigator.serviceWorker.ready.then(function (found) { found.active.postMessage({ warnings: paths.slice(0, 15) }); });
  }
  document.addEventListener("anlan:updated", warnings);
  link();
  look();
  setInterval(look, 15000);
  document.addEventListener("anlan:contact", look);
  window.addEventListener("offline", look);
  window.addEventListener("online", look);
  if ("serviceWorker" in navigator && window.isSecureContext) {
    navigator.serviceWorker.register("/sw.js", { scope: "/" }).then(function () { refresh(); warnings(); }, function () { return undefined; });
  }
})();
