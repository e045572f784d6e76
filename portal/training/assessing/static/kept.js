"use strict";
// What an assessor's phone keeps: lists of sessions (with names: gone at sign-out, and when their time is over), half-filled
// checklists (gone at sign-out), and what is not yet sent (numbers, marks and a note, no names: it stays until it is sent).
// On every page of the desk, since one may sign out on any.
window.AnlanAssessments = (() => {
  const LIST = "anlan.assess.list.", OUT = "anlan.assess.out", DRAFT = "anlan.assess.draft", MOST = 400, DRAFTS = 60;
  const read = (key, otherwise) => { try { const found = JSON.parse(localStorage.getItem(key)); return found === null ? otherwise : found; } catch (error) { return otherwise; } };
  const write = (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)); return true; } catch (error) { return false; } };
  const keys = () => { try { return Object.keys(localStorage); } catch (error) { return []; } };
  const kept = {
    possible: (() => { try { localStorage.setItem("anlan.assess.try", "1"); localStorage.removeItem("anlan.assess.try"); return true; } catch (error) { return false; } })(),
    list: (session) => read(LIST + session, null),
    keepList: (list) => write(LIST + list.session, list),
    dropList(session) { localStorage.removeItem(LIST + session); },
    out: () => { const found = read(OUT, []); return Array.isArray(found) ? found : []; },
    // First kept, then shown: what is seen is never lost.
    add(item) { const items = kept.out(); return items.length < MOST && write(OUT, [...items, item]); },
    change(ref, values) { write(OUT, kept.out().map((one) => (one.ref === ref ? Object.assign({}, one, values) : one))); },
    drop(refs) { write(OUT, kept.out().filter((one) => !refs.includes(one.ref))); },
    draft: (key) => read(DRAFT, {})[key] || null,
    keepDraft(key, value) {
      const all = Object.entries(read(DRAFT, {})).filter(([other]) => other !== key), drafts = {};
      for (const [name, draft] of value ? [...all.slice(1 - DRAFTS), [key, value]] : all) drafts[name] = draft;
      write(DRAFT, drafts);
    },
    ref() {
      if (crypto.randomUUID) return crypto.randomUUID();
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      bytes[6] = (bytes[6] & 15) | 64; bytes[8] = (bytes[8] & 63) | 128;
      return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    },
    // Names go; what is not sent stays.
    forget() { for (const key of keys()) if (key.startsWith(LIST)) localStorage.removeItem(key); },
    forgetDrafts() { localStorage.removeItem(DRAFT); },
    sweep() {
      for (const key of keys()) if (key.startsWith(LIST)) {
        const list = read(key, null);
        if (!list || Date.now() >= list.expires || Date.now() < list.taken - 86400e3) localStorage.removeItem(key);
      }
    },
  };
  if (!kept.possible) return kept;
  kept.sweep();
  if (document.querySelector("form[action$='/desk/sign-in']")) kept.forget(); // nobody is signed in here
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!String(form.action).endsWith("/desk/sign-out")) return;
    const waiting = kept.out().filter((one) => one.state !== "refused").length, text = form.dataset.assessments;
    if (waiting && text && !window.confirm(text.replace("{n}", waiting))) { event.preventDefault(); event.stopImmediatePropagation(); return; }
    kept.forget();
    kept.forgetDrafts();
  }, true);
  return kept;
})();
