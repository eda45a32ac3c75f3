/** What lies over what on the schematic, and in which colours. */

import type { ExpressionSpecification, LayerSpecification, SourceSpecification } from "maplibre-gl";

const NOTHING: SourceSpecification = { type: "geojson", data: { type: "FeatureCollection", features: [] } };

export const SOURCES: Record<string, SourceSpecification> = {
  grid: NOTHING,
  zones: NOTHING,
  rings: NOTHING,
  sketch: NOTHING,
  track: NOTHING,
  accuracy: NOTHING,
  wearers: NOTHING,
};

/** The same colours as in the style sheet. Loss of signal is violet: it is not a breach. */
const LOOK_COLOUR: ExpressionSpecification = [
  "match", ["get", "look"],
  "sos", "#ff5fa2",
  "tamper", "#ff5c5c",
  "breach", "#ff9d3b",
  "silent", "#a98bff",
  "stale", "#76838f",
  "#3fbf8f",
];
const ZONE_COLOUR: ExpressionSpecification = [
  "match", ["get", "kind"],
  "keep_out", "#e0707a",
  "curfew", "#8f9ff0",
  "interest", "#b9a36b",
  "repair", "#8fd694",
  "#56b6c2",
];
const IS_AREA: ExpressionSpecification = ["!=", ["geometry-type"], "LineString"];
const DEEPEST_ZOOM = 24;
/** A width in metres on the ground: twice the pixels with every zoom. */
const AS_WIDE_AS_THE_GROUND: ExpressionSpecification = [
  "interpolate", ["exponential", 2], ["zoom"],
  0, ["get", "px"],
  DEEPEST_ZOOM, ["*", ["get", "px"], 2 ** DEEPEST_ZOOM],
];
const IS_CALM: ExpressionSpecification = ["in", ["get", "look"], ["literal", ["ok", "stale"]]];

export const LAYERS: LayerSpecification[] = [
  { id: "ground", type: "background", paint: { "background-color": "#0e141b" } },
  { id: "grid", type: "line", source: "grid", paint: { "line-color": "#1d2732", "line-width": 1 } },
  { id: "zones", type: "fill", source: "zones", paint: { "fill-color": ZONE_COLOUR, "fill-opacity": 0.15 } },
  {
    id: "zone-edges", type: "line", source: "zones",
    paint: { "line-color": ZONE_COLOUR, "line-width": ["case", ["get", "selected"], 3.5, 1.5], "line-opacity": 0.9 },
  },
  {
    id: "rings", type: "line", source: "rings",
    paint: { "line-color": ZONE_COLOUR, "line-width": 1.2, "line-opacity": 0.75, "line-dasharray": [3, 3] },
  },
  { id: "sketch", type: "fill", source: "sketch", filter: IS_AREA, paint: { "fill-color": ZONE_COLOUR, "fill-opacity": 0.25 } },
  {
    id: "sketch-edges", type: "line", source: "sketch", filter: IS_AREA,
    paint: { "line-color": ZONE_COLOUR, "line-width": 2 },
  },
  {
    id: "sketch-corridor", type: "line", source: "sketch", filter: ["!", IS_AREA],
    layout: { "line-join": "round", "line-cap": "round" },
    paint: { "line-color": ZONE_COLOUR, "line-opacity": 0.3, "line-width": AS_WIDE_AS_THE_GROUND },
  },
  {
    id: "track", type: "line", source: "track", filter: ["!", ["get", "gap"]],
    layout: { "line-join": "round", "line-cap": "round" },
    paint: { "line-color": "#c9d6e2", "line-width": 2, "line-opacity": 0.75 },
  },
  {
    id: "track-gaps", type: "line", source: "track", filter: ["get", "gap"],
    paint: { "line-color": "#c9d6e2", "line-width": 1.5, "line-opacity": 0.6, "line-dasharray": [1, 3] },
  },
  {
    id: "track-fixes", type: "circle", source: "track",
    paint: { "circle-radius": 2.5, "circle-color": "#c9d6e2", "circle-opacity": 0.8 },
  },
  { id: "accuracy", type: "fill", source: "accuracy", paint: { "fill-color": "#7cc4ff", "fill-opacity": 0.18 } },
  {
    id: "accuracy-edge", type: "line", source: "accuracy",
    paint: { "line-color": "#7cc4ff", "line-width": 1, "line-opacity": 0.8 },
  },
  {
    id: "halos", type: "circle", source: "wearers", filter: ["!", IS_CALM],
    paint: { "circle-radius": 14, "circle-color": LOOK_COLOUR, "circle-opacity": 0.2 },
  },
  {
    id: "wearers", type: "circle", source: "wearers",
    layout: { "circle-sort-key": ["case", IS_CALM, 0, 1] },
    paint: {
      "circle-radius": ["case", ["get", "selected"], 8, IS_CALM, 4.5, 7],
      "circle-color": LOOK_COLOUR,
      "circle-opacity": ["case", IS_CALM, 0.85, 1],
      "circle-stroke-width": ["case", ["get", "selected"], 2.5, 1],
      "circle-stroke-color": ["case", ["get", "selected"], "#ffffff", "#0e141b"],
    },
  },
];
