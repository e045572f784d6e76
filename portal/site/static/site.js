// Pages are files, so a warning may end while nothing renders them again: the device's own clock marks it as past.
// Without this script the page still says until when the warning is in force.
(function () {
  "use strict";
  function each(root, selector, act) { Array.prototype.forEach.call(root.querySelectorAll(selector), act); }
  function look() {
    each(document, "[data-expires]", function (item) {
      if (!(Date.parse(item.getAttribute("data-expires")) <= Date.now())) return;
      item.classList.add("is-past");
      each(item, "[data-past]", function (part) { part.hidden = false; });
      each(item, "[data-live]", function (part) { part.hidden = true; });
    });
    var made = document.querySelector("[data-made]"), age = document.querySelector("[data-age]");
    if (!made || !age) return;
    var minutes = Math.floor((Date.now() - Date.parse(made.getAttribute("datetime"))) / 60000);
    if (!(minutes >= 1)) return;
    age.hidden = false;
    age.textContent = minutes < 120 ? " " + age.getAttribute("data-minutes").replace("#", minutes)
      : " " + age.getAttribute("data-hours").replace("#", Math.floor(minutes / 60));
  }
  look();
  setInterval(look, 15000);
})();
