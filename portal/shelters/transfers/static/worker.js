"use strict";
// Keeps one page and its files, none of which holds anybody's data, and gives it out when there is no network.
const CACHE = "anlan-transfers-1", PAGE = new URL("offline", self.registration.scope).href, LONGEST = 15000;

async function keep(response) {
  const cache = await caches.open(CACHE), text = await response.clone().text();
  const files = [...text.matchAll(/(?:href|src)="(\/[^"#]+\.(?:css|js|svg)(?:\?[^"]*)?)"/g)].map((match) => match[1].replaceAll("&amp;", "&"));
  await cache.addAll([...new Set(files)]);
  await cache.put(PAGE, response);
}
self.addEventListener("install", (event) => event.waitUntil((async () => {
  const response = await fetch(PAGE, {cache: "no-store", redirect: "error"});
  if (!response.ok) throw new Error("the page cannot be kept");
  await keep(response);
  await self.skipWaiting();
})()));
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("anlan-transfers") && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
})()));

function inTime(request) {
  return Promise.race([fetch(request), new Promise((_, refuse) => setTimeout(() => refuse(new Error("no answer")), LONGEST))]);
}
async function page(event) {
  try {
    const response = await inTime(event.request);
    if (response.ok && !response.redirected && event.request.url.split("#")[0] === PAGE) event.waitUntil(keep(response.clone()).catch(() => {}));
    return response;
  } catch {
    return await caches.match(PAGE) ?? Response.error();
  }
}
async function file(request) {
  try { return await inTime(request); } catch { return await caches.match(request, {cacheName: CACHE}) ?? Response.error(); }
}
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== self.location.origin) return;
  if (event.request.mode === "navigate") event.respondWith(page(event));
  else if (/\.(?:css|js|svg)$/.test(new URL(event.request.url).pathname)) event.respondWith(file(event.request));
});
