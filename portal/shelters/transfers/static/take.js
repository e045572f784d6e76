"use strict";
// Taking a list along: asked of the server with a click, sealed under the holder's code before anything is stored.
(() => {
  const box = document.getElementById("take"), copy = window.AnlanCopy;
  if (!box || !copy.possible) return;
  box.hidden = false;
  const form = document.getElementById("take-form"), pin = document.getElementById("take-pin"), again = document.getElementById("take-again");
  const error = document.getElementById("take-error"), button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = pin.value.length < 6 ? box.dataset.short : pin.value !== again.value ? box.dataset.differ : "";
    if (error.textContent) { (pin.value.length < 6 ? pin : again).focus(); return; }
    button.disabled = true;
    try {
      if (await copy.pending()) { error.textContent = box.dataset.unsent; return; }
      await navigator.serviceWorker.register(box.dataset.worker, {scope: box.dataset.scope});
      await navigator.serviceWorker.ready;
      const answer = await fetch(box.dataset.url, {method: "POST", headers: {"X-CSRFToken": box.dataset.csrf}, redirect: "error"});
      if (!answer.ok) throw new Error(String(answer.status));
      await copy.keep(pin.value, await answer.json());
      window.location.assign(box.dataset.offline);
    } catch {
      error.textContent = box.dataset.failed;
    } finally {
      button.disabled = false;
      pin.value = again.value = "";
    }
  });
})();
