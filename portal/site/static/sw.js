// Keeps what a phone needs when the network fails: the shell, the community that its owner chose, shelters, the last pages.
// The network comes first and is given three seconds; what is kept says when it was kept, and pages show that.
// `ANLAN` stands before this text: the version of the shell and what belongs to it. Nothing of /desk/ or /staff/ is touched, and no
// answer about a certificate is kept: it might have been revoked since.
(function () {
  "use strict";
  var WAIT = 3000, MOST_PAGES = 40, MOST_MINE = 40, MOST_GUIDES = 40, MOST_WARNINGS = 30, RECENT = 600000, STAMP = "x-anlan-kept";
  var SHELL = "anlan-shell-" + self.ANLAN.version, PAGES = "anlan-pages-" + self.ANLAN.version, MINE = "anlan-mine", GUIDES = "anlan-guides", WARNINGS = "anlan-warnings", WARNING = /^\/(?:zh|en)\/warnings\/[^\/]+\//;
  var OURS = /^\/(?:$|(?:zh|en)\/(?!verify\/)|assets\/|fields\/|feeds\/|screen\/|search\/)/, GUIDE = /^\/(?:zh|en)\/guides\/[a-z]|^\/assets\/guides\//, SEARCH = /^\/(?:zh|en)\/search\/$/;

  function stamped(response) {
    return response.blob().then(function (body) {
      var headers = new Headers(response.headers);
      headers.delete("content-encoding");
      headers.delete("content-length");
      headers.set(STAMP, new Date().toISOString());
      return new Response(body, { status: 200, headers: headers });
    });
  }
  function fetched(cache, url) {
    return fetch(url, { cache: "no-cache", credentials: "same-origin" }).then(function (response) {
      if (response.status === 404) return undefined;
      if (!response.ok || response.redirected) throw new Error(url);
      return stamped(response).then(function (copy) { return cache.put(url, copy); });
    });
  }
  function bounded(cache, most) {
    return cache.keys().then(function (keys) {
      return Promise.all(keys.slice(0, Math.max(0, keys.length - most)).map(function (key) { return cache.delete(key); }));
    });
  }
  // Where a path is kept: with the shell, with what the owner chose, or with the last pages.
  function keep(path, response) {
    return stamped(response).then(function (copy) {
      if (self.ANLAN.pages.indexOf(path) >= 0) return caches.open(SHELL).then(function (cache) { return cache.put(path, copy); });
      if (GUIDE.test(path)) return caches.open(GUIDES).then(function (cache) {  // the guides that were read last stay
        return cache.delete(path).then(function () { return cache.put(path, copy); })
          .then(function () { return bounded(cache, MOST_GUIDES); });
      });
      if (WARNING.test(path)) return caches.open(WARNINGS).then(function (cache) {
        return cache.delete(path).then(function () { return cache.put(path, copy); })
          .then(function () { return bounded(cache, MOST_WARNINGS); });
      });
      return caches.open(MINE).then(function (mine) {
        return mine.match(path).then(function (own) {
          if (own) return mine.put(path, copy);
          return caches.open(PAGES).then(function (pages) {
            return pages.put(path, copy).then(function () { return bounded(pages, MOST_PAGES); });
          });
        });
      });
    });
  }
  function kept(path) {
    if (path === "/") path = /^zh/.test(self.navigator.language) ? "/zh/" : "/en/";
    return [SHELL, MINE, WARNINGS, GUIDES, PAGES].reduce(function (before, name) {
      return before.then(function (found) {
        return found || caches.open(name).then(function (cache) { return cache.match(path); });
      });
    }, Promise.resolve(undefined));
  }
  // A page from what is kept says so, so that it can show its age.
  function dated(response, isPage) {
    var stamp = response.headers.get(STAMP) || "";
    if (!isPage) return response;
    return response.text().then(function (text) {
      return new Response(text.replace("<html ", '<html data-kept="' + stamp.replace(/[^0-9TZ:.+-]/g, "") + '" '),
        { status: 200, headers: { "content-type": "text/html; charset=utf-8",
          "content-security-policy": response.headers.get("content-security-policy") || "default-src 'self'" } });
    });
  }
  function instead(path, isPage) {
    if (!isPage) return Response.error();
    return kept(path.indexOf("/en/") === 0 ? "/en/offline/" : "/zh/offline/").then(function (page) {
      return page ? dated(page, true) : Response.error();
    });
  }
  function networkFirst(event, path) {
    var request = event.request, isPage = request.mode === "navigate";
    var network = fetch(request).then(function (response) {
      if (response.status >= 500) throw new Error("the server is in trouble");
      return response;
    });
    event.waitUntil(network.then(function (response) {
      return response.ok && !response.redirected && !(SEARCH.test(path) && new URL(request.url).search) ? keep(path, response.clone()) : undefined;
    }).catch(function () { return undefined; }));
    var answer = network.then(function (response) { return response.clone(); });
    var first = answer.catch(function () { return null; });
    var late = new Promise(function (done) { setTimeout(done, WAIT, null); });
    return Promise.race([first, late]).then(function (response) {
      if (response) return response;
      return kept(path).then(function (old) {
        if (old) return dated(old, isPage);
        return answer.catch(function () { return instead(path, isPage); });
      });
    });
  }
  // Scripts and styles never change under one address. A kept page may ask for older ones: any of the same name will do.
  function assetFirst(request, path) {
    return caches.open(SHELL).then(function (cache) {
      return cache.match(path).then(function (found) {
        if (found) return found;
        return fetch(request).catch(function () {
          var stem = path.replace(/-[0-9a-f]{10}\./, ".");
          return cache.keys().then(function (keys) {
            var same = keys.filter(function (key) { return new URL(key.url).pathname.replace(/-[0-9a-f]{10}\./, ".") === stem; });
            return same.length ? cache.match(same[0]) : Response.error();
          });
        });
      });
    });
  }

  self.addEventListener("install", function (event) {
    event.waitUntil(caches.open(SHELL).then(function (cache) {
      return Promise.all(self.ANLAN.assets.map(function (url) { return fetched(cache, url); })).then(function () {
        return Promise.all(self.ANLAN.pages.map(function (url) { return fetched(cache, url).catch(function () { return undefined; }); }));
      });
    }).then(function () { return self.skipWaiting(); }));
  });
  self.addEventListener("activate", function (event) {
    event.waitUntil(caches.keys().then(function (names) {
      return Promise.all(names.filter(function (name) {
        return /^anlan-(?:shell|pages)-/.test(name) && name !== SHELL && name !== PAGES;
      }).map(function (name) { return caches.delete(name); }));
    }).then(function () { return self.clients.claim(); }));
  });
  self.addEventListener("fetch", function (event) {
    var url = new URL(event.request.url);
    if (event.request.method !== "GET" || url.origin !== self.location.origin || !OURS.test(url.pathname)) return;
    event.respondWith(url.pathname.indexOf("/assets/") === 0 && !GUIDE.test(url.pathname) ? assetFirst(event.request, url.pathname)
      : networkFirst(event, url.pathname));
  });
  // {warnings: [paths]}: what the front page leads to, kept before anybody opens it; what was kept a moment ago stays.
  self.addEventListener("message", function (event) {
    var wanted = event.data && event.data.warnings;
    if (!Array.isArray(wanted)) return;
    wanted = wanted.filter(function (path) { return typeof path === "string" && WARNING.test(path); }).slice(0, MOST_WARNINGS);
    event.waitUntil(caches.open(WARNINGS).then(function (cache) {
      return Promise.all(wanted.map(function (path) {
        return cache.match(path).then(function (old) {
          if (old && Date.now() - Date.parse(old.headers.get(STAMP)) < RECENT) return undefined;
          return fetched(cache, path).catch(function () { return undefined; });
        });
      })).then(function () { return bounded(cache, MOST_WARNINGS); }).then(function () {
        if (event.ports[0]) event.ports[0].postMessage({ kept: wanted.length });
      });
    }));
  });
  // {keep: [paths]} keeps these and nothing else of the owner's choice; {keep: []} lets go. Answers {kept, failed}.
  self.addEventListener("message", function (event) {
    var wanted = event.data && event.data.keep;
    if (!Array.isArray(wanted)) return;
    wanted = wanted.filter(function (path) { return typeof path === "string" && OURS.test(path); }).slice(0, MOST_MINE);
    event.waitUntil(caches.open(MINE).then(function (cache) {
      return Promise.all(wanted.map(function (path) {
        return fetched(cache, path).then(function () { return true; }, function () { return false; });
      })).then(function (done) {
        return cache.keys().then(function (keys) {
          return Promise.all(keys.filter(function (key) { return wanted.indexOf(new URL(key.url).pathname) < 0; })
            .map(function (key) { return cache.delete(key); }));
        }).then(function () {
          var failed = done.filter(function (ok) { return !ok; }).length;
          if (event.ports[0]) event.ports[0].postMessage({ kept: done.length - failed, failed: failed });
        });
      });
    }));
  });
})();
