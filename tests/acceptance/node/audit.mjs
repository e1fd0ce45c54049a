// Audits the server at argv[2] against GraphQL over HTTP; prints one JSON line for each of the audits.
import { auditServer } from "graphql-http";

const [, , url, token] = process.argv;

const results = await auditServer({
  url,
  fetchFn: (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  },
});
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
