// Finds the community by the position of the phone: the form is sent with it, everything that was ticked stays.
(function () {
  "use strict";
  var here = document.getElementById("here");
  if (!here || !navigator.geolocation || !window.isSecureContext) return;
  var button = here.querySelector("button"), said = here.querySelector("[role=status]"), form = here.closest("form");
  here.hidden = false;

  function fill(name, value) {
    var field = here.querySelector("[name=" + name + "]");
    field.disabled = false;
    field.value = value.toFixed(4); // some ten metres
  }
  button.addEventListener("click", function () {
    button.disabled = true;
    said.textContent = here.getAttribute("data-busy");
    navigator.geolocation.getCurrentPosition(function (found) {
      fill("longitude", found.coords.longitude);
      fill("latitude", found.coords.latitude);
      var act = document.createElement("input");
      act.type = "hidden"; act.name = "do"; act.value = "here";
      form.appendChild(act);
      form.submit();
    }, function (error) {
      button.disabled = false;
      said.textContent = here.getAttribute(error.code === 1 ? "data-refused" : "data-late");
    }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 60000 });
  });
})();
