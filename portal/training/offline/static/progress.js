// How far somebody is: what the server said last, with what was done on this phone since then laid over it.
"use strict";
self.AnlanProgress = (() => {
  const store = self.AnlanStore;

  /** {owner, courses: [{slug, at, version, bundle, done, answered, due, paused, newest}], things}. */
  async function all() {
    const owner = await store.owner(), things = await store.things(owner), pauses = await store.pauses(), courses = [];
    for (const record of owner ? await store.courses(owner) : []) courses.push(await one(record, owner, things, pauses));
    return { owner, courses, things };
  }
  async function one(record, owner, things, pauses) {
    const said = (await store.standing(record.slug, owner)) || { lessons: [], answers: {}, due: {} };
    const done = new Set(said.lessons), answered = Object.assign({}, said.answers), due = {};
    for (const id of Object.keys(said.due)) due[id] = said.due[id] - (said.ahead || 0); // by the clock of this phone, right or wrong
    for (const thing of things) {
      if (thing.slug !== record.slug || thing.state !== "waiting") continue;
      if (thing.kind === "lesson") { if (thing.done) done.add(thing.lesson); else done.delete(thing.lesson); continue; }
      answered[thing.question] = thing.right;
      if (!thing.right) due[thing.question] = thing.at; else delete due[thing.question];
    }
    const newer = said.version_id && said.version_id !== record.version_id ? said.version : "";
    return Object.assign({}, record, { done, answered, due, paused: Boolean(pauses[record.slug]), newer });
  }
  /** The question to ask next, around from the one behind `after`: one that was never answered, else one whose last answer was
      wrong; null where all were right. As `following` of portal/training/learners/practice.py. */
  function following(questions, answered, after) {
    const start = questions.findIndex((question) => question.id === after) + 1;
    const order = questions.slice(start).concat(questions.slice(0, start));
    return order.find((question) => !(question.id in answered)) || order.find((question) => !answered[question.id]) || null;
  }
  /** The question behind `after`, for those who go through a bank again; null behind the last. */
  const turn = (questions, after) => questions[questions.findIndex((question) => question.id === after) + 1] || null;
  /** What is due again, longest waiting first: [{course, module, question}]. */
  function review(courses, now) {
    const found = [];
    for (const course of courses.filter((one_) => !one_.paused)) {
      for (const module of course.bundle.modules) {
        for (const question of module.questions) if (course.due[question.id] <= now) found.push({ course, module, question, at: course.due[question.id] });
      }
    }
    return found.sort((a, b) => a.at - b.at);
  }
  return { all, following, turn, review };
})();
