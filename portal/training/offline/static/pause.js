// On the pages of an exam: practice of its course waits on this phone until the server says that the exam is over.
"use strict";
(() => {
  const slug = document.currentScript.dataset.slug, store = self.AnlanStore;
  if (slug && store && store.possible) store.pause(slug).catch(() => { /* nothing is kept here that could wait */ });
})();
