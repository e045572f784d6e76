// What an answer is worth: the same as portal/training/grading.py, which says what an answer is for each type of question.
// Points are exact: {n, d} for n/d. `make` takes the tables of characters that a course brings along.
"use strict";
self.AnlanGrading = (() => {
  const LONGEST = 200, MOST_STEPS = 60, NONE = { n: 0, d: 1 }, ALL = { n: 1, d: 1 };
  const OUTCOMES = { good: ALL, fair: { n: 1, d: 2 }, bad: NONE };
  const NUMBER = /^([+-]?)(\d{1,3}(?:,\d{3})+|\d{1,15})(?:[.](\d{1,15}))?$/;
  const isNumber = (value, below) => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < below;
  const length = (text) => Array.from(text).length;

  function numbers(answer, below) {
    if (!Array.isArray(answer) || answer.length > below || !answer.every((value) => isNumber(value, below))) return null;
    return new Set(answer).size === answer.length ? answer : null;
  }
  function share(chosen, rights) {
    const hits = chosen.filter(Boolean).length;
    return rights ? { n: Math.max(0, hits - (chosen.length - hits)), d: rights } : NONE;
  }
  const said = (one) => ({ chosen: one.words, said: one.said, right: one.right });

  function choice(question, answer) {
    const chosen = numbers(question.type === "multiple" ? answer : [answer], question.options.length);
    if (!chosen || !chosen.length) return [NONE, []];
    const picked = chosen.slice().sort((a, b) => a - b).map((n) => question.options[n]);
    return [share(picked.map((one) => one.right), question.options.filter((one) => one.right).length), picked.map(said)];
  }
  function ordering(question, answer) {
    const order = numbers(answer, question.items.length);
    if (!order || order.length !== question.items.length) return [NONE, []];
    const follow = order.filter((n, at) => at > 0 && n === order[at - 1] + 1).length;
    return [{ n: follow, d: Math.max(1, order.length - 1) }, []];
  }
  function matching(question, answer) {
    const count = question.pairs.length;
    if (!Array.isArray(answer) || !answer.length || answer.length !== count) return [NONE, []];
    return [{ n: answer.filter((right, left) => isNumber(right, count) && right === left).length, d: count }, []];
  }
  function hotspot(question, answer) {
    if (!Array.isArray(answer) || answer.length > question.areas.length) return [NONE, []];
    const picked = question.areas.filter((area) => answer.indexOf(area.id) >= 0);
    if (picked.length !== answer.length) return [NONE, []];
    return [share(picked.map((one) => one.right), question.areas.filter((one) => one.right).length), picked.map(said)];
  }
  /** The way through a scenario: [each step as {node, way}], and the node where one stands. */
  function walk(question, answer) {
    const nodes = {}, steps = [];
    for (const node of question.nodes) nodes[node.id] = node;
    let here = question.nodes[0];
    for (const taken of Array.isArray(answer) ? answer.slice(0, MOST_STEPS) : []) {
      if (!isNumber(taken, here.ways.length)) break;
      const way = here.ways[taken];
      steps.push({ node: here, way });
      here = nodes[way.goto];
    }
    return { steps, here };
  }
  function scenario(question, answer) {
    const { steps, here } = walk(question, answer), best = new Set();
    for (const node of question.nodes) if (node.outcome === "good") best.add(node.id);
    for (let round = 0; round < question.nodes.length; round += 1) {
      for (const node of question.nodes) if (node.ways.some((way) => best.has(way.goto))) best.add(node.id);
    }
    const feedback = steps.map(({ way }) => ({ chosen: way.words, said: way.said, right: best.has(way.goto) }));
    return [!here.ways.length && OUTCOMES[here.outcome] ? OUTCOMES[here.outcome] : NONE, feedback];
  }

  /** Compares numbers as they are written, exactly: below 0, 0 or above 0. */
  function compare(a, b) {
    const parts = (text) => {
      const found = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text);
      return { minus: found[1] === "-", whole: found[2].replace(/^0+(?=\d)/, ""), rest: (found[3] || "").replace(/0+$/, "") };
    };
    const one = parts(a), other = parts(b), zero = (part) => part.whole === "0" && !part.rest;
    const minus = (part) => part.minus && !zero(part);
    if (minus(one) !== minus(other)) return minus(one) ? -1 : 1;
    const size = one.whole.length - other.whole.length || (one.whole < other.whole ? -1 : one.whole > other.whole ? 1 : 0)
      || (one.rest < other.rest ? -1 : one.rest > other.rest ? 1 : 0);
    return minus(one) ? -size : size;
  }

  function make(tables) {
    const fold = (text) => Array.from(text).map((char) => (Object.prototype.hasOwnProperty.call(tables.fold, char)
      ? tables.fold[char] : char.toLowerCase())).join("");
    /** Whether a character counts nothing: looked for among the ranges, whose ends stand one after the other. */
    function stripped(char) {
      const point = char.codePointAt(0), ranges = tables.strip;
      let low = 0, high = ranges.length / 2 - 1;
      while (low <= high) {
        const middle = (low + high) >> 1;
        if (point < ranges[2 * middle]) high = middle - 1;
        else if (point > ranges[2 * middle + 1]) low = middle + 1;
        else return true;
      }
      return false;
    }
    const once = (text) => Array.from(fold(text.normalize("NFKC")).normalize("NFKC")).filter((char) => !stripped(char)).join("");
    function normal(text) {
      for (let round = 0; round < 4; round += 1) {
        const before = text;
        text = once(text);
        if (text === before) break;
      }
      return text;
    }
    /** What was typed as a number that {@link compare} takes, or null. */
    function number(typed, units) {
      if (typeof typed !== "string" || length(typed) > LONGEST) return null;
      let text = fold(typed.normalize("NFKC").replace(/ /g, "").replace(/−/g, "-"));
      const unit = units.find((one) => text.endsWith(one));
      if (unit) text = text.slice(0, -unit.length);
      if (text.split(",").length === 2 && !/,[0-9]{3}$|[.]/.test(text)) text = text.replace(",", ".");
      const found = NUMBER.exec(text);
      return found ? `${found[1]}${found[2].replace(/,/g, "")}.${found[3] || 0}` : null;
    }
    function numeric(question, answer) {
      const value = number(answer, question.units);
      const right = value !== null && compare(value, question.low) >= 0 && compare(value, question.high) <= 0;
      return [right ? ALL : NONE, []];
    }
    function text(question, answer) {
      if (typeof answer !== "string" || length(answer) > LONGEST) return [NONE, []];
      const typed = normal(answer);
      return [typed && question.accept.indexOf(typed) >= 0 ? ALL : NONE, []];
    }
    const graders = { single: choice, multiple: choice, truefalse: choice, ordering, matching, numeric, text, hotspot, scenario };
    function grade(question, answer) {
      const [points, feedback] = graders[question.type](question, answer);
      return { points, right: points.n === points.d, feedback };
    }
    return { grade, normal, number };
  }
  return { make, walk, compare, LONGEST, MOST_STEPS };
})();
