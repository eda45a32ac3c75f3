import { expect, test } from "vitest";

import { blank, changed, circleOf, featureOf, isComplete, preview, type Drawing } from "../src/drawing";
import { ring } from "../src/shapes";

const LINE: GeoJSON.LineString = { type: "LineString", coordinates: [[101.7, 26.5], [101.8, 26.5]] };
const AREA: GeoJSON.Polygon = { type: "Polygon", coordinates: [ring(101.7, 26.5, 300)] };

function drawing(change: Partial<Drawing> = {}): Drawing {
  return { ...blank("dongqu"), name: " 江岸 ", geometry: AREA, ...change };
}

test("a zone is sent in the map's datum with what its kind and shape can have, and nothing else", () => {
  expect(featureOf(drawing({ approach_m: 100, dwell_min: 15 })).properties).toEqual({
    org: "dongqu", name: "江岸", kind: "keep_out", datum: "WGS-84", approach_m: 100, dwell_s: 900,
  });
  expect(featureOf(drawing({ kind: "curfew", geometry: LINE, approach_m: 100, dwell_min: 15, schedule: "night" })).properties).toEqual({
    org: "dongqu", name: "江岸", kind: "curfew", datum: "WGS-84", width_m: 100, schedule: "night",
  });
  expect(featureOf(drawing({ wearers: ["w-1"] })).properties).toMatchObject({ wearers: ["w-1"] });
});

test("a ring that was drawn as a circle is one again", () => {
  const { geometry, radius_m } = circleOf(ring(101.71, 26.58, 250));
  expect(geometry.coordinates).toEqual([101.71, 26.58]);
  expect(radius_m).toBe(250);
});

test("what was said of a drawing holds until it changes", () => {
  const checked = drawing({ verdict: { sound: false, problems: [], repair: null } });
  expect(changed(checked, { name: "x" }).verdict).toBeNull();
});

test("a drawing is complete with a shape, a name and an org", () => {
  expect(isComplete(drawing())).toBe(true);
  for (const missing of [{ geometry: null }, { name: "  " }, { org: "" }]) expect(isComplete(drawing(missing))).toBe(false);
});

test("an offered repair is looked at in place of what was drawn", () => {
  const repair: GeoJSON.MultiPolygon = { type: "MultiPolygon", coordinates: [AREA.coordinates] };
  expect(preview(drawing()).map(({ geometry }) => geometry)).toEqual([AREA]);
  expect(preview(drawing({ verdict: { sound: false, problems: [], repair } })).map(({ geometry }) => geometry)).toEqual([repair]);
});
