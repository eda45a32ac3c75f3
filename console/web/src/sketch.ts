/** Drawing on the map with terra-draw: one shape at a time, whose corners can be moved once it is there. */

import type { Map as MapLibre } from "maplibre-gl";
import {
  TerraDraw,
  TerraDrawCircleMode,
  TerraDrawLineStringMode,
  TerraDrawPolygonMode,
  TerraDrawSelectMode,
  type HexColor,
} from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import { circleOf, type Drawing, type Shape } from "./drawing";

const MODE: Record<Shape, string> = { polygon: "polygon", circle: "circle", corridor: "linestring" };
const COLOUR: HexColor = "#f2c14e";
const CORNERS = { feature: { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } } };
const SELECTED = {
  selectedPolygonColor: COLOUR, selectedPolygonFillOpacity: 0, selectedPolygonOutlineColor: COLOUR,
  selectedLineStringColor: COLOUR, selectionPointColor: "#ffffff" as HexColor, selectionPointWidth: 4,
  midPointColor: COLOUR, midPointWidth: 3,
};
const AREA = { fillColor: COLOUR, fillOpacity: 0.12, outlineColor: COLOUR, outlineWidth: 2 };

export class Sketch {
  private readonly draw: TerraDraw;

  constructor(map: MapLibre, drawn: (change: Partial<Drawing>) => void) {
    this.draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 7 }),
      modes: [
        new TerraDrawPolygonMode({ styles: AREA }),
        new TerraDrawCircleMode({ styles: AREA }),
        new TerraDrawLineStringMode({ styles: { lineStringColor: COLOUR, lineStringWidth: 2 } }),
        new TerraDrawSelectMode({
          flags: { polygon: CORNERS, linestring: CORNERS }, styles: SELECTED, allowManualDeselection: false,
        }),
      ],
    });
    this.draw.start();
    this.draw.on("finish", (id, { mode, action }) => {
      const geometry = this.draw.getSnapshotFeature(id)?.geometry;
      if (mode === "circle" && geometry?.type === "Polygon") {
        this.draw.clear();
        this.draw.setMode("select");
        drawn(circleOf(geometry.coordinates[0] ?? []));
      } else if (geometry?.type === "Polygon" || geometry?.type === "LineString") {
        if (action === "draw") this.draw.selectFeature(id);
        drawn({ geometry });
      }
    });
  }

  /** Draw anew. */
  begin(shape: Shape): void {
    this.draw.clear();
    this.draw.setMode(MODE[shape]);
  }

  /** Let the shape that is there be, and draw no other. */
  rest(): void {
    this.draw.clear();
    this.draw.setMode("select");
  }

  /** Take everything off the map. */
  end(): void {
    this.draw.stop();
  }
}
