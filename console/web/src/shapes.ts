/** Shapes that the map draws; pure. Coordinates are longitude, latitude in degrees. */

import type { TrackPoint, Zone } from "./types";

export type Position = [number, number];

/** Of latitude, as the judge counts them. */
export const METRES_PER_DEGREE = 111_194.93;
const CORNERS = 64;
/** Above this, two fixes are too far apart in time for a line to suggest a way. */
const GAP_MS = 5 * 60_000;

/** A circle on the ground as a closed ring. */
export function ring(lon: number, lat: number, radiusM: number): Position[] {
  const up = radiusM / METRES_PER_DEGREE;
  const across = up / Math.cos((lat * Math.PI) / 180);
  return Array.from({ length: CORNERS + 1 }, (_, corner) => {
    const angle = (2 * Math.PI * (corner % CORNERS)) / CORNERS;
    return [lon + across * Math.cos(angle), lat + up * Math.sin(angle)];
  });
}

/** A zone as it is drawn: circles become polygons. */
export function drawn(zone: Zone): Zone {
  if (zone.geometry.type !== "Point") return zone;
  const [lon, lat] = zone.geometry.coordinates as Position;
  return { ...zone, geometry: { type: "Polygon", coordinates: [ring(lon, lat, zone.properties.radius_m ?? 0)] } };
}

/** How much of the map a drawn zone's outline takes up, in square degrees. */
export function extent({ geometry }: Zone): number {
  const rings = geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : geometry.type === "Polygon" ? geometry.coordinates : [];
  const around = box(rings.flat() as Position[]);
  return around === null ? 0 : (around[1][0] - around[0][0]) * (around[1][1] - around[0][1]);
}

/** The lines at which nearing a zone begins: inside a keep-in, outside a keep-out. */
export function approachRings(zones: readonly Zone[]): GeoJSON.Feature[] {
  return zones.flatMap(({ geometry, properties }) => {
    const { kind, radius_m, approach_m } = properties;
    const ring = geometry.type === "Point" ? circleRing(geometry, (radius_m ?? 0) + reach(kind, approach_m)) : properties.ring;
    return approach_m && ring ? [{ type: "Feature", geometry: ring, properties: { kind } }] : [];
  });
}

function reach(kind: Zone["properties"]["kind"], approachM: number | null): number {
  return (kind === "keep_in" ? -1 : 1) * (approachM ?? 0);
}

function circleRing({ coordinates }: GeoJSON.Point, radiusM: number): GeoJSON.Polygon | null {
  const [lon, lat] = coordinates as Position;
  return radiusM > 0 ? { type: "Polygon", coordinates: [ring(lon, lat, radiusM)] } : null;
}

/** Pixels per metre of width at zoom 0, where the world is 512 pixels wide. */
export function pixelsAtZoom0(metres: number, lat: number): number {
  return (metres * 512) / (360 * METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180));
}

/** Where a zone's name stands. */
export function middle(zone: Zone): Position {
  const { geometry } = zone;
  if (geometry.type === "Point") return geometry.coordinates as Position;
  const points = (geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat())[0] ?? [];
  const sum = points.reduce<Position>(([x, y], p) => [x + (p[0] ?? 0), y + (p[1] ?? 0)], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/** A track as lines between neighbouring fixes, each saying whether too much time lies between. */
export function segments(track: readonly TrackPoint[]): GeoJSON.Feature<GeoJSON.LineString, { gap: boolean }>[] {
  const inOrder = [...track].sort((a, b) => Date.parse(a.event_time) - Date.parse(b.event_time));
  return inOrder.slice(1).map((to, place) => {
    const from = inOrder[place] as TrackPoint;
    const coordinates = [
      [from.lon, from.lat],
      [to.lon, to.lat],
    ];
    const gap = Date.parse(to.event_time) - Date.parse(from.event_time) > GAP_MS;
    return { type: "Feature", properties: { gap }, geometry: { type: "LineString", coordinates } };
  });
}

/** The box round some positions, null where there are none. */
export function box(positions: readonly Position[]): [Position, Position] | null {
  if (positions.length === 0) return null;
  const lons = positions.map(([lon]) => lon);
  const lats = positions.map(([, lat]) => lat);
  return [
    [Math.min(...lons), Math.min(...lats)],
    [Math.max(...lons), Math.max(...lats)],
  ];
}

const STEPS = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/** The degrees at which grid lines stand between two values, about six of them. */
export function gridLines(from: number, to: number, step = gridStep(to - from)): number[] {
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, n) => round((first + n) * step));
}

/** The step that divides a range into about six. */
export function gridStep(range: number): number {
  return STEPS.find((step) => range / step >= 5) ?? 0.001;
}

function round(degrees: number): number {
  return Math.round(degrees * 1e6) / 1e6;
}
