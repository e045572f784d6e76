// Puts the lines of an ordering in their order: by dragging with finger or mouse, or with buttons, which say what they did. The
// answer stays in the form's own lists, which are all there is without this file.
"use strict";
(() => {
  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (all, key) => (key in values ? values[key] : all));

  function enhance(holder) {
    const lists = [...holder.querySelectorAll("select")], byRank = holder.dataset.order === "ranks", words = JSON.parse(holder.dataset.words);
    const above = holder.previousElementSibling;
    if (lists.length < 2 || (above && above.classList.contains("touch-ordering"))) return;
    const texts = byRank ? lists.map((list) => holder.querySelector(`label[for="${CSS.escape(list.id)}"]`).textContent.trim())
      : [...lists[0].options].filter((option) => option.value !== "").map((option) => option.textContent.trim());
    const all = texts.length;

    // -- the answer in the lists -------------------------------------------------------------------------------
    /** The items in the order that the lists hold; null where they hold none. */
    function read() {
      const order = Array(all).fill(null);
      for (const [n, list] of lists.entries()) if (list.value !== "") order[byRank ? Number(list.value) : n] = byRank ? n : Number(list.value);
      return order.includes(null) || new Set(order).size < all ? null : order;
    }
    const shown = () => rows().map((row) => Number(row.dataset.item));
    function write() {
      shown().forEach((item, place) => { if (byRank) lists[item].value = String(place); else lists[place].value = String(item); });
      settle();
      lists[0].dispatchEvent(new Event("change", { bubbles: true })); // one answer, saved once
    }

    // -- what is seen ------------------------------------------------------------------------------------------
    const part = make("div", "touch-ordering"), hint = make("p", "hint", words.hint), list = make("ol", "touch-order"), said = make("p", "touch-said hint");
    const open = make("div", "touch-open"), keep = make("button", "button-quiet", words.keep);
    list.setAttribute("aria-label", words.list);
    said.setAttribute("role", "status");
    keep.type = "button";
    open.append(make("span", "", words.open), keep);
    part.append(hint, list, open, said);
    const rows = () => [...list.children], blocked = () => lists[0].matches(":disabled");
    function row(item) {
      const one = make("li", ""), grip = make("span", "touch-grip", "⠿");
      one.dataset.item = item;
      grip.setAttribute("aria-hidden", "true");
      const buttons = make("span", "touch-buttons");
      one.append(grip, make("span", "touch-words", texts[item]), buttons);
      for (const [way, sign, by] of [["up", "▲", -1], ["down", "▼", 1]]) {
        const button = make("button", "button-quiet", sign);
        button.type = "button";
        button.dataset.way = way;
        button.setAttribute("aria-label", fill(words[way], { words: texts[item] }));
        button.addEventListener("click", () => step(one, by, button));
        buttons.append(button);
      }
      grip.addEventListener("pointerdown", (event) => hold(event, one, grip));
      return one;
    }
    function settle() {
      rows().forEach((one, place) => {
        one.querySelector("[data-way=up]").setAttribute("aria-disabled", String(place === 0));
        one.querySelector("[data-way=down]").setAttribute("aria-disabled", String(place === all - 1));
      });
      open.hidden = !byRank || read() !== null; // a form that is sent as a whole keeps the order as it stands
    }
    const tell = (one) => { said.textContent = fill(words.moved, { words: texts[one.dataset.item], place: rows().indexOf(one) + 1, all }); };

    // -- moving ------------------------------------------------------------------------------------------------
    /** Moves the others past the line: one that leaves the page loses the finger that holds it, and the focus. */
    function put(one, place) {
      while (rows().indexOf(one) > place) one.after(one.previousElementSibling);
      while (rows().indexOf(one) < place) one.before(one.nextElementSibling);
    }
    function step(one, by, button) {
      const place = rows().indexOf(one) + by;
      if (place < 0 || place >= all || blocked()) return;
      put(one, place);
      button.focus();
      write();
      tell(one);
    }
    function hold(event, one, grip) {
      if (blocked() || event.button > 0) return;
      event.preventDefault();
      const before = shown();
      grip.setPointerCapture(event.pointerId);
      one.classList.add("touch-held");
      const move = (moving) => {
        const frame = list.getBoundingClientRect(), at = rows().findIndex((other) => other !== one && inside(other, moving.clientY));
        if (at >= 0) put(one, at);
        else if (moving.clientY < frame.top) put(one, 0);
        else if (moving.clientY > frame.bottom) put(one, all - 1);
      };
      const end = (ending) => {
        grip.removeEventListener("pointermove", move);
        for (const kind of ["pointerup", "pointercancel"]) grip.removeEventListener(kind, end);
        one.classList.remove("touch-held");
        if (ending.type === "pointercancel") { list.append(...before.map((item) => rows().find((other) => Number(other.dataset.item) === item))); return; }
        if (String(before) === String(shown())) return;
        write();
        tell(one);
      };
      grip.addEventListener("pointermove", move);
      for (const kind of ["pointerup", "pointercancel"]) grip.addEventListener(kind, end);
    }
    /** Whether a finger at this height is past the middle of another line, so that lines of unequal height do not flicker. */
    function inside(other, y) {
      const frame = other.getBoundingClientRect(), middle = frame.top + frame.height / 2;
      return y >= frame.top && y <= frame.bottom && (rows().indexOf(other) < rows().indexOf(list.querySelector(".touch-held")) ? y < middle : y > middle);
    }
    keep.addEventListener("click", () => { if (!blocked()) { write(); said.textContent = words.kept; } });

    list.append(...(read() || texts.map((text, n) => n)).map(row));
    holder.before(part);
    holder.classList.add("touch-plain");
    const form = holder.closest("form");
    if (holder.dataset.order === "places") form.addEventListener("submit", () => { if (read() === null) write(); }, { capture: true });
    /** The lists may be changed by others: a browser brings back what was chosen, the script of an exam what was not sent. */
    function follow() {
      const order = read();
      if (order && String(order) !== String(shown())) list.append(...order.map((item) => rows().find((one) => Number(one.dataset.item) === item)));
      settle();
    }
    holder.addEventListener("change", follow);
    window.addEventListener("pageshow", follow);
    follow();
  }
  for (const holder of document.querySelectorAll("[data-order]")) enhance(holder);
  self.AnlanTouch = Object.assign(self.AnlanTouch || {}, { ordering: enhance }); // for forms that a script makes
})();
