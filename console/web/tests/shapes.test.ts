import { expect, test } from "vitest";

import { gridLines, gridStep, ring, segments } from "../src/shapes";

test("a circle is closed and as wide as its radius says, east and north alike", () => {
  const circle = ring(101.7, 26.5, 1000);
  expect(circle.at(0)).toEqual(circle.at(-1));
  const northM = (Math.max(...circle.map(([, lat]) => lat)) - 26.5) * 111_320;
  const eastM = (Math.max(...circle.map(([lon]) => lon)) - 101.7) * 111_320 * Math.cos((26.5 * Math.PI) / 180);
  expect(northM).toBeCloseTo(1000, 3);
  expect(eastM).toBeCloseTo(1000, 3);
});

test("a track joins fixes in order of time and marks gaps over five minutes", () => {
  const fix = (minute: number, lon: number) => ({
    event_time: new Date(minute * 60_000).toISOString(), lat: 0, lon, accuracy_m: null,
  });
  const lines = segments([fix(9, 3), fix(0, 1), fix(4, 2)]);
  expect(lines.map(({ geometry }) => geometry.coordinates.map(([lon]) => lon))).toEqual([[1, 2], [2, 3]]);
  expect(lines.map(({ properties }) => properties.gap)).toEqual([false, false]);
  expect(segments([fix(0, 1), fix(6, 2)])[0]?.properties.gap).toBe(true);
});

test("grid lines stand at round degrees", () => {
  expect(gridStep(0.6)).toBe(0.1);
  expect(gridLines(101.53, 101.87)).toEqual([101.55, 101.6, 101.65, 101.7, 101.75, 101.8, 101.85]);
});
