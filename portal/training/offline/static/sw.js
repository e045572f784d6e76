// Keeps one page that holds nobody's data, and gives it out for any page of /learn/ when there is no network: its scripts fill it
// with what the phone has taken along. Pictures of courses that were taken along come from the phone. Everything else is the
// network's. `ANLAN` stands before this text: the version, and what belongs to the page.
"use strict";
importScripts(self.ANLAN.store, self.ANLAN.sync);
const SHELL = `anlan-learn-${self.ANLAN.version}`, MEDIA = "anlan-learn-media", PATIENCE = 8000;
const EXAM = /^\/learn\/([^/]+)\/exam\/(start|sit)$/, PICTURE = /^\/learn\/media\//, EXAMS = /^\/learn\/[^/]+\/exam\//;

/** Whether a page asks for the files that belong to this worker. While the portal is renewed on several machines it may come of
    another one, older or newer: then this worker does not begin, and is asked for again at the next page. */
async function isOurs(answer) {
  const text = await answer.text();
  return self.ANLAN.files.every((url) => text.indexOf(url) >= 0);
}
self.addEventListener("install", (event) => event.waitUntil((async () => {
  const cache = await caches.open(SHELL), pages = Object.keys(self.ANLAN.pages).map((language) => self.ANLAN.pages[language]);
  await Promise.all(self.ANLAN.files.concat(pages).map(async (url) => {
    const answer = await fetch(url, { cache: "reload", credentials: "same-origin", redirect: "error" });
    if (!answer.ok || (pages.indexOf(url) >= 0 && !(await isOurs(answer.clone())))) throw new Error(url);
    await cache.put(url, answer);
  }));
  await self.skipWaiting();
})()));
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.indexOf("anlan-learn-") === 0 && name !== SHELL && name !== MEDIA) await caches.delete(name);
  await self.clients.claim();
})()));

/** The kept page. `unsent`: what was to be sent did not arrive. */
async function shell(unsent) {
  let language = await self.AnlanStore.language().catch(() => "");
  if (!self.ANLAN.pages[language]) language = /^en/.test(self.navigator.language) ? "en" : "zh";
  const found = await caches.match(self.ANLAN.pages[language], { cacheName: SHELL });
  if (!found) return Response.error();
  const headers = new Headers(found.headers);
  headers.delete("content-length"); headers.delete("content-encoding");
  const page = (await found.text()).replace("<html ", `<html data-kept="1"${unsent ? ' data-unsent="1"' : ""} `);
  return new Response(page, { status: 200, headers });
}
const late = () => new Promise((resolve, reject) => { setTimeout(() => reject(new Error("too slow")), PATIENCE); });

async function page(request, path) {
  const exam = EXAM.exec(path), posts = request.method !== "GET";
  try {
    // What is sent, and the pages of an exam, take the time that they take.
    const asked = fetch(request), answer = posts || EXAMS.test(path) ? await asked : await Promise.race([asked, late()]);
    if ([502, 503, 504].indexOf(answer.status) >= 0 && !posts) return await shell(false);
    if (exam && isBegun(exam[2], answer)) await wait(exam[1]);
    return answer;
  } catch (error) {
    if (exam && posts) await wait(exam[1]); // nobody knows whether the portal heard
    return shell(posts);
  }
}
/** Before the page of an exam is shown, practice of its course waits. Beginning leads to the questions; what is refused does not. */
const isBegun = (act, answer) => (act === "start" ? answer.type === "opaqueredirect" || answer.redirected : answer.status === 200 && !answer.redirected);
const wait = (slug) => self.AnlanStore.pause(decodeURIComponent(slug)).catch(() => {});
async function picture(request) {
  return (await caches.match(request, { cacheName: MEDIA })) || fetch(request);
}
/** A file with a mark of its content never changes; another comes from the network as long as there is one. */
async function file(request, url) {
  const kept = () => caches.match(request, { cacheName: SHELL });
  if (url.searchParams.get("v")) return (await kept()) || fetch(request);
  try { return await fetch(request); } catch (error) { return (await kept()) || Response.error(); }
}
self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request, url.pathname));
  else if (request.method !== "GET") return;
  else if (PICTURE.test(url.pathname)) event.respondWith(picture(request));
  else if (self.ANLAN.files.indexOf(url.pathname + url.search) >= 0) event.respondWith(file(request, url));
});

/** Where a browser tells that the network is back although no page is open. */
self.addEventListener("sync", (event) => {
  if (event.tag === "anlan-learn") event.waitUntil(self.AnlanSync.flush().then((state) => { if (state === "offline") throw new Error(state); }));
});
