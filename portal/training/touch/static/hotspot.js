// Points at places of a picture by finger, mouse or keys; each place is a choice of the list below, which stays. Without this
// file the list is all there is.
"use strict";
(() => {
  const STEP = 2, LEAP = 10, NEAR = 12, SLOW = 800, PERCENT = (n) => `${n}%`;
  const clamp = (n) => Math.min(100, Math.max(0, n));
  const make = (tag, className) => Object.assign(document.createElement(tag), { className });

  function enhance(image) {
    const question = image.closest("[data-at], form"), areas = JSON.parse(image.dataset.spots), words = JSON.parse(image.dataset.words);
    const inputs = [...question.querySelectorAll("input[type=radio], input[type=checkbox]")];
    if (!inputs.length || inputs.length !== areas.length || image.closest(".touch-spot")) return;
    const many = inputs[0].type === "checkbox";
    const named = (n) => inputs[n].closest("label").textContent.trim();
    const say = (key, text = "") => { said.textContent = words[key].replace("{words}", text); };

    const box = make("div", "touch-spot"), cross = make("span", "touch-cross"), said = make("p", "touch-said hint"), hint = make("p", "hint");
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", words.label);
    cross.hidden = true;
    cross.setAttribute("aria-hidden", "true");
    said.setAttribute("role", "status");
    hint.textContent = many ? words.hint_many : words.hint;
    image.replaceWith(hint, box, said);
    box.append(image, cross);

    let x = 50, y = 50, over = -1;
    /** The choice that lies at the cross: the smallest, where some lie on each other; -1 for none. */
    function found() {
      let best = -1;
      areas.forEach(([left, top, width, height], n) => {
        const inside = x >= left && x <= left + width && y >= top && y <= top + height;
        if (inside && (best < 0 || width * height < areas[best][2] * areas[best][3])) best = n;
      });
      return best;
    }
    function moveTo(newX, newY) {
      x = clamp(newX); y = clamp(newY);
      cross.style.left = PERCENT(x);
      cross.style.top = PERCENT(y);
      cross.hidden = false;
    }
    function choose() {
      const n = found();
      if (n < 0) { say("nothing"); return; }
      const input = inputs[n];
      if (input.matches(":disabled")) return;
      input.checked = many ? !input.checked : true;
      say(input.checked ? "chosen" : "taken_back", named(n));
      input.dispatchEvent(new Event("change", { bubbles: true })); // what saves answers hears of it as of any other
    }
    /** The places that are chosen, whichever way they were. */
    function show() {
      for (const old of box.querySelectorAll(".touch-chosen")) old.remove();
      inputs.forEach((input, n) => {
        if (!input.checked) return;
        const mark = make("span", "touch-chosen"), [left, top, width, height] = areas[n];
        mark.setAttribute("aria-hidden", "true");
        Object.assign(mark.style, { left: PERCENT(left), top: PERCENT(top), width: PERCENT(width), height: PERCENT(height) });
        box.append(mark);
      });
    }
    function point(event) {
      const frame = image.getBoundingClientRect();
      moveTo((event.clientX - frame.left) / frame.width * 100, (event.clientY - frame.top) / frame.height * 100);
      choose();
    }
    // A browser keeps the click of a finger to itself while it thinks that the page still moves; a screen reader has nothing
    // but clicks. What scrolls is no pointing.
    let down = null, pointed = -SLOW;
    box.addEventListener("pointerdown", (event) => { down = event; });
    box.addEventListener("pointercancel", () => { down = null; });
    box.addEventListener("pointerup", (event) => {
      if (down && event.button <= 0 && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < NEAR) {
        pointed = event.timeStamp;
        point(event);
      }
      down = null;
    });
    box.addEventListener("click", (event) => { if (event.timeStamp - pointed > SLOW) point(event); });
    box.addEventListener("keydown", (event) => {
      const by = event.shiftKey ? LEAP : STEP;
      const way = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[event.key];
      if (way) {
        event.preventDefault();
        moveTo(x + way[0], y + way[1]);
        const now = found();
        if (now !== over && now >= 0) say("here", named(now));
        else if (now !== over) said.textContent = "";
        over = now;
      } else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        moveTo(x, y);
        choose();
      }
    });
    /** Whether the focus came by keys; a browser that cannot tell shows the cross to everybody. */
    function byKeys() {
      try { return box.matches(":focus-visible"); } catch (error) { return true; }
    }
    box.addEventListener("focus", () => { if (byKeys()) moveTo(x, y); });
    question.addEventListener("change", show);
    window.addEventListener("pageshow", show);
    show();
  }
  for (const image of document.querySelectorAll("img[data-spots]")) enhance(image);
  self.AnlanTouch = Object.assign(self.AnlanTouch || {}, { hotspot: enhance }); // for forms that a script makes
})();
