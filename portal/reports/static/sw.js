// Keeps the form for when there is no network: the network first, what was kept otherwise. Nothing of a report is kept here.
"use strict";
const CACHE = "anlan-report-1", PATIENCE = 6000, FORM = "/report/";
const PART = /^\/(report\/)?static\//, MAP = "/report/regions.json";

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("anlan-report-") && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
})()));

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname === FORM || url.pathname === MAP || PART.test(url.pathname)) event.respondWith(answer(event, url));
  else if (request.mode === "navigate" && url.pathname.startsWith(FORM)) event.respondWith(fetch(request).catch(async (error) => {
    const found = await (await caches.open(CACHE)).match(FORM);  // the form also shows what waits on this phone
    if (found) return found;
    throw error;
  }));
});

async function answer(event, url) {
  const key = url.pathname === FORM ? FORM : url.pathname + url.search;
  try {
    const fresh = await within(fetch(event.request));
    if (fresh.status >= 500) return (await kept(key)) || fresh;
    if (fresh.ok && !fresh.redirected) {
      const copy = fresh.clone();
      event.waitUntil(caches.open(CACHE).then((cache) => cache.put(key, copy)));
    }
    return fresh;
  } catch (error) {
    const found = await kept(key);
    if (found) return found;
    throw error;
  }
}

function within(promise) {
  return Promise.race([promise, new Promise((_resolve, reject) => { setTimeout(() => reject(new Error("too slow")), PATIENCE); })]);
}

async function kept(key) {
  const cache = await caches.open(CACHE);
  return (await cache.match(key)) || (PART.test(key) ? cache.match(key, { ignoreSearch: true }) : null);
}
