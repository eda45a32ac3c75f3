import { expect, test } from "vitest";

import { counts, found, isOnline, look, queue, withChanged } from "../src/state";
import type { Incident, Wearer } from "../src/types";

const NOW = Date.parse("2026-11-23T06:30:00Z");

function incident(id: string, priority: number, opened_at: string, state: Incident["state"] = "open"): Incident {
  return { incident_id: id, priority, opened_at, state } as Incident;
}

function wearer(change: Partial<Wearer> = {}): Wearer {
  const at = "2026-11-23T06:29:00Z";
  return { wearer: "w-1", wearer_name: "张三", state: "ok", fix_at: at, heard_at: at, silence_after_s: 600, ...change } as Wearer;
}

const OPEN = new Map(
  [
    incident("a", 1, "2026-11-23T06:29:00Z"),
    incident("b", 4, "2026-11-23T05:00:00Z"),
    incident("c", 4, "2026-11-23T06:00:00Z"),
  ].map((one) => [one.incident_id, one]),
);

test("the queue has the gravest first, then the newest", () => {
  expect(queue(OPEN).map(({ incident_id }) => incident_id)).toEqual(["c", "b", "a"]);
});

test("open incidents are counted by priority", () => {
  expect(counts(OPEN)).toEqual([0, 1, 0, 0, 2]);
});

test("a closed incident leaves the queue, a changed one stays in it", () => {
  expect([...withChanged(OPEN, incident("b", 4, "", "closed")).keys()]).toEqual(["a", "c"]);
  expect(withChanged(OPEN, incident("b", 4, "", "acknowledged")).get("b")?.state).toBe("acknowledged");
});

test("an old or unknown position is stale, but no alert is hidden by it", () => {
  expect(look(wearer(), NOW)).toBe("ok");
  expect(look(wearer({ fix_at: "2026-11-23T06:00:00Z" }), NOW)).toBe("stale");
  expect(look(wearer({ fix_at: null }), NOW)).toBe("stale");
  expect(look(wearer({ fix_at: null, state: "silent" }), NOW)).toBe("silent");
});

test("who is not heard of is not online", () => {
  expect(isOnline(wearer({ fix_at: null }), NOW)).toBe(true);
  expect(isOnline(wearer({ heard_at: null }), NOW)).toBe(false);
  expect(isOnline(wearer({ state: "silent" }), NOW)).toBe(false);
});

test("who needs a look is found first, by name or id", () => {
  const people = [wearer(), wearer({ wearer: "w-2", state: "sos" }), wearer({ wearer: "x-3", wearer_name: "李四" })];
  expect(found(people, "", NOW).map(({ wearer: id }) => id)).toEqual(["w-2", "w-1", "x-3"]);
  expect(found(people, "李", NOW).map(({ wearer: id }) => id)).toEqual(["x-3"]);
  expect(found(people, "W-", NOW)).toHaveLength(2);
});
