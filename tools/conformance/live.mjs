// Listens to eventStream with one of two npm clients (ws, sse), and goes on after the last event
// whenever it is cut off. Exits when it has heard so many, with 1 when one
// was missed, doubled or out of order.
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';

const [protocol, url, token, wanted] = process.argv.slice(2);
const authorization = `Bearer ${token}`;
const retry = { retryAttempts: 1000, shouldRetry: () => true };
const clients = {
  ws: () =>
    createWsClient({
      ...retry,
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization },
      retryWait: () => sleep(50),
    }),
  sse: () => createSseClient({ ...retry, url, headers: { authorization }, retry: () => sleep(50) }),
};

// Both clients write the operation anew each time they connect, so the variable can move on.
const operation = {
  query: 'subscription ($after: EventNumber) { eventStream(after: $after) { sequence kind } }',
  variables: { after: 0 },
};
const heard = [];

function finish(because) {
  const whole = heard.every((sequence, place) => sequence === place + 1);
  console.log(`${protocol}: heard ${heard.length} of ${wanted} events; ${because}`);
  process.exit(whole && heard.length === Number(wanted) ? 0 : 1);
}

clients[protocol]().subscribe(operation, {
  next: ({ data, errors }) => {
    if (errors) finish(JSON.stringify(errors));
    const { sequence } = data.eventStream;
    operation.variables.after = sequence;
    heard.push(sequence);
    if (heard.length >= Number(wanted)) finish('done');
  },
  error: (error) => finish(`failed: ${error.message ?? JSON.stringify(error)}`),
  complete: () => finish('the server ended the stream'),
});
