import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";

import { hasApproach, hasDwell, isComplete, SHAPES, type Drawing, type Verdict } from "../drawing";
import { isKey } from "../i18n";
import { found, nameOf, wearerName } from "../state";
import type { Said, Wearer, ZoneKind } from "../types";
import type { View } from "./view";

const KINDS: readonly ZoneKind[] = ["keep_out", "keep_in", "curfew", "interest"];
const MOST_SUGGESTED = 20;

/** What a zone that is being drawn is called, asks and of whom; checked before it can be saved. */
export function zonePanel(view: View, drawing: Drawing): TemplateResult {
  const { state, t, act } = view;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    act.checkZone();
  };
  return html`
    <section class="panel drawing" aria-label=${t("draw.title")}>
      <div class="panel-title">
        <h2>${t("draw.title")}</h2>
        <button class="quiet" id="stop-drawing" @click=${() => act.stopDrawing()}>${t("draw.cancel")}</button>
      </div>
      <form class="scroll" @submit=${submit}>
        ${shape(view, drawing)} ${text(view, drawing)} ${choices(view, drawing)} ${whom(view, drawing)}
        ${sizes(view, drawing)}
        <p class="notice">${t("draw.datum")}${view.lang === "zh" ? "：" : ": "}${t("draw.datum.own")}</p>
        ${drawing.verdict ? said(view, drawing.verdict) : nothing}
        ${state.actFailed ? html`<p class="problem" role="alert">${t("draw.failed")}</p>` : nothing}
        <div class="buttons">
          <button class="quiet" id="check-zone" ?disabled=${state.busy || !isComplete(drawing)}>${t("draw.check")}</button>
          <button
            class="primary" id="save-zone" type="button" ?disabled=${state.busy || !drawing.verdict?.sound}
            @click=${() => act.saveZone()}
          >${t("draw.save")}</button>
        </div>
        <p class="notice">${t("draw.effect")}</p>
      </form>
    </section>
  `;
}

function shape({ t, act }: View, drawing: Drawing): TemplateResult {
  return html`
    <fieldset>
      <legend>${t("draw.shape")}</legend>
      <div class="choice">
        ${SHAPES.map(
          (one) => html`<button
            type="button" data-shape=${one} aria-pressed=${drawing.shape === one} @click=${() => act.drawShape(one)}
          >${t(`draw.shape.${one}`)}</button>`,
        )}
      </div>
    </fieldset>
    ${drawing.geometry
      ? html`<button type="button" class="quiet again" @click=${() => act.drawShape(drawing.shape)}>${t("draw.again")}</button>`
      : html`<p class="notice">${t(`draw.hint.${drawing.shape}`)}</p>`}
  `;
}

function text({ t, act }: View, drawing: Drawing): TemplateResult {
  return html`
    <label>
      <span>${t("draw.name")}</span>
      <input
        id="zone-name" required maxlength="100" autocomplete="off" .value=${drawing.name}
        @input=${(event: InputEvent) => act.changeDrawing({ name: valueOf(event) })}
      />
    </label>
  `;
}

function choices(view: View, drawing: Drawing): TemplateResult {
  const { state, t, lang, act } = view;
  const kinds = KINDS.map((kind) => [kind, t(`zone.${kind}`)] as const);
  const orgs = state.orgs.map((one) => [one.org, lang === "zh" ? one.name : one.name_en] as const);
  const hours = state.schedules.map(({ schedule, windows: [first] }) => [schedule, first ? `${schedule} · ${first.start}–${first.end}` : schedule] as const);
  return html`
    <div class="pair">
      ${select(t("draw.kind"), "zone-kind", drawing.kind, kinds, (kind) => act.changeDrawing({ kind: kind as ZoneKind }))}
      ${select(t("draw.schedule"), "zone-schedule", drawing.schedule, [["", t("draw.schedule.always")], ...hours], (schedule) =>
        act.changeDrawing({ schedule }),
      )}
    </div>
    ${select(t("draw.org"), "zone-org", drawing.org, [["", t("draw.org.choose")], ...orgs], (org) => act.changeDrawing({ org }))}
  `;
}

function select(
  label: string,
  id: string,
  chosen: string,
  options: readonly (readonly [string, string])[],
  choose: (value: string) => void,
): TemplateResult {
  return html`
    <label>
      <span>${label}</span>
      <select id=${id} @change=${(event: Event) => choose(valueOf(event))}>
        ${options.map(([value, words]) => html`<option value=${value} ?selected=${value === chosen}>${words}</option>`)}
      </select>
    </label>
  `;
}

