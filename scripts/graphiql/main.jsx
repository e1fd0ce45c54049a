// GraphiQL for the roster graph: the explorer, example queries in tabs, and one place for the service token.
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { useMemo, useState } from "react";
import { createRoot } from "react-dom/client";

import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./main.css";
import { examples } from "./examples.js";

const URL_OF_GRAPH = new URL("/graphql", location.href).href;
const STORED_TOKEN = "roster-token"; // for this browser tab only

const plugins = [explorerPlugin({ showAttribution: false })];

// A demo puts its token into the page; every other server leaves this empty.
const demoToken = document.querySelector('meta[name="roster-token"]').content;

function fetcherWith(token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const fetcher = createGraphiQLFetcher({
    url: URL_OF_GRAPH,
    headers,
    enableIncrementalDelivery: false,
    wsClient: createClient({ url: URL_OF_GRAPH.replace(/^http/, "ws"), connectionParams: headers, retryAttempts: 2 }),
  });
  return (params, options) => fetcher({ ...params, operationName: ownName(params) }, options);
}

// Just after a change of tabs GraphiQL still sends the name of the operation before.
function ownName({ query, operationName }) {
  return operationName && query.includes(operationName) ? operationName : undefined;
}

function Token({ value, onChange }) {
  return (
    <form className="roster-token" onSubmit={(event) => event.preventDefault()}>
      <label htmlFor="roster-token">Service token</label>
      <input
        id="roster-token"
        type="password"
        name="token"
        autoComplete="off"
        spellCheck="false"
        placeholder="rst_… from `roster token create`"
        value={value}
        onChange={(event) => onChange(event.target.value.trim())}
      />
      {demoToken && value === demoToken && <em>filled in: this is a demo</em>}
      {!value && <em>nothing is answered without one</em>}
    </form>
  );
}

function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(STORED_TOKEN) || demoToken);
  const fetcher = useMemo(() => fetcherWith(token), [token]);
  const query = new URLSearchParams(location.search).get("query");

  function change(next) {
    sessionStorage.setItem(STORED_TOKEN, next);
    setToken(next);
  }

  return (
    <>
      <header className="roster-bar">
        <strong>Roster Gateway</strong>
        <Token value={token} onChange={change} />
      </header>
      <GraphiQL
        fetcher={fetcher}
        plugins={plugins}
        defaultTabs={query ? [{ query }, ...examples] : examples}
        defaultEditorToolsVisibility={false}
        schemaDescription
        inputValueDeprecation
      >
        <GraphiQL.Logo>{" "}</GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

createRoot(document.getElementById("graphiql")).render(<App />);
