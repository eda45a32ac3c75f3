import { html, nothing, type TemplateResult } from "lit-html";

import { nameOf } from "../state";
import type { Zone } from "../types";
import type { View } from "./view";

/** One zone in force: what it asks, of whom and when; whoever may change rules can end it. */
export function zoneView(view: View, { properties: zone }: Zone): TemplateResult {
  const { state, t, act } = view;
  const facts: [string, string | null][] = [
    [t("zone.whom"), zone.wearers?.map((wearer) => nameOf(wearer, state.wearers)).join(" · ") ?? t("zone.whom.all")],
    [t("draw.org"), zone.org],
    [t("draw.schedule"), zone.schedule ?? t("draw.schedule.always")],
    [t("draw.radius_m"), text(zone.radius_m)],
    [t("draw.width_m"), text(zone.width_m)],
    [t("draw.approach_m"), text(zone.approach_m)],
    [t("draw.dwell_s"), text(zone.dwell_s && zone.dwell_s / 60)],
    [t("draw.datum"), zone.datum],
    [t("zone.id"), zone.zone],
  ];
  return html`
    <section class="panel zone-facts" aria-label=${zone.name}>
      <div class="heading ${zone.kind}">
        <button class="quiet back" title=${t("zone.back")} @click=${() => act.deselect()}>×</button>
        <p class="tags"><span class="kind">${t(`zone.${zone.kind}`)}</span></p>
        <h2>${zone.name}</h2>
        <dl class="facts">
          ${facts.map(([label, value]) => (value === null ? nothing : html`<dt>${label}</dt><dd>${value}</dd>`))}
        </dl>
        ${state.me?.changes_rules ? ending(view) : nothing}
      </div>
    </section>
  `;
}

function ending({ state, t, act }: View): TemplateResult {
  if (!state.zoneIsEnding)
    return html`
      <button class="quiet" id="end-zone" @click=${() => act.askToEndZone(true)}>${t("zone.end")}</button>
      ${state.actFailed ? html`<p class="problem" role="alert">${t("zone.end.failed")}</p>` : nothing}
    `;
  return html`
    <p class="notice">${t("zone.end.sure")}</p>
    <div class="buttons">
      <button class="quiet" @click=${() => act.askToEndZone(false)}>${t("zone.end.no")}</button>
      <button class="primary" id="end-zone-now" ?disabled=${state.busy} @click=${() => act.endZone()}>${t("zone.end.yes")}</button>
    </div>
  `;
}

function text(value: number | null): string | null {
  return value === null ? null : String(Math.round(value * 100) / 100);
}