function whom({ state, t, act }: View, drawing: Drawing): TemplateResult {
  const find = (event: Event) => {
    const who = valueOf(event);
    const one = state.wearers.find((wearer) => suggestion(wearer) === who);
    act.changeDrawing(one ? { wearers: [...new Set([...drawing.wearers, one.wearer])], who: "" } : { who });
  };
  return html`
    <div>
      <label>
        <span>${t("draw.whom")}</span>
        <input
          id="zone-wearer" list="zone-wearers" autocomplete="off" placeholder=${t("draw.whom.find")} .value=${live(drawing.who)}
          @input=${find}
        />
      </label>
      <datalist id="zone-wearers">
        ${found(state.wearers, drawing.who, state.nowMs)
          .slice(0, MOST_SUGGESTED)
          .map((one) => html`<option value=${suggestion(one)}></option>`)}
      </datalist>
      ${drawing.wearers.length
        ? html`<div class="named">${drawing.wearers.map(
            (wearer) => html`<button
              type="button" title=${t("draw.whom.remove", { wearer })}
              @click=${() => act.changeDrawing({ wearers: drawing.wearers.filter((other) => other !== wearer) })}
            >${nameOf(wearer, state.wearers)} ×</button>`,
          )}</div>`
        : html`<p class="notice">${t("draw.whom.all")}</p>`}
    </div>
  `;
}

function suggestion(one: Wearer): string {
  return `${one.wearer} ${wearerName(one)}`;
}

function sizes({ t, act }: View, drawing: Drawing): TemplateResult {
  const field = (label: string, id: keyof Drawing & string, value: number | null, required: boolean) => html`
    <label>
      <span>${label}</span>
      <input
        id="zone-${id}" type="number" min="1" step="any" ?required=${required} placeholder=${required ? "" : t("draw.none")}
        .value=${value === null ? "" : String(value)}
        @input=${(event: InputEvent) => act.changeDrawing({ [id]: required ? Number(valueOf(event)) : Number(valueOf(event)) || null })}
      />
    </label>
  `;
  return html`
    <div class="pair">
      ${drawing.shape === "circle" ? field(t("draw.radius_m"), "radius_m", drawing.radius_m, true) : nothing}
      ${drawing.shape === "corridor" ? field(t("draw.width_m"), "width_m", drawing.width_m, true) : nothing}
      ${hasApproach(drawing.kind) ? field(t("draw.approach_m"), "approach_m", drawing.approach_m, false) : nothing}
      ${hasDwell(drawing.kind) ? field(t("draw.dwell_s"), "dwell_min", drawing.dwell_min, false) : nothing}
    </div>
  `;
}

function said(view: View, verdict: Verdict): TemplateResult {
  const { t, act } = view;
  if (!verdict.sound)
    return html`
      <div class="verdict refused" role="alert">
        ${t("draw.problems")} ${sentences(view, verdict.problems)}
        ${verdict.repair
          ? html`<p>${t("draw.repair")}</p>
              <button type="button" class="quiet" id="take-repair" @click=${() => act.takeRepair()}>${t("draw.repair.take")}</button>`
          : nothing}
      </div>
    `;
  if (verdict.warnings.length === 0) return html`<div class="verdict sound" role="status">${t("draw.sound")}</div>`;
  return html`<div class="verdict warned" role="alert">
    ${t("draw.warnings")} ${sentences(view, verdict.warnings)}
    ${verdict.more ? html`<p>${t("draw.more", { count: verdict.more })}</p>` : nothing}
  </div>`;
}

function sentences(view: View, problems: readonly Said[]): TemplateResult {
  return html`<ul>
    ${problems.map(({ path, ...words }) => {
      const place = placeName(view, path);
      return html`<li>${place ? html`<b>${place}</b>` : nothing}${words[view.lang]}</li>`;
    })}
  </ul>`;
}

/** Which field a sentence is about, or which other zone. */
function placeName({ state, t }: View, path: string): string {
  const other = /^zones\[(.*?)\]/.exec(path)?.[1];
  if (other) return state.zones.features.find(({ properties }) => properties.zone === other)?.properties.name ?? other;
  const field = `draw.${path.replace("properties.", "").split(/[.[]/)[0] ?? ""}`;
  return isKey(field) ? t(field) : "";
}

function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement).value;
}
