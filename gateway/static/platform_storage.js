// The state of a launch, kept by the platform for a browser that keeps no cookie in a frame: put before the login
// goes on, read when the launch comes back (1EdTech LTI postMessage Storage v0p1, fact sheet lti-launch.md §7).
"use strict";

const PATIENCE = 2000;
const { task, target, origin, key, value, next } = document.currentScript.dataset;

function platformFrame() {
  const platform = window.parent === window ? window.opener : window.parent;
  if (!platform || target === "_parent") return platform;
  return platform.frames[target] || platform;
}

// The platform's answer; null where it gives none, as mobile apps do.
function ask(subject, parameters) {
  const frame = platformFrame();
  if (!frame) return Promise.resolve(null);
  const message_id = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  return new Promise((resolve) => {
    const over = setTimeout(() => resolve(null), PATIENCE);
    window.addEventListener("message", (event) => {
      const answer = event.data;
      if (event.origin !== origin || !answer || answer.message_id !== message_id) return;
      if (answer.subject !== `${subject}.response`) return;
      clearTimeout(over);
      resolve(answer.error ? null : answer);
    });
    frame.postMessage({ subject, message_id, ...parameters }, origin);
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
