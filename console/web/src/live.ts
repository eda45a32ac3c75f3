/** The live feed: tells of each changed incident, and when everything must be read again. */

import type { Incident } from "./types";

export interface Hearer {
  changed(incident: Incident): void;
  resync(): void;
  connected(isConnected: boolean): void;
}

const RETRY_MS = 3000;

/** Listen until the function returned is called; a feed that broke off is opened again. */
export function listen(hearer: Hearer): () => void {
  let retry: number | undefined;
  let source = open();

  function open(): EventSource {
    const feed = new EventSource("/api/events");
    feed.addEventListener("incident", (event) => hearer.changed(JSON.parse(event.data) as Incident));
    feed.addEventListener("resync", () => hearer.resync());
    feed.addEventListener("open", () => hearer.connected(true));
    feed.addEventListener("error", () => {
      hearer.connected(false);
      // Browsers return by themselves from a broken line, but not from a refusal.
      if (feed.readyState === EventSource.CLOSED) retry = window.setTimeout(() => (source = open()), RETRY_MS);
    });
    return feed;
  }

  return () => {
    window.clearTimeout(retry);
    source.close();
  };
}
