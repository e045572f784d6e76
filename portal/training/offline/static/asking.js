// A question as a form, as the portal's own pages show it. Options stand in an order of their own each time.
"use strict";
self.AnlanAsking = (() => {
  const { say, h, html, language } = self.AnlanWords, { walk, LONGEST, MOST_STEPS } = self.AnlanGrading;

  function shuffled(count) {
    const order = Array.from({ length: count }, (nothing, n) => n);
    for (let n = count - 1; n > 0; n -= 1) {
      const other = Math.floor(Math.random() * (n + 1)), kept = order[n];
      order[n] = order[other]; order[other] = kept;
    }
    return order;
  }
  const inOrder = (order) => order.every((n, at) => n === at);

  const choices = (legend, kind, rows, by) => h("fieldset", { "aria-describedby": by }, h("legend", {}, legend),
    rows.map(([value, words], at) => h("label", { class: "choice" },
      h("input", { type: kind, name: "answer", value, id: at === 0 ? "answer" : undefined }), " ", h("span", {}, html(words)))));
  const lines = (legend, labels, rows, more) => h("fieldset", { "aria-describedby": "words" }, h("legend", {}, legend), h("div", more,
    labels.map((label, at) => h("div", { class: "learn-line" }, h("label", { for: `answer-${at}` }, label),
      h("select", { id: `answer-${at}` }, h("option", { value: "" }, say("choose")),
        rows.map(([value, words]) => h("option", { value }, words)))))));
  /** Words for pointing and dragging. */
  const touched = (id) => document.getElementById(id).dataset.words;
  /** Pointing at pictures and dragging of lines, where the phone reads those scripts; lists otherwise. */
  function touch(form) {
    const { hotspot, ordering } = self.AnlanTouch || {}, spots = form.querySelector("img[data-spots]"), order = form.querySelector("[data-order]");
    if (spots && hotspot) hotspot(spots);
    if (order && ordering) ordering(order);
  }

  const checked = (form) => Array.from(form.querySelectorAll("input:checked")).map((field) => field.value);
  const chosen = (form) => Array.from(form.querySelectorAll("select")).map((field) => field.value);

  /** Fields of a question of this type, and what reads them: {answer} or {problem, at}. */
  function choice(question) {
    const many = question.type === "multiple", order = question.type === "truefalse" ? [0, 1] : shuffled(question.options.length);
    return [choices(say(many ? "choose_all" : "choose_one"), many ? "checkbox" : "radio",
      order.map((n) => [n, question.options[n].words[language]]), "words"), (form) => {
      const picked = checked(form).map(Number).sort((a, b) => a - b);
      return picked.length ? { answer: many ? picked : picked[0] } : { problem: say("missing"), at: "answer" };
    }];
  }
  function hotspot(question) {
    const many = question.areas.filter((area) => area.right).length > 1, picture = question.picture[language];
    const areas = shuffled(question.areas.length).map((n) => question.areas[n]);
    const image = picture ? h("img", { class: "learn-picture", src: picture[0], alt: question.alt[language], width: picture[1] || null,
      height: picture[2] || null, "data-spots": JSON.stringify(areas.map((area) => area.at)), "data-words": touched("touch-spot") })
      : h("p", { class: "hint" }, question.alt[language]);
    return [[image, choices(say(many ? "choose_all" : "choose_one"), many ? "checkbox" : "radio",
      areas.map((area) => [area.id, area.words[language]]), "words")], (form) => {
      const picked = checked(form);
      return picked.length ? { answer: picked } : { problem: say("missing"), at: "answer" };
    }];
  }
  function ordering(question) {
    const order = shuffled(question.items.length);
    if (inOrder(order)) order.reverse();
    return [lines(say("which_place"), order.map((n, at) => say("place", { n: at + 1 })), order.map((n, at) => [at, question.items[n][language]]),
      { "data-order": "places", "data-words": touched("touch-order") }), (form) => {
        const given = chosen(form);
        if (given.indexOf("") >= 0) return { problem: say("every_place"), at: `answer-${given.indexOf("")}` };
        if (new Set(given).size < given.length) return { problem: say("each_once"), at: "answer-0" };
        return { answer: given.map((at) => order[Number(at)]) };
      }];
  }
  function matching(question) {
    const order = shuffled(question.pairs.length), heads = question.heads;
    return [lines(`${heads[0][language]} → ${heads[1][language]}`, question.pairs.map((pair) => pair[0][language]),
      order.map((n) => [n, question.pairs[n][1][language]])), (form) => {
      const given = chosen(form);
      if (given.indexOf("") >= 0) return { problem: say("every_line"), at: `answer-${given.indexOf("")}` };
      return { answer: given.map(Number) };
    }];
  }
  function typed(question) {
    const unit = question.unit ? question.unit[language] : "";
    return [h("div", {}, h("label", { for: "answer" }, say("your_answer"), unit ? ` (${unit})` : ""),
      h("input", { type: "text", id: "answer", maxlength: LONGEST, autocomplete: "off", inputmode: question.type === "numeric" ? "decimal" : null,
        "aria-describedby": "words" })), (form) => {
      const text = form.querySelector("#answer").value.trim().slice(0, LONGEST).replace(/[\ud800-\udbff]$/, ""); // half an emoji is no text
      return text ? { answer: text } : { problem: say("type_something"), at: "answer" };
    }];
  }
  const past = (steps) => steps.map(({ node, way }) => h("div", { class: "learn-past" }, h("div", { class: "learn-text" }, html(node.words[language])),
    h("p", {}, h("span", { "aria-hidden": "true" }, "➤"), " ", html(way.words[language])),
    way.said[language] ? h("p", { class: "muted" }, html(way.said[language])) : null));
  function story(question, path) {
    const { steps, here } = walk(question, path);
    return [[past(steps), h("div", { class: "learn-text learn-now", id: "now" }, html(here.words[language])),
      choices(say("what_now"), "radio", shuffled(here.ways.length).map((n) => [n, here.ways[n].words[language]]), "now")], (form) => {
      const picked = checked(form).map(Number);
      if (!picked.length) return { problem: say("missing"), at: "answer" };
      const answer = path.concat(picked), goes = walk(question, answer);
      return goes.here.ways.length && answer.length < MOST_STEPS ? { path: answer } : { answer };
    }];
  }
  const KINDS = { single: choice, multiple: choice, truefalse: choice, hotspot, ordering, matching, numeric: typed, text: typed };

  /** The form of a question; `done(answer, form)` is called with a whole answer, `on(path)` where a story goes on. */
  function form(question, path, done, on) {
    const [fields, read] = question.type === "scenario" ? story(question, path) : KINDS[question.type](question);
    const problem = h("div", { class: "notice notice-problem", role: "alert", hidden: true });
    const made = h("form", { class: "card learn-question", novalidate: true }, h("div", { class: "learn-text", id: "words" }, html(question.words[language])),
      fields, problem, h("button", { class: "learn-big" }, say(question.type === "scenario" ? "do_this" : "answer")));
    made.complain = (words, at) => {
      problem.textContent = words;
      problem.hidden = false;
      const field = at && made.querySelector(`#${at}`);
      if (field) field.focus();
    };
    touch(made);
    made.addEventListener("submit", (event) => {
      event.preventDefault();
      const got = read(made);
      if (got.problem) made.complain(got.problem, got.at);
      else if (got.path) on(got.path);
      else done(got.answer, made);
    });
    return made;
  }
  return { form, past };
})();
