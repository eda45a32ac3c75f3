/** A zone that is being drawn: what the panel knows of it, and the GeoJSON Feature that is sent; pure. */

import { METRES_PER_DEGREE, type Position } from "./shapes";
import type { Said, Zone, ZoneKind } from "./types";

export const SHAPES = ["polygon", "circle", "corridor"] as const;
export type Shape = (typeof SHAPES)[number];

/** What can be inside of a Feature that we draw; a repaired polygon may have come apart. */
export type Sketched = GeoJSON.Point | GeoJSON.LineString | GeoJSON.Polygon | GeoJSON.MultiPolygon;

/** What the server said of it: it can be stored, or why not. */
export type Verdict =
  | { sound: true; warnings: Said[]; more: number; drawn: Zone }
  | { sound: false; problems: Said[]; repair: GeoJSON.Polygon | GeoJSON.MultiPolygon | null };

export interface Drawing {
  shape: Shape;
  geometry: Sketched | null;
  name: string;
  kind: ZoneKind;
  org: string;
  /** Nobody named: all of the org and of those below it. */
  wearers: readonly string[];
  /** What was typed to find one more. */
  who: string;
  schedule: string;
  radius_m: number;
  width_m: number;
  approach_m: number | null;
  dwell_min: number | null;
  verdict: Verdict | null;
}

const RADIUS_M = 200;
const WIDTH_M = 100;

export function blank(org: string): Drawing {
  return {
    shape: "polygon", geometry: null, name: "", kind: "keep_out", org, wearers: [], who: "", schedule: "",
    radius_m: RADIUS_M, width_m: WIDTH_M, approach_m: null, dwell_min: null, verdict: null,
  };
}

/** After a change: what was said of it before holds no more. */
export function changed(drawing: Drawing, change: Partial<Drawing>): Drawing {
  return { ...drawing, verdict: null, ...change };
}

/** Which kinds ring before their line, and which on lingering. */
export const hasApproach = (kind: ZoneKind) => kind === "keep_in" || kind === "keep_out";
export const hasDwell = (kind: ZoneKind) => kind === "keep_out" || kind === "interest";

export function isComplete({ geometry, name, org }: Drawing): boolean {
  return geometry !== null && name.trim() !== "" && org !== "";
}

/** The Feature to send; the map's datum is WGS-84. */
export function featureOf(drawing: Drawing): GeoJSON.Feature {
  const { geometry, kind } = drawing;
  const properties = {
    org: drawing.org,
    name: drawing.name.trim(),
    kind,
    datum: "WGS-84",
    ...(geometry?.type === "Point" && { radius_m: drawing.radius_m }),
    ...(geometry?.type === "LineString" && { width_m: drawing.width_m }),
    ...(hasApproach(kind) && drawing.approach_m && { approach_m: drawing.approach_m }),
    ...(hasDwell(kind) && drawing.dwell_min && { dwell_s: drawing.dwell_min * 60 }),
    ...(drawing.wearers.length && { wearers: drawing.wearers }),
    ...(drawing.schedule && { schedule: drawing.schedule }),
  };
  return { type: "Feature", geometry: geometry as GeoJSON.Geometry, properties };
}

/** The middle and the radius of a circle that was drawn as a ring. */
export function circleOf(ring: readonly GeoJSON.Position[]): { geometry: GeoJSON.Point; radius_m: number } {
  const [lons, lats] = [ring.map(([lon]) => lon ?? 0), ring.map(([, lat]) => lat ?? 0)];
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  const middle: Position = [rounded((Math.min(...lons) + Math.max(...lons)) / 2), rounded((south + north) / 2)];
  return {
    geometry: { type: "Point", coordinates: middle },
    radius_m: Math.max(1, Math.round(((north - south) / 2) * METRES_PER_DEGREE)),
  };
}

/** The ground that a drawing covers, as far as one knows before the server has drawn it; or its repair. */
export function preview({ geometry, kind, verdict, width_m, radius_m }: Drawing): GeoJSON.Feature[] {
  if (geometry === null || verdict?.sound) return [];
  if (verdict?.repair) return [{ type: "Feature", geometry: verdict.repair, properties: { kind: "repair" } }];
  return [{ type: "Feature", geometry, properties: { kind, width_m, radius_m } }];
}

function rounded(degrees: number): number {
  return Math.round(degrees * 1e6) / 1e6;
}
