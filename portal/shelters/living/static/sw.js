// Keeps the staff's pages for when there is no network: the network first, what was kept otherwise, marked as such.
"use strict";
const CACHE = "anlan-staff-1", PATIENCE = 8000;
const PAGE = /^\/staff\/(\d+\/(now)?)?$/, PART = /^\/(staff\/)?static\//;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("anlan-staff-") && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
})()));

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || request.headers.get("X-Anlan-Fresh")) return;
  if (PAGE.test(url.pathname) || PART.test(url.pathname)) event.respondWith(answer(event, url));
});

async function answer(event, url) {
  const key = url.pathname + url.search;
  try {
    const fresh = await within(fetch(event.request));
    if (fresh.status >= 500) return (await kept(key)) || fresh;
    // Only pages of somebody who is signed in, and parts of pages; never the door, never a redirect.
    if (fresh.ok && !fresh.redirected && (PART.test(url.pathname) || fresh.headers.get("X-Anlan-Staff"))) {
      const copy = fresh.clone();
      event.waitUntil(caches.open(CACHE).then((cache) => cache.put(key, copy)));
    }
    return fresh;
  } catch (error) {
    const found = (await kept(key)) || (event.request.mode === "navigate" && (await kept("/staff/offline")));
    if (found) return found;
    throw error;
  }
}

function within(promise) {
  return Promise.race([promise, new Promise((_resolve, reject) => { setTimeout(() => reject(new Error("too slow")), PATIENCE); })]);
}

async function kept(key) {
  const found = await (await caches.open(CACHE)).match(key);
  if (!found) return null;
  const headers = new Headers(found.headers);
  headers.set("X-Anlan-Cached", "1");
  return new Response(await found.blob(), { status: 200, headers });
}
