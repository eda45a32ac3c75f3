import { html, type TemplateResult } from "lit-html";

import { fullDay, timeOfDay } from "../format";
import { counts, isOnline } from "../state";
import type { View } from "./view";

const GRAVEST_FIRST = [4, 3, 2, 1, 0] as const;

export function headerView(view: View): TemplateResult {
  const { state, t, lang, act } = view;
  const open = counts(state.open);
  const online = state.wearers.filter((wearer) => isOnline(wearer, state.nowMs)).length;
  const org = (lang === "zh" ? state.me?.org_name : state.me?.org_name_en) || t("all_orgs");
  return html`
    <header class="bar">
      <div class="brand">
        <img src="/icon.svg" alt="" width="26" height="26" />
        <strong>${t("app.name")}</strong>
        <span class="org">${org}</span>
      </div>
      <dl class="kpis">
        <div class="kpi">
          <dt>${t("kpi.open")}</dt>
          <dd class="by-priority">
            ${GRAVEST_FIRST.map(
              (priority) => html`<span class="count p${priority} ${open[priority] ? "" : "none"}">
                <small>${t(`priority.${priority}`)}</small> <b>${open[priority]}</b>
              </span>`,
            )}
          </dd>
        </div>
        <div class="kpi">
          <dt>${t("kpi.online")}</dt>
          <dd><b class="big">${online}</b> <small>/ ${state.wearers.length}</small></dd>
        </div>
      </dl>
      <div class="right">
        <span class="live ${state.live ? "on" : "off"}" role="status">${t(state.live ? "live.on" : "live.off")}</span>
        <time class="clock">
          <b>${timeOfDay(state.nowMs, view)}</b>
          <small>${fullDay(state.nowMs, view)}</small>
        </time>
        <button class="quiet" id="language" title=${t("switch_language.hint")} @click=${() => act.switchLanguage()}>
          ${t("switch_language")}
        </button>
        <span class="operator">${state.me?.name}</span>
        <button class="quiet" id="sign-out" @click=${() => act.signOut()}>${t("sign_out")}</button>
      </div>
    </header>
  `;
}
