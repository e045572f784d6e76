// An SMPP carrier as a process of its own: node tests/fakes/smsc.mjs [--system-id s] [--password p] [--key f --cert f] [--tied]
//
// SMPP is spoken by the npm package `smpp`, which shares nothing with the portal's own. It prints `port N control M` when it
// listens. The control port speaks HTTP: POST /_control sets faults (see `calm`), GET /_control tells counts, GET /_messages what
// was taken, in order; POST /_write lets a phone write, POST /_receipt sends a receipt for any number, POST /_drop cuts all
// connections, POST /_unbind says good-bye to them, POST /_reset forgets everything. All that it keeps is bounded.
//
// With `--journal FILE` it goes on after its own death: what was taken stands there, whether it was answered (`said`), and of
// which the receipt was heard; the other receipts are sent at the next bind.

import { createServer } from "node:http";
import { existsSync, openSync, readFileSync, writeSync } from "node:fs";
import smpp from "smpp";

const KEPT = 100_000;
const REDELIVERIES = 50;
const RETRY_MS = 100;

const given = process.argv.slice(2);
const option = (name, otherwise) => (given.includes(`--${name}`) ? given[given.indexOf(`--${name}`) + 1] : otherwise);
const SYSTEM_ID = option("system-id", "anlan");
const PASSWORD = option("password", "secret");

// Shares are between 0 and 1. Statuses are numbers of SMPP.
const calm = () => ({
  bind: 0, // status by which binds are refused
  bind_silent: false, // binds are not answered
  throttle: 0, queue_full: 0, system_error: 0, // shares of submit_sm so refused
  refuse: {}, // by number, the status
  refuse_times: 0, // how many submit_sm are refused with refuse_status
  refuse_status: 0,
  delay_ms: 0, // before a submit_sm is answered
  silent: false, // submit_sm are taken and not answered
  silent_times: 0, // so many of them
  nack: 0, // status of a generic_nack in place of an answer
  window: 0, // submit_sm without an answer above which is throttled; 0 for no limit
  drop_after: 0, // connections are cut at so many submit_sm from now on, before the answer
  enquire: true, // enquire_link is answered
  split: 0, // octets written at once; 0 for whole units
  receipts: true, receipt_ms: 0,
  receipt_early: false, // before the submit_sm is answered
  receipt_twice: false,
  receipt_form: "both", // text, tlv, both
  receipt_stat: {}, // by number, e.g. "UNDELIV"
  receipt_err: "000",
  hex: false, // numbers as hexadecimals in answers, as decimals in receipts
  seed: 1,
});

let faults, counts, taken, chance, serial, sinceDrop;
let resets = 0; // what is still on its way belongs to what is forgotten
const sessions = new Set();
let waiting = []; // what is to be delivered when somebody is bound

function reset() {
  resets += 1;
  faults = calm();
  counts = {};
  taken = [];
  waiting = [];
  chance = random(1);
  serial = 0xab000 + Math.floor(process.uptime() * 1000) * 0x100;
  sinceDrop = 0;
}

const JOURNAL = option("journal");
const journal = JOURNAL ? openSync(JOURNAL, "a") : null;
const note = (entry) => { if (journal !== null) writeSync(journal, `${JSON.stringify(entry)}\n`); };

function remember() {
  const byId = new Map(), told = new Set();
  for (const line of readFileSync(JOURNAL, "utf8").split("\n").filter(Boolean)) {
    const entry = JSON.parse(line);
    if (entry.message) byId.set(entry.message.id, entry.message);
    else if (entry.said) byId.get(entry.said).said = true;
    else told.add(entry.told);
  }
  taken = [...byId.values()];
  counts.taken = taken.length;
  serial = Math.max(serial, ...taken.map((message) => Number(message.id)));
  for (const { id, registered, to } of taken) if (registered && !told.has(id)) receipt(id, "DELIVRD", "000", to);
}

const count = (name) => { counts[name] = (counts[name] ?? 0) + 1; };
const drawn = (share) => share > 0 && chance() < share;
const later = (ms, act) => (ms > 0 ? setTimeout(act, ms) : act());

