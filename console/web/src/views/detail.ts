import { html, nothing, type TemplateResult } from "lit-html";

import { evidenceRows, moment, span, type EvidenceRow } from "../format";
import { isKey } from "../i18n";
import { codeName, concerns, incidentTitle, needsNote } from "../state";
import type { Alert, IncidentDetail } from "../types";
import { ageS, type View } from "./view";

/** One incident: who, what, since when, what to do, and why the system says so. */
export function detailView(page: View, incident: IncidentDetail): TemplateResult {
  const view = { ...page, timezone: incident.timezone };
  const { state, t, lang, act } = view;
  const org = lang === "zh" ? incident.org_name : incident.org_name_en;
  const grade = `grade.${incident.grade}`;
  return html`
    <section class="panel detail" aria-label=${incidentTitle(incident, state.names, lang)}>
      <div class="heading p${incident.priority}">
        <button class="quiet back" title=${t("incident.close_detail")} @click=${() => act.deselect()}>×</button>
        <p class="tags">
          <span class="priority">${t(`priority.${incident.priority as 0}`)}</span>
          <span class="state">${t(`incident.state.${incident.state}`)}</span>
          <span class="since">${span(ageS(incident.opened_at, state), view)}</span>
          ${incident.open_alerts === 0 && incident.state !== "closed" ? html`<i>${t("incident.over")}</i>` : nothing}
          ${incident.historic ? html`<i>${t("incident.historic")}</i>` : nothing}
        </p>
        <h2>${incident.codes.map((code) => codeName(code, state.names, lang)).join(lang === "zh" ? "；" : "; ")}</h2>
        <p class="person">
          <b>${concerns(incident, lang)}</b>
          <small>${incident.wearer ? `${incident.wearer} · ${org}` : incident.org}${isKey(grade) ? ` · ${t(grade)}` : nothing}</small>
          ${incident.minor ? html`<i>${t("minor")}</i>` : nothing}
        </p>
        ${times(incident, view)}
      </div>
      <div class="scroll">
        ${incident.state === "closed" ? nothing : handling(incident, view)}
        ${incident.close_note ? html`<blockquote>${incident.close_note}</blockquote>` : nothing}
        <h3>${t("alert.title")}</h3>
        ${incident.evidence.map((alert) => alertView(alert, view))}
        ${incident.track.length > 1 ? html`<p class="notice">${t("track.note")}</p>` : nothing}
        ${log(incident, view)}
      </div>
    </section>
  `;
}

function times(incident: IncidentDetail, view: View): TemplateResult {
  const { state, t } = view;
  const by = (at: string | null, operator: string | null) =>
    at && t("incident.by", { time: moment(Date.parse(at), view), operator: operator ?? "" });
  const cause = incident.close_cause && state.names.close_causes[incident.close_cause]?.[view.lang];
  const facts: [string, string | null][] = [
    [t("incident.opened"), moment(Date.parse(incident.opened_at), view)],
    [t("incident.acknowledged"), by(incident.acknowledged_at, incident.acknowledged_by)],
    [t("incident.closed"), by(incident.closed_at, incident.closed_by)],
    [t("act.cause"), cause ?? null],
  ];
  return html`
    <dl class="facts">
      ${facts.map(([label, text]) => (text ? html`<dt>${label}</dt><dd>${text}</dd>` : nothing))}
    </dl>
  `;
}

function handling(incident: IncidentDetail, view: View): TemplateResult {
  const { state, t, act } = view;
  return html`
    <h3>${t("act.title")}</h3>
    <div class="handling">
      ${incident.state === "open"
        ? html`<button class="primary" id="acknowledge" ?disabled=${state.busy} @click=${() => act.acknowledge()}>
              ${t("act.acknowledge")}
            </button>
            <p class="notice">${t("act.acknowledge.hint")}</p>`
        : closing(incident, view)}
      ${state.actFailed ? html`<p class="problem" role="alert">${t("act.failed")}</p>` : nothing}
    </div>
  `;
}

function closing(incident: IncidentDetail, { state, t, lang, act }: View): TemplateResult {
  const noteIsNeeded = needsNote(incident, state.names);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    act.close();
  };
  const causes = Object.entries(state.names.close_causes).filter(([, cause]) => cause.by_person);
  return html`
    <form @submit=${submit}>
      <label>
        <span>${t("act.cause")}</span>
        <select
          id="cause"
          required
          .value=${state.draft.cause}
          @change=${(event: Event) => act.draft({ cause: (event.target as HTMLSelectElement).value })}
        >
          <option value="">${t("act.cause.choose")}</option>
          ${causes.map(([key, cause]) => html`<option value=${key}>${cause[lang]}</option>`)}
        </select>
      </label>
      <label>
        <span>${t("act.note")}</span>
        <textarea
          id="note"
          rows="3"
          maxlength="2000"
          ?required=${noteIsNeeded}
          placeholder=${t(noteIsNeeded ? "act.note.required" : "act.note.optional")}
          .value=${state.draft.note}
          @input=${(event: InputEvent) => act.draft({ note: (event.target as HTMLTextAreaElement).value })}
        ></textarea>
      </label>
      <button
        class="primary"
        id="close"
        ?disabled=${state.busy || !state.draft.cause || (noteIsNeeded && !state.draft.note.trim())}
      >
        ${t("act.close")}
      </button>
    </form>
  `;
}

function alertView(alert: Alert, view: View): TemplateResult {
  const { state, t, lang } = view;
  const at = (time: string) => moment(Date.parse(time), view);
  return html`
    <article class="alert p${alert.priority} ${alert.state}">
      <h4>${codeName(alert.code, state.names, lang)} <i>${t(`alert.state.${alert.state}`)}</i></h4>
      <p class="reason">${alert.reason[lang]}</p>
      <dl class="facts">
        <dt>${t("alert.onset")}</dt><dd>${at(alert.onset_at)}</dd>
        <dt>${t("alert.decided")}</dt><dd>${at(alert.opened_at)}</dd>
        ${alert.cleared_at ? html`<dt>${t("alert.ended")}</dt><dd>${at(alert.cleared_at)}</dd>` : nothing}
      </dl>
      ${rows(evidenceRows(alert.evidence, view))}
      <p class="source">
        ${t(alert.device ? "alert.source" : "alert.source_site", { device: alert.device, version: alert.rule_version })}
      </p>
    </article>
  `;
}

function rows(evidence: EvidenceRow[]): TemplateResult {
  return html`
    <dl class="facts evidence">
      ${evidence.map(({ label, value, nested }) =>
        nested.length ? html`<dt class="group">${label}</dt><dd>${rows(nested)}</dd>` : html`<dt>${label}</dt><dd>${value}</dd>`,
      )}
    </dl>
  `;
}

function log(incident: IncidentDetail, view: View): TemplateResult | typeof nothing {
  if (incident.acts.length === 0) return nothing;
  const { t } = view;
  return html`
    <h3>${t("act.log")}</h3>
    <ol class="log">
      ${incident.acts.map(
        ({ at, operator, action }) => html`<li>
          <time>${moment(Date.parse(at), view)}</time>
          <span>${isKey(`act.${action}`) ? t(`act.${action}` as "act.incident.close") : action}</span>
          <b>${operator}</b>
        </li>`,
      )}
    </ol>
  `;
}
