/** The schematic: wearers, zones, a track and a grid, drawn without anything from outside. */

import {
  Map as MapLibre,
  Marker,
  NavigationControl,
  ScaleControl,
  setWorkerUrl,
  type GeoJSONSource,
  type MapLayerMouseEvent,
} from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";

import { preview, type Drawing, type Shape } from "./drawing";
import { LAYERS, SOURCES } from "./layers";
import {
  approachRings, box, drawn, extent, gridLines, gridStep, middle, pixelsAtZoom0, ring, segments, type Position,
} from "./shapes";
import type { Sketch } from "./sketch";
import { look, wearerName, type State } from "./state";
import type { Wearer, Zone } from "./types";

setWorkerUrl(workerUrl);

const CLOSE_ZOOM = 14;
/** From this zoom on, zones carry their names. */
const NAMES_ZOOM = 10.5;
const MOST_NAMED = 40;

/** What the operator does on the map. */
export interface Hand {
  wearer(wearer: string): void;
  zone(zone: string): void;
  sketched(change: Partial<Drawing>): void;
}

type Placed = Wearer & { lat: number; lon: number };

export class Schematic {
  private readonly map: MapLibre;
  private readonly markers = new Map<string, Marker>();
  private readonly grid: HTMLElement;
  private ready = false;
  private fitted = false;
  private shown: State | null = null;
  private pen: Promise<Sketch> | null = null;

