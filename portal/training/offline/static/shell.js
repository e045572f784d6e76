// The page without a network: reads from its address what was asked for, and shows that from what the phone keeps.
"use strict";
(() => {
  const { say, h, html, link, crumbs, bar, show, language, words } = self.AnlanWords, store = self.AnlanStore;
  const progress = self.AnlanProgress, telling = self.AnlanTelling, root = document.documentElement;
  const COURSE = /^\/learn\/courses\/([^/]+)\/$/, LESSON = /^\/learn\/courses\/([^/]+)\/([^/]+)\/$/, PRACTICE = /^\/learn\/courses\/([^/]+)\/practice\/([^/]+)\/$/;
  const at = (slug, rest) => `/learn/courses/${slug}/${rest || ""}`;
  const lessonsOf = (course) => course.bundle.modules.reduce((all, module) => all.concat(module.lessons.map((lesson) => ({ module, lesson }))), []);
  const title = (course) => course.bundle.title[language];
  const note = (text, kind) => h("p", { class: `notice ${kind || "notice-note"}` }, text);
  const retry = () => { const button = h("button", { class: "button-quiet" }, say("try_again")); button.addEventListener("click", () => location.reload()); return button; };

  // -- what is kept ----------------------------------------------------------------------------------------
  function coursePage(course) {
    const lessons = lessonsOf(course), done = lessons.filter((one) => course.done.has(one.lesson.id)).length;
    const next = lessons.find((one) => !course.done.has(one.lesson.id));
    show(title(course), crumbs("/learn/", say("my_courses")), h("h1", {}, title(course)), h("p", {}, course.bundle.summary[language]),
      bar(done, lessons.length, say("lessons_done", { done, all: lessons.length })),
      next ? h("p", {}, link(at(course.slug, `${next.lesson.id}/`), say(done ? "go_on" : "begin", { lesson: next.lesson.title[language] }), "button learn-big"))
        : note(say("all_lessons"), "notice-good"),
      course.bundle.modules.map((module, n) => modulePart(course, module, n)),
      course.bundle.exam ? h("p", { class: "muted" }, say("exam_needs")) : null);
  }
  function modulePart(course, module, n) {
    const done = module.lessons.filter((lesson) => course.done.has(lesson.id)).length, answered = module.questions.filter((one) => one.id in course.answered);
    const values = { answered: answered.length, all: module.questions.length, right: answered.filter((one) => course.answered[one.id]).length };
    return h("section", { class: "card learn-card", "aria-labelledby": `m-${module.id}` }, h("h2", { id: `m-${module.id}` }, `${n + 1}. ${module.title[language]}`),
      module.lessons.length ? [h("p", { class: "muted small" }, say("lessons_done", { done, all: module.lessons.length })),
        h("ol", { class: "learn-lessons" }, module.lessons.map((lesson) => h("li", {}, link(at(course.slug, `${lesson.id}/`), lesson.title[language]), " ",
          h("span", { class: "muted small" }, say("minutes", { n: lesson.minutes })), course.done.has(lesson.id) ? [" ", tick()] : null)))] : null,
      module.questions.length ? h("div", { class: "row learn-practice" }, h("a", { class: "button button-quiet", href: at(course.slug, `practice/${module.id}/`) },
        say("practise"), h("span", { class: "hidden-visually" }, `: ${module.title[language]}`)),
      h("span", { class: "muted small" }, course.paused ? say("waits_short") : say("answered", values))) : null);
  }
  const tick = () => h("span", { class: "learn-done" }, h("span", { "aria-hidden": "true" }, "✓"), " ", say("done_mark"));
  const list = (id, name, items, kind) => (items.length ? h("section", { class: kind, "aria-labelledby": id }, h("h2", { id }, say(name)),
    h("ul", {}, items.map((text) => h("li", {}, html(text))))) : null);

  function lessonPage(course, id) {
    const lessons = lessonsOf(course), here = lessons.findIndex((one) => one.lesson.id === id);
    if (here < 0) { needs(); return; }
    const { module, lesson } = lessons[here], before = lessons[here - 1], after = lessons[here + 1], done = course.done.has(id);
    const button = h("button", { class: done ? "button-quiet" : "learn-big" }, say(done ? "undo" : after ? "done_go_on" : "done"));
    button.addEventListener("click", async () => {
      button.disabled = true;
      const thing = { ref: store.newRef(), owner: course.owner, kind: "lesson", slug: course.slug, lesson: id, done: !done };
      if (!(await keep(thing))) { button.disabled = false; button.after(note(say("not_kept"), "notice-problem")); return; }
      location.assign(done ? location.pathname : at(course.slug, after && after.module === module ? `${after.lesson.id}/` : `#m-${module.id}`));
    });
    const step = (one, rel, name) => (one ? h("a", { rel, href: at(course.slug, `${one.lesson.id}/`) }, h("span", { class: "muted small" }, say(name)), " ", one.lesson.title[language]) : null);
    show(`${lesson.title[language]} · ${title(course)}`, crumbs(at(course.slug), title(course)),
      h("article", { class: "lesson" }, h("h1", {}, lesson.title[language]),
        h("p", { class: "muted" }, `${module.title[language]} · ${say("lesson_at", { at: here + 1, of: lessons.length })} · ${say("minutes", { n: lesson.minutes })}`, done ? [" · ", tick()] : null),
        list("aims", "aims", lesson.objectives.map((one) => one[language]), "card"), h("div", { class: "learn-text" }, html(lesson.text[language])),
        list("points", "remember", lesson.points.map((one) => one[language]), "notice"), list("sources", "sources", lesson.sources[language], "small")),
      h("div", { class: "learn-mark" }, button),
      h("nav", { class: "learn-steps", "aria-label": say("steps") }, step(before, "prev", "lesson_before"), step(after, "next", "lesson_next"),
        module.questions.length ? h("a", { href: at(course.slug, `practice/${module.id}/`) }, h("span", { class: "muted small" }, say("questions_on")), " ", say("practise")) : null));
  }

  // -- practice --------------------------------------------------------------------------------------------
  /** Keep a thing and try to send it. False where the phone cannot keep it. */
  async function keep(thing) {
    try { await store.add(thing); } catch (error) { return false; }
    if (navigator.onLine) self.AnlanBar.send(); else self.AnlanBar.show("offline");
    if (self.navigator.serviceWorker) navigator.serviceWorker.getRegistration().then((one) => one && one.sync && one.sync.register("anlan-learn")).catch(() => {});
    return true;
  }
  const waits = (course) => show(say("practice_title"), crumbs(at(course.slug), title(course)), h("h1", {}, say("waits_title")),
    note(say("waits", { title: title(course) })), h("p", {}, link(at(course.slug), say("back"), "button")));

  /** Ask one question; `ref` is made with it, so that whatever is pressed twice counts once. */
  function ask(course, module, question, head, path, next, given) {
    const ref = given || store.newRef();
    show(head, crumbs(at(course.slug), title(course)), h("h1", { class: "learn-small-title" }, head),
      h("p", { class: "muted small" }, say("question_at", { at: module.questions.indexOf(question) + 1, all: module.questions.length })),
      self.AnlanAsking.form(question, path, (answer, form) => judge(course, module, question, answer, form, ref, next),
        (further) => ask(course, module, question, head, further, next, ref)));
  }
  async function judge(course, module, question, answer, form, ref, next) {
    const button = form.querySelector("button.learn-big");
    if (button.disabled) return;
    button.disabled = true;
    if ((await store.pauses())[course.slug]) { waits(course); return; }
    if ((await store.owner()) !== course.owner) { location.reload(); return; }
    const graded = self.AnlanGrading.make(course.bundle).grade(question, answer);
    const kept = await keep({ ref, owner: course.owner, kind: "answer", slug: course.slug, version_id: course.version_id, version: course.version,
      question: question.id, rev: question.rev, answer, right: graded.right, points: graded.points.n / graded.points.d });
    if (!kept) { button.disabled = false; form.complain(say("not_kept")); return; }
    const on = h("button", { class: "learn-big" }, say("next_question"));
    on.addEventListener("click", next);
    show(say(`verdict_${telling.verdict(graded)}`), crumbs(at(course.slug), title(course)), telling.told(question, answer, graded),
      graded.right ? null : h("p", { class: "muted small" }, say("comes_again")), h("p", {}, on));
  }
  async function practise(slug, id, after, again) {
    const course = (await progress.all()).courses.find((one) => one.slug === slug), module = course && course.bundle.modules.find((one) => one.id === id);
    if (!module) { needs(); return; }
    if (course.paused) { waits(course); return; }
    const head = say("practice", { module: module.title[language] });
    const question = again ? progress.turn(module.questions, after) : progress.following(module.questions, course.answered, after);
    if (question) { ask(course, module, question, head, [], () => practise(slug, id, question.id, again)); return; }
    const answered = module.questions.filter((one) => one.id in course.answered), over = h("button", { class: "button-quiet" }, say("once_more"));
    over.addEventListener("click", () => practise(slug, id, "", true));
    show(head, crumbs(at(slug), title(course)), h("h1", {}, head), note(say("answered", { answered: answered.length, all: module.questions.length,
      right: answered.filter((one) => course.answered[one.id]).length }), "notice-good"), h("p", { class: "row" }, link(at(slug), say("back"), "button"), over));
  }
  async function review() {
    const all = await progress.all(), due = progress.review(all.courses, Date.now());
    if (due.length) { ask(due[0].course, due[0].module, due[0].question, say("review_of", { module: due[0].module.title[language] }), [], review); return; }
    const paused = all.courses.find((one) => one.paused);
    if (paused) { waits(paused); return; }
    show(say("review"), h("h1", {}, say("review")), note(say("nothing_due"), "notice-good"), h("p", {}, link("/learn/", say("my_courses"), "button")));
  }

  // -- the rest --------------------------------------------------------------------------------------------
  function mine(all) {
    if (!all.courses.length) { needs(); return; }
    show(say("my_courses"), h("h1", {}, say("my_courses")), all.courses.map((course) => {
      const lessons = lessonsOf(course), done = lessons.filter((one) => course.done.has(one.lesson.id)).length;
      return h("section", { class: "card learn-card", "aria-labelledby": `c-${course.slug}` }, h("h2", { id: `c-${course.slug}` }, link(at(course.slug), title(course))),
        bar(done, lessons.length, say("lessons_done", { done, all: lessons.length })));
    }), h("p", { class: "muted" }, say("others_need")));
  }
  function needs() {
    show(say("no_network"), h("h1", {}, say("no_network")), h("p", {}, say(/\/exam\//.test(location.pathname) ? "exam_needs" : "page_needs")),
      h("p", { class: "row" }, retry(), link(words.home, say("on_this_phone"), "button")));
  }
  function signedOut() {
    show(say("signed_out"), h("h1", {}, say("signed_out")), h("p", {}, say("signed_out_hint")), h("p", {}, link("/learn/sign-in", say("sign_in"), "button")));
  }
  async function page() {
    if (!store || !store.possible) { show(say("no_store"), h("h1", {}, say("no_network")), note(say("no_store"), "notice-problem"), retry()); return; }
    const all = await progress.all(), path = decodeURI(location.pathname), found = PRACTICE.exec(path) || COURSE.exec(path) || LESSON.exec(path);
    const home = path.indexOf("/learn/offline/") === 0, course = found && all.courses.find((one) => one.slug === found[1]);
    if (!all.owner) { if (home || path.indexOf("/learn/sign-in") !== 0) signedOut(); else needs(); return; }
    if (home) { await self.AnlanResults.page(all, page); return; }
    if (path === "/learn/") mine(all);
    else if (path === "/learn/review/") await review();
    else if (!course) needs();
    else if (PRACTICE.test(path)) await practise(found[1], found[2], "", false);
    else if (COURSE.test(path)) { coursePage(course); if (location.hash) { const part = document.getElementById(location.hash.slice(1)); if (part) part.scrollIntoView(); } }
    else lessonPage(course, found[2]);
  }
  async function begin() {
    const turned = document.getElementById("shell-language"), back = document.getElementById("shell-back");
    turned.addEventListener("click", async () => {
      await store.speak(turned.value).catch(() => {});
      if (location.pathname.indexOf("/learn/offline/") === 0) location.assign(turned.dataset.home); else location.reload();
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // it may be somebody else's by now
    if (root.dataset.unsent) document.getElementById("shell-unsent").hidden = false;
    if (root.dataset.kept) window.addEventListener("online", () => { back.hidden = false; });
    back.querySelector("button").addEventListener("click", () => location.assign(location.pathname));
    try { await page(); } catch (error) { show(say("no_store"), h("h1", {}, say("no_network")), note(say("no_store"), "notice-problem"), retry()); }
    // Who is signed in may turn out to be somebody else, or nobody; how far he is, on this page only, changes what it shows.
    const shown = await store.owner().catch(() => "");
    self.AnlanBar.heard.push(async () => {
      if ((await store.owner()) !== shown) location.reload();
      else if (location.pathname.indexOf("/learn/offline/") === 0) { show.again = false; await page(); } // where one reads stays where it is
    });
  }
  begin();
})();
