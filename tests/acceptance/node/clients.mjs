// Asks the server at argv[2] as graphql-ws and graphql-sse do; prints what each of them was told, as one JSON object.
// Of the subscription, which never ends by itself, the first result is taken, and it is closed.
import { createClient as createSseClient } from "graphql-sse";
import { createClient as createWsClient } from "graphql-ws";
import WebSocket from "ws";

const [, , url, token, query, subscription] = process.argv;

async function results(client, text) {
  const told = [];
  for await (const result of client.iterate({ query: text })) told.push(result);
  return told;
}

async function first(client, text) {
  for await (const result of client.iterate({ query: text })) return result;
}

async function refusal(connectionParams) {
  const client = createWsClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams,
    retryAttempts: 0,
  });
  try {
    await results(client, query);
  } catch (event) {
    return event.code;
  } finally {
    await client.dispose();
  }
}

const credentials = { Authorization: `Bearer ${token}` };
const ws = createWsClient({
  url: url.replace(/^http/, "ws"),
  webSocketImpl: WebSocket,
  connectionParams: credentials,
  retryAttempts: 0,
});
const sse = createSseClient({ url, headers: credentials, retryAttempts: 0 });

console.log(
  JSON.stringify({
    wsQuery: await results(ws, query),
    wsChange: await first(ws, subscription),
    wsUnauthenticated: await refusal({}),
    wsWrongToken: await refusal({ Authorization: "Bearer rst_wrong" }),
    sseQuery: await results(sse, query),
    sseChange: await first(sse, subscription),
  }),
);
await ws.dispose();
sse.dispose();