function random(seed) { // a linear congruential generator is random enough for faults
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

function refusal(pdu, session) {
  if (faults.refuse_times > 0) {
    faults.refuse_times -= 1;
    return faults.refuse_status;
  }
  if (faults.window > 0 && session.unanswered > faults.window) return smpp.ESME_RTHROTTLED;
  if (drawn(faults.throttle)) return smpp.ESME_RTHROTTLED;
  if (drawn(faults.queue_full)) return smpp.ESME_RMSGQFUL;
  if (drawn(faults.system_error)) return smpp.ESME_RSYSERR;
  return faults.refuse[pdu.destination_addr] ?? 0;
}

function serve(session) {
  session.unanswered = 0;
  session.isBound = false;
  session.setMaxListeners(0); // one for each receipt on its way
  sessions.add(session);
  count("connections");
  session.socket.setNoDelay(true);
  const whole = session.socket.write.bind(session.socket);
  session.socket.write = (data, done) => {
    if (!faults.split) return whole(data, done);
    for (let at = 0; at < data.length; at += faults.split) whole(data.subarray(at, at + faults.split));
    done?.();
    return true;
  };
  session.on("error", () => count("errors"));
  session.on("close", () => sessions.delete(session));
  for (const name of ["bind_transceiver", "bind_transmitter"]) session.on(name, (pdu) => bind(session, pdu));
  session.on("submit_sm", (pdu) => submit(session, pdu));
  session.on("enquire_link", (pdu) => {
    count("enquiries");
    if (faults.enquire) session.send(pdu.response());
  });
  session.on("unbind", (pdu) => {
    count("unbinds");
    session.send(pdu.response());
    session.close();
  });
  session.on("unknown", (pdu) => session.send(pdu.response()));
}

function bind(session, pdu) {
  count(pdu.command);
  if (faults.bind_silent) return;
  let status = faults.bind;
  if (!status && pdu.system_id !== SYSTEM_ID) status = smpp.ESME_RINVSYSID;
  if (!status && pdu.password !== PASSWORD) status = smpp.ESME_RINVPASWD;
  session.send(pdu.response({ command_status: status, system_id: "smsc" }));
  if (status) return void count("binds_refused");
  count("binds");
  session.isBound = true;
  session.hears = pdu.command === "bind_transceiver";
  session.version = pdu.interface_version;
  const due = waiting;
  waiting = [];
  setTimeout(() => due.forEach(deliver), 20);
}

function submit(session, pdu) {
  count("submits");
  session.unanswered += 1;
  counts.most_unanswered = Math.max(counts.most_unanswered ?? 0, session.unanswered);
  const say = (status, options, message) => later(faults.delay_ms, () => {
    session.unanswered -= 1;
    if (message && !session.socket.destroyed) {
      message.said = true;
      note({ said: message.id });
    }
    session.send(pdu.response({ command_status: status, ...options }));
  });
  if (!session.isBound) return say(smpp.ESME_RINVBNDSTS);
  if (faults.drop_after > 0 && ++sinceDrop >= faults.drop_after) {
    sinceDrop = 0;
    faults.drop_after = 0;
    take(session, pdu);
    return session.destroy();
  }
  const status = refusal(pdu, session);
  if (status) {
    count(`refused_${status}`);
    return say(status);
  }
  if (faults.nack) {
    session.unanswered -= 1;
    return session.send(new smpp.PDU("generic_nack", { command_status: faults.nack, sequence_number: pdu.sequence_number }));
  }
  const message = take(session, pdu), id = Number(message.id), asked = resets;
  if (faults.silent || (faults.silent_times > 0 && faults.silent_times--)) return;
  const told = faults.hex ? id.toString(16).toUpperCase() : String(id);
  if (faults.receipt_early) {
    report(pdu, id, asked);
    setTimeout(() => say(0, { message_id: told }, message), 50);
  } else {
    say(0, { message_id: told }, message);
    later(faults.receipt_ms, () => report(pdu, id, asked));
  }
}

function take(session, pdu) {
  const id = ++serial;
  count("taken");
  const content = pdu.short_message?.message?.length ? pdu.short_message : pdu.message_payload ?? pdu.short_message;
  const udh = pdu.short_message?.udh?.[0];
  const message = {
    id: String(id), to: pdu.destination_addr, from: pdu.source_addr,
    source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi,
    dest_ton: pdu.dest_addr_ton, dest_npi: pdu.dest_addr_npi, coding: pdu.data_coding, body: String(content?.message ?? content),
    udh: udh ? [...udh] : null, esm_class: pdu.esm_class, registered: pdu.registered_delivery, validity: pdu.validity_period,
    sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum], payload: pdu.message_payload !== undefined,
    service_type: pdu.service_type, at: Date.now() / 1000, said: false,
  };
  note({ message });
  taken.push(message);
  if (taken.length > KEPT) taken.shift();
  return message;
}

