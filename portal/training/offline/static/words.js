// Words and pieces of the page without a network.
"use strict";
self.AnlanWords = (() => {
  const root = document.getElementById("shell"), words = JSON.parse(root.dataset.words);
  const language = document.documentElement.lang.indexOf("zh") === 0 ? "zh" : "en";

  /** The words of `key` with {name} replaced; `n` of 1 takes `<key>_one` where there is one. */
  function say(key, values) {
    const given = values || {}, text = given.n === 1 && words[`${key}_one`] ? words[`${key}_one`] : words[key];
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in given ? given[name] : whole));
  }
  /** An element: h("p", {class: "x"}, "words", another element, [more]). */
  function h(name, attributes) {
    const made = document.createElement(name), given = attributes || {};
    for (const key of Object.keys(given)) {
      if (given[key] === true) made.setAttribute(key, "");
      else if (given[key] !== false && given[key] !== undefined && given[key] !== null) made.setAttribute(key, given[key]);
    }
    const add = (child) => { if (Array.isArray(child)) child.forEach(add); else if (child || child === 0) made.append(child); };
    for (let at = 2; at < arguments.length; at += 1) add(arguments[at]);
    return made;
  }
  /** What the portal has rendered of a course: made by its own renderer, which passes no foreign markup on. */
  function html(text) {
    const holder = document.createElement("template");
    holder.innerHTML = text;
    return holder.content;
  }
  function when(ms) {
    const at = new Date(ms), two = (n) => String(n).padStart(2, "0"), time = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (language === "zh") return `${at.getMonth() + 1}月${at.getDate()}日 ${time}`;
    return `${at.getDate()} ${["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][at.getMonth()]} ${time}`;
  }
  const link = (href, text, kind) => h("a", { href, class: kind || "learn-link" }, text);
  const crumbs = (href, text) => h("nav", { class: "learn-crumbs", "aria-label": words.where }, h("a", { href }, text));
  const bar = (done, all, text) => h("div", { class: "learn-bar" }, h("progress", { value: done, max: all || 1, "aria-label": text }), h("span", {}, text));
  /** Put something new onto the page, at its top, and let a screen reader begin there. */
  function show(title) {
    const box = h("div", { class: "narrow learn" });
    for (let at = 1; at < arguments.length; at += 1) {
      const add = (child) => { if (Array.isArray(child)) child.forEach(add); else if (child) box.append(child); };
      add(arguments[at]);
    }
    document.title = `${title} · ${words.anlan}`;
    while (root.firstChild) root.firstChild.remove();
    root.append(box);
    const first = root.querySelector("h1");
    if (first && show.again) { first.tabIndex = -1; first.focus(); }
    if (show.again) window.scrollTo(0, 0);
    show.again = true;
  }
  return { say, h, html, when, link, crumbs, bar, show, language, words };
})();
