"use strict";
// Gives out the page of assessing when there is no network. It keeps one page and its files, none of which holds anybody's data;
// the page's own script puts them here whenever there is contact.
const CACHE = "anlan-assess-1", PAGE = /^\/desk\/training\/sessions\/[0-9a-f-]{36}\/assess\/$/, LONGEST = 8000;
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("anlan-assess-") && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
})()));
function inTime(request) {
  return Promise.race([fetch(request), new Promise((_, refuse) => setTimeout(() => refuse(new Error("no answer")), LONGEST))]);
}
async function answer(request, kept) {
  try { return await inTime(request); } catch (error) { return (await caches.match(kept, {cacheName: CACHE})) || Response.error(); }
}
self.addEventListener("fetch", (event) => {
  const {request} = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") { if (PAGE.test(url.pathname)) event.respondWith(answer(request, "/desk/training/assessing/offline")); }
  else if (/\.(?:css|js|svg)$/.test(url.pathname)) event.respondWith(answer(request, request));
});