function report(pdu, id, asked) {
  if (asked !== resets || !faults.receipts || !pdu.registered_delivery) return;
  const stat = faults.receipt_stat[pdu.destination_addr] ?? "DELIVRD";
  for (let n = 0; n < (faults.receipt_twice ? 2 : 1); n += 1) receipt(String(id), stat, faults.receipt_err, pdu.destination_addr);
}

const STATES = ["", "ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"];

function receipt(id, stat, err, from) {
  const fields = { esm_class: 4, source_addr: from, source_addr_ton: 1, source_addr_npi: 1, destination_addr: "12379" };
  if (faults.receipt_form !== "tlv") {
    const named = faults.receipt_form === "text" || faults.receipt_form === "both" ? id : "";
    fields.short_message =
      `id:${named} sub:001 dlvrd:001 submit date:2611250001 done date:2611250002 stat:${stat} err:${err} text:`;
  }
  if (faults.receipt_form !== "text") {
    fields.receipted_message_id = id;
    fields.message_state = Math.max(1, STATES.indexOf(stat));
  }
  deliver({ fields, tries: 0, resets, id });
}

function deliver(item) {
  if (item.resets !== resets) return;
  const session = [...sessions].find((s) => s.isBound && s.hears && s.socket.writable);
  if (!session) {
    if (waiting.length < KEPT) waiting.push(item);
    return;
  }
  let answered = false;
  count("delivers");
  const again = () => {
    if (!answered && ++item.tries < REDELIVERIES) setTimeout(() => deliver(item), RETRY_MS);
    answered = true;
  };
  session.once("close", again);
  session.deliver_sm({ ...item.fields }, (pdu) => {
    session.off("close", again);
    count(`deliver_${pdu.command_status}`);
    if (pdu.command_status) again();
    else if (item.id) note({ told: item.id });
    answered = true;
  });
}

// A phone writes: from, body, coding (SMPP's), and parts, each a body of its own.
function write({ from, body = "", coding = 0, parts = null, ton = 1 }) {
  const pieces = parts ?? [body];
  pieces.forEach((message, index) => {
    const udh = parts ? Buffer.from([5, 0, 3, 77, pieces.length, index + 1]) : undefined;
    const fields = {
      source_addr: from.replace(/^\+/, ""), source_addr_ton: ton, source_addr_npi: 1, destination_addr: "12379",
      data_coding: coding, esm_class: parts ? 0x40 : 0, short_message: udh ? { udh, message } : message,
    };
    deliver({ fields, tries: 0, resets });
  });
}

const summary = () => ({
  counts, taken: counts.taken ?? 0, bound: [...sessions].filter((s) => s.isBound).length, waiting: waiting.length, faults,
  versions: [...sessions].map((s) => s.version ?? 0),
});

const control = createServer((request, response) => {
  let text = "";
  request.on("data", (data) => { text += data; });
  request.on("end", () => {
    const { pathname, searchParams } = new URL(request.url, "http://control");
    const content = text ? JSON.parse(text) : {};
    let answer;
    if (pathname === "/_reset") reset();
    else if (pathname === "/_messages") answer = taken.slice(Number(searchParams.get("after") ?? 0)).slice(0, 5000);
    else if (pathname === "/_write") write(content);
    else if (pathname === "/_receipt") receipt(content.id, content.stat ?? "DELIVRD", content.err ?? "000", content.from ?? "");
    else if (pathname === "/_drop") sessions.forEach((session) => session.destroy());
    else if (pathname === "/_unbind") sessions.forEach((session) => session.unbind(() => session.close()));
    else if (pathname === "/_enquire") sessions.forEach((session) => session.enquire_link(() => count("enquire_answers")));
    else if (request.method === "POST") {
      const unknown = Object.keys(content).filter((name) => !(name in faults));
      if (unknown.length) {
        response.writeHead(400);
        return void response.end(`unknown fault ${unknown}`);
      }
      Object.assign(faults, content);
      chance = random(faults.seed);
      sinceDrop = 0;
    }
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer ?? summary()));
  });
});

reset();
if (JOURNAL && existsSync(JOURNAL)) remember();
if (given.includes("--tied")) process.stdin.resume().on("end", () => process.exit()); // with whoever started it
const tls = option("key") ? { key: readFileSync(option("key")), cert: readFileSync(option("cert")) } : {};
const server = smpp.createServer(tls, serve);
server.on("error", (error) => { throw error; });
server.on("tlsClientError", () => count("tls_errors"));
server.listen(Number(option("port", 0)), "127.0.0.1", () => {
  control.listen(Number(option("control", 0)), "127.0.0.1", () => {
    process.stdout.write(`port ${server.address().port} control ${control.address().port}\n`);
  });
});
