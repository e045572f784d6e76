// Answers questions with the phone's script: reads {script, file, ask: [[lon, lat, layer, lang] …],
// links: [[lon, lat, name] …]}.
"use strict";
const fs = require("fs");
const asked = JSON.parse(fs.readFileSync(0, "utf8"));
globalThis.window = {};
(0, eval)(fs.readFileSync(asked.script, "utf8"));
const field = window.AnlanField;
if (asked.file) field.decode(asked.file);
process.stdout.write(JSON.stringify({
  routes: (asked.ask || []).map((one) => field.route(...one)),
  links: (asked.links || []).map((one) => field.links(...one)),
}));
