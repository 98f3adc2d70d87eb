// Starts GraphiQL from files of this server alone, with one token for every tab and stories to try.
const KEPT = "loyalty-graph-token";
const field = document.getElementById("token");
const stories = JSON.parse(document.getElementById("stories").textContent);

// The token lives as long as the browser's tab, and is in no address and no file.
field.value = sessionStorage.getItem(KEPT) ?? "";
field.addEventListener("input", () => sessionStorage.setItem(KEPT, field.value.trim()));

const bearer = () => (field.value.trim() ? { Authorization: `Bearer ${field.value.trim()}` } : {});
const address = new URL(location.pathname, location.href);
const socket = new URL(address);
socket.protocol = address.protocol === "https:" ? "wss:" : "ws:";

const fetcher = GraphiQL.createFetcher({
  url: address.href,
  subscriptionUrl: socket.href,
  fetch: (url, options) => fetch(url, { ...options, headers: { ...options.headers, ...bearer() } }),
});

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, defaultTabs: stories, defaultEditorToolsVisibility: "variables" }),
);
