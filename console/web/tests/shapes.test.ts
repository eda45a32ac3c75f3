import { expect, test } from "vitest";

import { approachRings, gridLines, gridStep, pixelsAtZoom0, ring, segments } from "../src/shapes";
import type { Zone } from "../src/types";

test("a circle is closed and as wide as its radius says, east and north alike", () => {
  const circle = ring(101.7, 26.5, 1000);
  expect(circle.at(0)).toEqual(circle.at(-1));
  const northM = (Math.max(...circle.map(([, lat]) => lat)) - 26.5) * 111_194.93;
  const eastM = (Math.max(...circle.map(([lon]) => lon)) - 101.7) * 111_194.93 * Math.cos((26.5 * Math.PI) / 180);
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

test("nearing begins inside a keep-in and outside a keep-out, and where nothing is so deep it never does", () => {
  const zone = (kind: string, approach_m: number | null): Zone =>
    ({ type: "Feature", geometry: { type: "Point", coordinates: [101.7, 26.5] }, properties: { kind, radius_m: 300, approach_m } }) as Zone;
  const reachM = (...zones: Zone[]) =>
    approachRings(zones).map(({ geometry }) => {
      const lats = (geometry as GeoJSON.Polygon).coordinates[0]?.map(([, lat]) => lat ?? 0) ?? [];
      return Math.round((Math.max(...lats) - 26.5) * 111_194.93);
    });
  expect(reachM(zone("keep_in", 100), zone("keep_out", 100))).toEqual([200, 400]);
  expect(reachM(zone("keep_in", 400), zone("curfew", null))).toEqual([]);
});

test("a corridor's width in pixels doubles with every zoom", () => {
  // At zoom 16 and the equator a pixel is 40,030 km / 512 / 65,536.
  expect(pixelsAtZoom0(100, 0) * 2 ** 16).toBeCloseTo(83.8, 1);
  expect(pixelsAtZoom0(100, 60)).toBeCloseTo(2 * pixelsAtZoom0(100, 0), 9);
});
