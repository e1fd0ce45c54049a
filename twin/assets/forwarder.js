// The frame `post_message_forwarding`, on the origin of the authorization endpoint: takes a tool's
// messages to the page that shows the tool, and the answers back (fact sheet lti-launch.md §7).
"use strict";

const waiting = new Map();
let tickets = 0;

window.addEventListener("message", (event) => {
  if (event.source === window.parent) {
    const asker = waiting.get(event.data?.ticket);
    if (!asker) return;
    waiting.delete(event.data.ticket);
    asker.source.postMessage(event.data.reply, asker.origin);
    return;
  }
  if (typeof event.data?.subject !== "string") return;
  tickets += 1;
  waiting.set(tickets, { source: event.source, origin: event.origin });
  window.parent.postMessage(
    { ticket: tickets, forwarded_from: event.origin, message: event.data },
    window.location.origin, // the twin has one origin for the school's pages and for the endpoints
  );
});
