// The state of a launch, kept by the platform for a browser that keeps no cookie in a frame: put before the login
// goes on, read when the launch comes back (1EdTech LTI postMessage Storage v0p1, fact sheet lti-launch.md §7).
"use strict";

const PATIENCE = 3000;
const AGAIN = 250;
const { task, target, origin, key, value, next } = document.currentScript.dataset;

// The frame that keeps data. A frame of another site that is not there yet may not even be asked for by its name.
function platformFrame() {
  const platform = window.parent === window ? window.opener : window.parent;
  if (!platform || target === "_parent") return platform;
  try {
    return platform.frames[target] || platform;
  } catch {
    return platform;
  }
}

// The platform's answer; null where it gives none, as mobile apps do. Asked again and again: its frame may still be
// loading, and a message to a page that does not listen yet is lost.
function ask(subject, parameters) {
  const message_id = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  return new Promise((resolve) => {
    const send = () => platformFrame()?.postMessage({ subject, message_id, ...parameters }, origin);
    const asking = setInterval(send, AGAIN);
    const done = (answer) => {
      clearInterval(asking);
      clearTimeout(over);
      resolve(answer);
    };
    const over = setTimeout(done, PATIENCE, null);
    window.addEventListener("message", ({ origin: from, data: answer }) => {
      if (from !== origin || !answer || answer.message_id !== message_id) return;
      if (answer.subject === `${subject}.response`) done(answer.error ? null : answer);
    });
    send();
  });
}

async function put() {
  await ask("lti.put_data", { key, value });
  window.location.replace(next);
}

async function get() {
  const answer = await ask("lti.get_data", { key });
  const form = document.getElementById("launch");
  form.elements.storage_state.value = (answer && answer.value) || "";
  form.submit();
}

window.addEventListener("DOMContentLoaded", task === "put" ? put : get);