  constructor(
    container: HTMLElement,
    private readonly hand: Hand,
  ) {
    this.map = new MapLibre({
      container,
      style: { version: 8, sources: SOURCES, layers: LAYERS },
      center: [101.75, 26.62],
      zoom: 9,
      maxPitch: 0,
      dragRotate: false,
      attributionControl: false,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
    this.grid = container.appendChild(Object.assign(document.createElement("div"), { className: "grid-labels" }));
    this.map.on("load", () => this.start());
    this.map.on("idle", () => container.toggleAttribute("data-drawn", true));
    this.map.on("movestart", () => container.toggleAttribute("data-drawn", false));
    this.map.on("move", () => this.drawGrid());
    this.map.on("click", ["wearers", "zones"], (event: MapLayerMouseEvent) => this.click(event));
    this.map.on("mouseenter", "wearers", () => (this.map.getCanvas().style.cursor = "pointer"));
    this.map.on("mouseleave", "wearers", () => (this.map.getCanvas().style.cursor = ""));
  }

  /** Draw what the page knows. */
  show(state: State): void {
    const before = this.shown;
    this.shown = state;
    if (!this.ready) return;
    this.drawWearers(state);
    this.drawZones(state);
    this.draw("track", segments(state.detail?.track ?? []));
    this.drawNames(state);
    if (!this.fitted) this.fitAll();
    if (state.selectedWearer && state.selectedWearer !== before?.selectedWearer) this.goTo(state);
  }

  /** Show everybody. */
  fitAll(): void {
    const around = box(placed(this.shown?.wearers ?? []).map(({ lon, lat }) => [lon, lat]));
    if (around === null) return;
    this.map.fitBounds(around, { padding: 70, maxZoom: CLOSE_ZOOM, animate: this.fitted });
    this.fitted = true;
  }

  /** Let the operator draw a shape anew; null: let what is there be. */
  async sketch(shape: Shape | null): Promise<void> {
    // Who only watches never loads it.
    this.pen ??= import("./sketch").then(({ Sketch: Pen }) => new Pen(this.map, (change) => this.hand.sketched(change)));
    const pen = await this.pen;
    if (shape === null) pen.rest();
    else pen.begin(shape);
  }

  /** Take the pen away. */
  async endSketch(): Promise<void> {
    const pen = await this.pen;
    this.pen = null;
    pen?.end();
  }

  /** Let go of everything. */
  remove(): void {
    this.map.remove();
  }

  private start(): void {
    this.ready = true;
    this.drawGrid();
    if (this.shown) this.show(this.shown);
  }

  /** Whoever is under the pointer, or else the smallest zone there; while somebody draws, nothing. */
  private click({ features }: MapLayerMouseEvent): void {
    if (this.shown?.drawing) return;
    const at = (name: string) => features?.map(({ properties }) => properties[name] as string | undefined).find(Boolean);
    const [wearer, zone] = [at("wearer"), at("zone")];
    if (wearer) this.hand.wearer(wearer);
    else if (zone) this.hand.zone(zone);
  }

  private goTo(state: State): void {
    const here = placed(state.wearers).filter(({ wearer }) => wearer === state.selectedWearer);
    const around = box([...here, ...(state.detail?.track ?? [])].map(({ lon, lat }) => [lon, lat]));
    if (around !== null) this.map.fitBounds(around, { padding: 140, maxZoom: CLOSE_ZOOM });
  }

  private drawWearers(state: State): void {
    const people = placed(state.wearers);
    this.draw(
      "wearers",
      people.map((one) => ({
        type: "Feature",
        geometry: { type: "Point", coordinates: [one.lon, one.lat] },
        properties: {
          wearer: one.wearer,
          look: look(one, state.nowMs),
          selected: one.wearer === state.selectedWearer,
        },
      })),
    );
    const chosen = people.find(({ wearer }) => wearer === state.selectedWearer);
    const coordinates = chosen && [ring(chosen.lon, chosen.lat, chosen.accuracy_m ?? 0)];
    this.draw(
      "accuracy",
      coordinates ? [{ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates } }] : [],
    );
  }

  /** Zones of everybody always, those of one person only while they are looked at: homes are nobody else's business. */
  private drawZones({ zones: { features }, selectedWearer, selectedZone, drawing }: State): void {
    const zones = features.filter(({ properties: { wearers } }) =>
      wearers === null ? true : wearers.includes(selectedWearer ?? ""),
    );
    const seen = drawing?.verdict?.sound ? [...zones, drawing.verdict.drawn] : zones;
    const chosen = (zone: Zone) => ({ ...zone, properties: { ...zone.properties, selected: zone.properties.zone === selectedZone } });
    // The smaller lie on the larger: they can be seen, and clicked on.
    const areas = seen.map(drawn).sort((a, b) => extent(b) - extent(a));
    this.draw("zones", areas.map(chosen));
    this.draw("rings", approachRings(seen));
    this.draw("sketch", drawing ? preview(drawing).map(onGround) : []);
  }

  private drawNames(state: State): void {
    const wanted = new Map<string, [Position, string, string]>();
    for (const place of state.places) wanted.set(`p ${place.en}`, [[place.lon, place.lat], "place", place[state.lang]]);
    for (const zone of state.zones.features)
      if (zone.properties.wearers === null)
        wanted.set(`z ${zone.properties.zone}`, [middle(zone), `zone ${zone.properties.kind}`, zone.properties.name]);
    for (const one of placed(state.wearers)) {
      const seen = look(one, state.nowMs);
      const isNamed = one.wearer === state.selectedWearer || (seen !== "ok" && seen !== "stale");
      if (isNamed && wanted.size < state.places.length + state.zones.features.length + MOST_NAMED)
        wanted.set(`w ${one.wearer}`, [[one.lon, one.lat], `person ${seen}`, wearerName(one)]);
    }
    this.placeNames(wanted);
  }

  private placeNames(wanted: ReadonlyMap<string, [Position, string, string]>): void {
    for (const [key, marker] of this.markers)
      if (!wanted.has(key)) {
        marker.remove();
        this.markers.delete(key);
      }
    for (const [key, [position, kind, name]] of wanted) {
      const marker = this.markers.get(key) ?? this.newName(key, position, kind.startsWith("person"));
      marker.setLngLat(position);
      const label = marker.getElement().firstElementChild as HTMLElement;
      label.className = `map-name ${kind}`;
      label.textContent = name;
    }
  }

  private newName(key: string, position: Position, beside: boolean): Marker {
    const element = document.createElement("div");
    element.append(document.createElement("span"));
    element.setAttribute("aria-hidden", "true");
    const marker = new Marker({ element, anchor: beside ? "left" : "center", offset: [beside ? 15 : 0, 0] });
    this.markers.set(key, marker.setLngLat(position).addTo(this.map));
    return marker;
  }

  private drawGrid(): void {
    if (!this.ready) return;
    const bounds = this.map.getBounds();
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const step = gridStep(Math.min(east - west, north - south) * 1.6);
    const [lons, lats] = [gridLines(west, east, step), gridLines(south, north, step)];
    const line = (coordinates: Position[]): GeoJSON.Feature => ({
      type: "Feature",
      properties: {},
      geometry: { type: "LineString", coordinates },
    });
    this.draw("grid", [
      ...lons.map((lon) => line([[lon, south], [lon, north]])),
      ...lats.map((lat) => line([[west, lat], [east, lat]])),
    ]);
    this.map.getContainer().classList.toggle("named-zones", this.map.getZoom() >= NAMES_ZOOM);
    this.grid.replaceChildren(
      ...lons.map((lon) => gridLabel(`${lon}°E`, "lon", this.map.project([lon, north]).x)),
      ...lats.map((lat) => gridLabel(`${lat}°N`, "lat", this.map.project([west, lat]).y)),
    );
  }

  private draw(source: string, features: GeoJSON.Feature[]): void {
    this.map.getSource<GeoJSONSource>(source)?.setData({ type: "FeatureCollection", features });
  }
}

function placed(wearers: readonly Wearer[]): Placed[] {
  return wearers.filter((one): one is Placed => one.lat !== null && one.lon !== null);
}

/** A feature that somebody draws as an area, or as a line with its width in pixels. */
function onGround(feature: GeoJSON.Feature): GeoJSON.Feature {
  const { geometry, properties } = feature;
  if (geometry.type === "Point") {
    const [lon, lat] = geometry.coordinates as Position;
    return { ...feature, geometry: { type: "Polygon", coordinates: [ring(lon, lat, properties?.["radius_m"] as number)] } };
  }
  const lat = geometry.type === "LineString" ? (geometry.coordinates[0]?.[1] ?? 0) : 0;
  return { ...feature, properties: { ...properties, px: pixelsAtZoom0((properties?.["width_m"] as number) ?? 0, lat) } };
}

function gridLabel(text: string, axis: "lon" | "lat", offset: number): HTMLElement {
  const label = Object.assign(document.createElement("span"), { className: axis, textContent: text });
  label.style.setProperty(axis === "lon" ? "left" : "top", `${Math.round(offset)}px`);
  return label;
}
