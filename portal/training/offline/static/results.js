// The page "Learning offline": what was taken along, how far somebody is, what became of each answer, and what the words mean.
"use strict";
self.AnlanResults = (() => {
  const { say, h, html, when, link, bar, show, language } = self.AnlanWords, store = self.AnlanStore, telling = self.AnlanTelling;
  const MOST = 60;
  const short = (text) => { const all = Array.from(text); return all.length > 90 ? `${all.slice(0, 89).join("").trim()}…` : text; };
  const size = (bytes) => (bytes / 1e6).toFixed(1);

  async function dropPictures(kept) {
    if (!self.caches) return;
    const wanted = new Set(), cache = await caches.open("anlan-learn-media");
    for (const one of kept) for (const [url] of one.bundle.pictures) wanted.add(url);
    for (const key of await cache.keys()) if (!wanted.has(new URL(key.url).pathname)) await cache.delete(key);
  }
  function course(one, again) {
    const button = h("button", { class: "button-quiet" }, say("delete"), h("span", { class: "hidden-visually" }, `: ${one.bundle.title[language]}`));
    button.addEventListener("click", async () => {
      if (!window.confirm(say("delete_sure"))) return;
      await store.drop(one.slug);
      await dropPictures(await store.courses(one.owner));
      again();
    });
    const lessons = one.bundle.modules.reduce((all, module) => all.concat(module.lessons), []);
    const done = lessons.filter((lesson) => one.done.has(lesson.id)).length;
    return h("section", { class: "card learn-card", "aria-labelledby": `c-${one.slug}` },
      h("h2", { id: `c-${one.slug}` }, link(`/learn/courses/${one.slug}/`, one.bundle.title[language])),
      bar(done, lessons.length, say("lessons_done", { done, all: lessons.length })),
      h("p", { class: "muted small" }, say("taken", { time: when(one.at), version: one.version, size: size(one.bytes) })),
      one.newer ? h("p", {}, say("newer", { version: one.newer })) : null, button);
  }
  function table(one) {
    return h("div", { class: "table-wrap", tabindex: "0", role: "group", "aria-label": one.bundle.title[language] }, h("table", {}, h("caption", {}, one.bundle.title[language]),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("module")), h("th", { scope: "col", class: "numeric" }, say("lessons_head")),
        h("th", { scope: "col", class: "numeric" }, say("answered_head")), h("th", { scope: "col", class: "numeric" }, say("right_head")))),
      h("tbody", {}, one.bundle.modules.map((module) => {
        const answered = module.questions.filter((question) => question.id in one.answered);
        return h("tr", {}, h("th", { scope: "row" }, module.title[language]),
          h("td", { class: "numeric" }, `${module.lessons.filter((lesson) => one.done.has(lesson.id)).length}/${module.lessons.length}`),
          h("td", { class: "numeric" }, `${answered.length}/${module.questions.length}`),
          h("td", { class: "numeric" }, one.paused ? "–" : String(answered.filter((question) => one.answered[question.id]).length)));
      }))));
  }
  function find(courses, thing) {
    const one = courses.find((course_) => course_.slug === thing.slug);
    for (const module of one ? one.bundle.modules : []) {
      for (const found of thing.kind === "lesson" ? module.lessons : module.questions) if (found.id === (thing.lesson || thing.question)) return found;
    }
    return null;
  }
  function stateOf(thing) {
    if (thing.state === "refused") return say("state_refused");
    if (thing.state === "sent") return say(thing.old ? "state_old" : "state_sent");
    return say(thing.later ? "state_later" : "state_waiting");
  }
  function item(courses, thing, paused, again) {
    const found = find(courses, thing), lesson = thing.kind === "lesson";
    const words = found ? (lesson ? found.title[language] : short(html(found.words[language]).textContent.trim())) : say("gone");
    const right = "judged" in thing && thing.judged !== null ? thing.judged : thing.right;
    const how = lesson ? say(thing.done ? "lesson_done" : "lesson_undone") : paused ? "" : say(right ? "right" : thing.points > 0 ? "partly" : "wrong");
    const made = h("li", {}, h("p", {}, words), h("p", { class: "muted small" }, how ? `${how} · ` : "", stateOf(thing), ` · ${when(thing.at)}`),
      thing.message ? h("p", { class: "small" }, thing.message) : null);
    if (thing.state === "refused") {
      const off = h("button", { class: "button-quiet" }, say("take_off"));
      off.addEventListener("click", async () => { await store.forget(thing.ref); again(); });
      made.append(off);
    }
    return made;
  }
  function list(all, again) {
    const paused = {};
    for (const one of all.courses) paused[one.slug] = one.paused;
    const things = all.things.slice().reverse(), open = things.filter((thing) => thing.state !== "sent");
    const shown = open.concat(things.filter((thing) => thing.state === "sent")).slice(0, MOST);
    return [h("h2", {}, say("answers_title")),
      shown.length ? h("ul", { class: "learn-given" }, shown.map((thing) => item(all.courses, thing, paused[thing.slug], again))) : h("p", {}, say("nothing_yet")),
      things.length > shown.length ? h("p", { class: "muted small" }, say("more", { n: things.length - shown.length })) : null];
  }
  const glossary = () => [h("h2", {}, say("glossary")), h("dl", { class: "offline-words" },
    ["right", "partly", "wrong", "state_waiting", "state_sent", "state_later", "state_old", "state_refused"].map((key) =>
      [h("dt", {}, say(key)), h("dd", {}, say(`means_${key}`))]))];

  async function foreign(owner, again) {
    const n = await store.foreign(owner);
    if (!n) return null;
    const button = h("button", { class: "button-quiet" }, say("delete_foreign"));
    button.addEventListener("click", async () => { if (window.confirm(say("foreign_sure", { n }))) { await store.dropForeign(owner); again(); } });
    return h("div", { class: "notice notice-note" }, h("p", {}, say("foreign", { n })), button);
  }
  async function page(all, again) {
    const reload = async () => { await self.AnlanBar.show(); again(); };
    const some = all.courses.length;
    show(say("on_this_phone"), h("h1", {}, say("on_this_phone")), await foreign(all.owner, reload),
      some ? all.courses.map((one) => course(one, reload)) : h("p", {}, say("nothing_kept")),
      some ? [h("h2", {}, say("results")), all.courses.map(table)] : null, some || all.things.length ? [list(all, reload), glossary()] : null,
      some || all.things.length ? wipe(all, reload) : null);
  }
  /** Without a network nobody can be signed out; but what is on the phone can go. */
  function wipe(all, again) {
    const waiting = all.things.filter((thing) => thing.state === "waiting").length;
    const button = h("button", { class: "button-danger" }, say("wipe"));
    button.addEventListener("click", async () => {
      if (!window.confirm(waiting ? say("wipe_unsent", { n: waiting }) : say("wipe_sure"))) return;
      await store.wipe();
      await store.lock();
      await dropPictures([]);
      again();
    });
    return h("section", { class: "card", "aria-labelledby": "wipe-title" }, h("h2", { id: "wipe-title" }, say("wipe_title")), h("p", {}, say("wipe_hint")), button);
  }
  return { page, dropPictures };
})();
