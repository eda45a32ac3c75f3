import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import { MOST_INCIDENTS } from "../api";
import { span } from "../format";
import { concerns, incidentTitle, queue } from "../state";
import type { Incident } from "../types";
import { ageS, type View } from "./view";

export function queueView(view: View): TemplateResult {
  const { state, t, act } = view;
  const incidents = state.tab === "open" ? queue(state.open) : state.closed;
  return html`
    <section class="panel queue" aria-label=${t("queue.title")}>
      <nav class="tabs" role="tablist">
        ${(["open", "closed"] as const).map(
          (tab) => html`<button role="tab" aria-selected=${state.tab === tab} @click=${() => act.showTab(tab)}>
            ${t(`queue.${tab}`)} ${tab === "open" ? html`<b>${state.open.size}</b>` : nothing}
          </button>`,
        )}
      </nav>
      ${state.tab === "open" && incidents.length >= MOST_INCIDENTS
        ? html`<p class="notice">${t("queue.full", { count: MOST_INCIDENTS })}</p>`
        : nothing}
      <ul class="rows" @keydown=${moveFocus}>
        ${repeat(incidents, ({ incident_id }) => incident_id, (incident) => row(incident, view))}
      </ul>
      ${incidents.length === 0 ? html`<p class="empty">${t(`queue.empty.${state.tab}`)}</p>` : nothing}
    </section>
  `;
}

function row(incident: Incident, view: View): TemplateResult {
  const { state, t, lang, act } = view;
  const isSelected = state.selectedIncident === incident.incident_id;
  const org = lang === "zh" ? incident.org_name : incident.org_name_en;
  return html`
    <li>
      <button
        class="incident p${incident.priority} ${incident.state} ${state.fresh.has(incident.incident_id) ? "fresh" : ""}"
        data-incident=${incident.incident_id}
        aria-current=${isSelected}
        @click=${() => act.selectIncident(incident.incident_id)}
      >
        <span class="line">
          <span class="what">${incidentTitle(incident, state.names, lang)}</span>
          <span class="age">${span(ageS(incident.opened_at, state), view)}</span>
        </span>
        <span class="line">
          <span class="who">${concerns(incident, lang)} <small>${incident.wearer ? org : nothing}</small></span>
          <span class="state">${t(`incident.state.${incident.state}`)}</span>
        </span>
        ${chips(incident, view)}
      </button>
    </li>
  `;
}

function chips(incident: Incident, { state, t, lang }: View): TemplateResult | typeof nothing {
  const cause = incident.close_cause === null ? undefined : state.names.close_causes[incident.close_cause];
  const texts = [
    cause ? cause[lang] : "",
    incident.state !== "closed" && incident.open_alerts === 0 ? t("incident.over") : "",
    incident.historic ? t("incident.historic") : "",
    incident.alerts > 1 ? t("incident.alerts", { count: incident.alerts }) : "",
    incident.minor ? t("minor") : "",
  ].filter((text) => text !== "");
  return texts.length ? html`<span class="chips">${texts.map((text) => html`<i>${text}</i>`)}</span>` : nothing;
}

/** Up and down go from row to row. */
export function moveFocus(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
  buttons[buttons.indexOf(event.target as HTMLButtonElement) + step]?.focus();
  event.preventDefault();
}
