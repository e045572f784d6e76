"use strict";
// The running result of a checklist, by the rule of the course: every must, and enough of the others.
window.AnlanRunning = (form, words) => {
  const place = form.querySelector(".assess-result"), say = (text, values) => Object.entries(values).reduce((t, [k, v]) => t.replace(`{${k}}`, v), text);
  function count() {
    const steps = [...form.querySelectorAll(".assess-step")], done = (step) => step.querySelector("input[value=yes]").checked;
    const musts = steps.filter((step) => "required" in step.dataset), others = steps.filter((step) => !("required" in step.dataset));
    const had = musts.filter(done).length, more = others.filter(done).length, needed = Number(form.dataset.needed);
    const good = had === musts.length && more >= needed;
    place.textContent = `${good ? "✓" : "○"} ${good ? words.good : words.bad} · ${say(words.musts, {d: had, a: musts.length})} · ${say(words.others, {d: more, n: needed})}`;
    place.classList.toggle("assess-enough", good);
    return good;
  }
  form.addEventListener("change", count);
  count();
  return count;
};
for (const form of document.querySelectorAll("form.assess-form")) window.AnlanRunning(form, form.querySelector(".assess-result").dataset);
