import { html, nothing, type TemplateResult } from "lit-html";

import { concerns, incidentTitle } from "../state";
import { detailView } from "./detail";
import { headerView } from "./header";
import { queueView } from "./queue";
import { signInView } from "./sign_in";
import type { View } from "./view";
import { wearersView } from "./wearers";
import { zoneView } from "./zone";
import { zonePanel } from "./zone_panel";

const LOOKS = ["sos", "tamper", "breach", "silent", "ok", "stale"] as const;
const ZONE_KINDS = ["keep_in", "keep_out", "curfew", "interest"] as const;

/** The whole page. */
export function pageView(view: View): TemplateResult | typeof nothing {
  const { state } = view;
  if (state.phase === "starting") return nothing;
  if (state.phase === "signed_out") return signInView(view);
  return html`
    ${headerView(view)}
    <main class="desk">${queueView(view)} ${mapView(view)} ${sideView(view)}</main>
    <p class="spoken" role="status" aria-live="polite">${spoken(view)}</p>
  `;
}

function sideView(view: View): TemplateResult {
  const { drawing, detail, selectedZone, zones } = view.state;
  if (drawing) return zonePanel(view, drawing);
  const zone = zones.features.find(({ properties }) => properties.zone === selectedZone);
  if (zone) return zoneView(view, zone);
  return detail ? detailView(view, detail) : wearersView(view);
}

function mapView({ state, t, act }: View): TemplateResult {
  return html`
    <section class="map-panel" aria-label=${t("map.label")}>
      <div id="map"></div>
      <p class="map-unavailable">${t("map.unavailable")}</p>
      <p class="map-note">${t("map.schematic")} · ${t("map.datum")}</p>
      <button class="map-fit" @click=${() => act.fitMap()}>${t("map.fit")}</button>
      ${state.me?.changes_rules && !state.drawing
        ? html`<button class="map-draw" id="draw-zone" @click=${() => act.startDrawing()}>${t("draw.start")}</button>`
        : nothing}
      <ul class="legend">
        ${LOOKS.map((look) => html`<li class=${look}><span class="dot"></span>${t(`state.${look}`)}</li>`)}
        ${ZONE_KINDS.map((kind) => html`<li class="zone ${kind}"><span class="dot"></span>${t(`zone.${kind}`)}</li>`)}
        <li class="zone ring"><span class="dot"></span>${t("zone.ring")}</li>
      </ul>
    </section>
  `;
}

function spoken({ state, t, lang }: View): string {
  const newest = [...state.fresh].map((id) => state.open.get(id)).findLast((incident) => incident !== undefined);
  if (newest === undefined) return "";
  return t("queue.new", { alert: incidentTitle(newest, state.names, lang), wearer: concerns(newest, lang) });
}
