// Hands in again after a while, when very many hand in at once. Without this file the button does it.
"use strict";
(() => {
  const form = document.getElementById("again");
  if (form) setTimeout(() => { form.submit(); }, Number(form.dataset.seconds) * 1000 + Math.random() * 1000);
})();
