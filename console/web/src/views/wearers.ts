import { html, nothing, type TemplateResult } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import { span } from "../format";
import { found, look, wearerName } from "../state";
import type { Wearer } from "../types";
import { moveFocus } from "./queue";
import { ageS, type View } from "./view";

const LOW_BATTERY_PCT = 20;

export function wearersView(view: View): TemplateResult {
  const { state, t, act } = view;
  const wearers = found(state.wearers, state.search, state.nowMs);
  return html`
    <section class="panel wearers" aria-label=${t("wearers.title")}>
      <div class="panel-title">
        <h2>${t("wearers.title")} <b>${state.wearers.length}</b></h2>
        <input
          type="search"
          placeholder=${t("wearers.search")}
          aria-label=${t("wearers.search")}
          .value=${state.search}
          @input=${(event: InputEvent) => act.search((event.target as HTMLInputElement).value)}
        />
      </div>
      <ul class="rows" @keydown=${moveFocus}>
        ${repeat(wearers, ({ wearer }) => wearer, (wearer) => row(wearer, view))}
      </ul>
      ${wearers.length === 0 ? html`<p class="empty">${t("wearers.none")}</p>` : nothing}
    </section>
  `;
}

function row(wearer: Wearer, view: View): TemplateResult {
  const { state, t, act } = view;
  const seen = look(wearer, state.nowMs);
  return html`
    <li>
      <button
        class="wearer ${seen}"
        aria-current=${state.selectedWearer === wearer.wearer}
        @click=${() => act.selectWearer(wearer.wearer)}
      >
        <span class="dot"></span>
        <span class="who">${wearerName(wearer)} <small>${wearer.wearer}</small></span>
        <span class="state">${t(`state.${seen}`)}</span>
        <span class="facts">${position(wearer, view)}</span>
        <span class="facts battery ${(wearer.battery_pct ?? 100) <= LOW_BATTERY_PCT ? "low" : ""}">
          ${wearer.battery_pct === null ? nothing : t("wearers.battery", { percent: Math.round(wearer.battery_pct) })}
        </span>
      </button>
    </li>
  `;
}

function position(wearer: Wearer, view: View): string {
  const { state, t } = view;
  if (wearer.order_until === null) return t("wearers.no_order");
  if (wearer.fix_at === null) return t("wearers.no_position");
  return t("wearers.fix_age", { age: span(ageS(wearer.fix_at, state), view) });
}
