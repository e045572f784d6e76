// What somebody is told after an answer: whether it was right, why, and what would have been.
"use strict";
self.AnlanTelling = (() => {
  const { say, h, html, language } = self.AnlanWords, { walk } = self.AnlanGrading;
  const MARKS = { right: "✓", partly: "◐", wrong: "✕" };
  const verdict = (graded) => (graded.right ? "right" : graded.points.n > 0 ? "partly" : "wrong");
  const mark = (right) => h("strong", { class: right ? "learn-right" : "learn-wrong" }, h("span", { "aria-hidden": "true" }, right ? "✓" : "✕"), " ",
    say(right ? "right" : "wrong"));

  /** Each thing that was chosen, as [words, what is said of it, whether it was right]. */
  function given(question, answer, graded) {
    if (graded.feedback.length) return graded.feedback.map((one) => [html(one.chosen[language]), one.said[language], one.right]);
    if (question.type === "ordering" && Array.isArray(answer)) return answer.map((n) => [question.items[n][language], "", null]);
    if (question.type === "matching" && Array.isArray(answer)) {
      return answer.map((right, left) => [`${question.pairs[left][0][language]} → ${question.pairs[right][1][language]}`, "", left === right]);
    }
    if (question.type === "numeric") return [[`${answer} ${question.unit[language]}`, "", null]];
    return question.type === "text" ? [[String(answer), "", null]] : [];
  }
  function solution(question) {
    const rights = (all) => all.filter((one) => one.right).map((one) => html(one.words[language]));
    switch (question.type) {
      case "ordering": return question.items.map((item) => item[language]);
      case "matching": return question.pairs.map((pair) => `${pair[0][language]} → ${pair[1][language]}`);
      case "numeric": return [`${question.solution} ${question.unit[language]}`];
      case "text": return [question.solution[language]];
      case "hotspot": return rights(question.areas);
      case "scenario": return [];
      default: return rights(question.options);
    }
  }
  function ending(question, answer) {
    const { here } = walk(question, answer);
    return [h("div", { class: "learn-text learn-now" }, html(here.words[language])), h("p", {}, h("strong", {}, say(`end_${here.outcome || "bad"}`)))];
  }
  const list = (question, items) => h(question.type === "ordering" ? "ol" : "ul", {}, items.map((words) => h("li", {}, words)));

  /** The heading and the card. */
  function told(question, answer, graded) {
    const how = verdict(graded), story = question.type === "scenario", mine = story ? [] : given(question, answer, graded);
    const right = graded.right ? [] : solution(question);
    return [h("h1", { class: `learn-verdict learn-${how}` }, h("span", { "aria-hidden": "true" }, MARKS[how]), " ", say(`verdict_${how}`)),
      h("div", { class: "card" }, h("div", { class: "learn-text" }, html(question.words[language])),
        story ? [self.AnlanAsking.past(walk(question, answer).steps), ending(question, answer)] : null,
        mine.length ? h("h2", {}, say("your_answer")) : null,
        mine.length && question.type === "ordering" ? list(question, mine.map((one) => one[0])) : null,
        mine.length && question.type !== "ordering" ? h("ul", { class: "learn-given" }, mine.map(([words, why, good]) => h("li", {},
          h("p", {}, words, " ", good === null ? null : mark(good)), why ? h("p", { class: "muted" }, html(why)) : null))) : null,
        right.length ? [h("h2", {}, say("what_is_right")), list(question, right)] : null,
        h("h2", {}, say("remember")), h("div", { class: "learn-text" }, html(question.explanation[language])),
        question.source[language] ? h("p", { class: "muted small" }, say("source"), " ", html(question.source[language])) : null)];
  }
  return { told, verdict };
})();
