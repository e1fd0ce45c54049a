// The page around a tool: opens the tool, keeps its platform storage, answers its messages.
// LTI Client Side postMessages v0p1 and LTI postMessage Storage v0p1, with Canvas's limits.
"use strict";

const PREFIX = "lti|platform_storage|";
const KEY_LIMIT = 50;
const CHARACTER_LIMIT = 4096;
const LIFE = 10 * 60 * 1000;
const FORWARDER = "post_message_forwarding";

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function stored(prefix) {
  const now = Date.now();
  const found = [];
  for (const name of Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX))) {
    const entry = JSON.parse(sessionStorage.getItem(name));
    if (entry.until < now) sessionStorage.removeItem(name);
    else if (name.startsWith(prefix)) found.push([name, entry.value]);
  }
  return new Map(found);
}

function text(value, name) {
  if (typeof value !== "string" || value === "") {
    throw new Refusal("bad_request", `Missing required '${name}' parameter`);
  }
  return value;
}

function putData(origin, message) {
  const prefix = `${PREFIX}${origin}|`;
  const key = text(message.key, "key");
  if (message.value === null || message.value === undefined) {
    sessionStorage.removeItem(prefix + key);
    return { key };
  }
  const value = text(message.value, "value");
  const others = [...stored(prefix)].filter(([name]) => name !== prefix + key);
  const length = others.reduce((sum, [name, held]) => sum + name.length + held.length, 0);
  if (others.length >= KEY_LIMIT || length + prefix.length + key.length + value.length > CHARACTER_LIMIT) {
    throw new Refusal("storage_exhaustion", "Reached storage limit");
  }
  sessionStorage.setItem(prefix + key, JSON.stringify({ value, until: Date.now() + LIFE }));
  return { key, value };
}

function getData(origin, message) {
  const prefix = `${PREFIX}${origin}|`;
  const key = text(message.key, "key");
  return { key, value: stored(prefix).get(prefix + key) ?? null };
}

function frameResize(_origin, message) {
  const height = Number.parseInt(message.height, 10);
  if (Number.isNaN(height)) throw new Refusal("bad_request", "Invalid 'height' parameter");
  document.querySelector("iframe.tool").style.height = `${height}px`;
  return {};
}

function close() {
  const frame = document.querySelector("iframe.tool");
  const notice = document.createElement("p");
  notice.textContent = "The tool has closed.";
  frame.replaceWith(notice);
  if (frame.dataset.afterClose) window.location.assign(frame.dataset.afterClose);
  return {};
}

function capabilities() {
  const inForwarder = ["lti.get_data", "lti.put_data"];
  return {
    supported_messages: [
      ...Object.keys(HANDLERS).map((subject) => ({ subject })),
      ...inForwarder.map((subject) => ({ subject, frame: FORWARDER })),
    ],
  };
}

const HANDLERS = {
  "lti.capabilities": capabilities,
  "lti.put_data": putData,
  "lti.get_data": getData,
  "lti.frameResize": frameResize,
  "org.imsglobal.lti.capabilities": capabilities,
  "org.imsglobal.lti.put_data": putData,
  "org.imsglobal.lti.get_data": getData,
  "org.imsglobal.lti.close": close,
};

function answer(origin, message) {
  const reply = { subject: `${message.subject}.response`, message_id: message.message_id };
  const handler = HANDLERS[message.subject];
  try {
    if (!handler) throw new Refusal("unsupported_subject", "Unsupported subject");
    if (message.subject.endsWith("_data")) text(message.message_id, "message_id");
    return { ...reply, ...handler(origin, message) };
  } catch (refused) {
    if (!(refused instanceof Refusal)) throw refused;
    return { ...reply, key: message.key, error: { code: refused.code, message: refused.message } };
  }
}

function isMessage(data) {
  return typeof data === "object" && data !== null && typeof data.subject === "string";
}

window.addEventListener("message", (event) => {
  const data = event.data;
  // The forwarder of this very page says for whom it speaks and gets the answer to carry back.
  if (event.origin === window.location.origin && data && data.forwarded_from) {
    const { message, forwarded_from: origin, ticket } = data;
    if (isMessage(message)) event.source.postMessage({ ticket, reply: answer(origin, message) }, event.origin);
  } else if (isMessage(data) && !data.subject.endsWith(".response") && event.source !== window) {
    event.source.postMessage(answer(event.origin, data), event.origin);
  }
});

window.addEventListener("load", () => document.getElementById("posted")?.submit());
