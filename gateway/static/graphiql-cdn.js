// GraphiQL from a CDN, for a server without a build: no explorer, no examples, no live subscriptions.
const token = document.querySelector('meta[name="roster-token"]').content || "rst_…";

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "/graphql", enableIncrementalDelivery: false }),
    defaultHeaders: JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2),
    defaultEditorToolsVisibility: "headers",
    defaultQuery: "# Put your service token into the headers below.\n{\n  viewer { institution { slug } scopes }\n}\n",
  }),
);
