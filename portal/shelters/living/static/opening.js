// How much the ticked shelters hold together, and how many the button opens.
"use strict";
(() => {
  const form = document.getElementById("open-form");
  if (!form) return;
  const sum = document.getElementById("open-sum"), button = document.getElementById("open-button");
  if (!button) return;
  const number = (value) => value.toLocaleString(document.documentElement.lang);
  function add() {
    const ticked = [...form.querySelectorAll("input[name=shelter]:checked")];
    const places = (kind) => number(ticked.reduce((all, box) => all + Number(box.dataset[kind]), 0));
    sum.textContent = sum.dataset.words.replace("{n}", number(ticked.length)).replace("{day}", places("day")).replace("{night}", places("night"));
    button.textContent = button.dataset.words.replace("{n}", number(ticked.length));
    button.disabled = ticked.length === 0;
  }
  form.addEventListener("change", add);
  form.addEventListener("submit", () => { button.disabled = true; });  // a second press would only be answered with the first
  window.addEventListener("pageshow", add);
  add();
})();
