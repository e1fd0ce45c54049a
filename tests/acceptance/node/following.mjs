// Follows the feed of the server at argv[2] by graphql-ws and by graphql-sse, each until it has seen as many changes as
// argv[4] says. Whenever the stream ends, for whatever reason, it is asked for anew behind the last cursor that came.
// Prints `following` once both have seen one, and at last the cursors that each was told, as one JSON object.
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";

const [, , url, token, wanted, start] = process.argv;
const query = "subscription($after: String) { changes(after: $after) { cursor } }";
const credentials = { Authorization: `Bearer ${token}` };

const clients = {
  ws: () =>
    createWsClient({
      url: url.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      connectionParams: credentials,
      retryAttempts: 0,
    }),
  sse: () => createSseClient({ url, headers: credentials, retryAttempts: 0 }),
};

let unheard = 2;
async function follow(makeClient) {
  const cursors = [];
  let interrupted = 0;
  while (cursors.length < Number(wanted)) {
    const client = makeClient();
    const after = cursors.at(-1) ?? start;
    try {
      for await (const result of client.iterate({ query, variables: { after } })) {
        if (result.errors) throw new Error(JSON.stringify(result.errors));
        cursors.push(result.data.changes.cursor);
        if (cursors.length === 1 && --unheard === 0) console.log("following");
        if (cursors.length >= Number(wanted)) break;
      }
    } catch {
      await new Promise((again) => setTimeout(again, 100));
    } finally {
      await client.dispose();
    }
    interrupted += 1;
  }
  return { cursors, interrupted };
}

const [ws, sse] = await Promise.all([follow(clients.ws), follow(clients.sse)]);
console.log(JSON.stringify({ ws, sse }));
process.exit(0);
