/** How times, ages and evidence read; pure. Times are always those of the organisation, never of this computer. */

import { isKey, locale, order, type Lang, type Translate } from "./i18n";
import type { Evidence } from "./types";

export interface Reader {
  lang: Lang;
  t: Translate;
  timezone: string;
}

export interface EvidenceRow {
  label: string;
  value: string;
  nested: EvidenceRow[];
}

/** Null in these means that there is none. */
const OPEN_ENDED = new Set(["schedule", "holds_since_ms", "until_ms"]);

const formats = new Map<string, Intl.DateTimeFormat>();

function format(lang: Lang, timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${lang} ${timeZone} ${JSON.stringify(options)}`;
  const known = formats.get(key) ?? new Intl.DateTimeFormat(locale(lang), { timeZone, ...options });
  formats.set(key, known);
  return known;
}

const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY: Intl.DateTimeFormatOptions = { month: "short", day: "numeric" };

export function timeOfDay(ms: number, reader: Reader): string {
  return format(reader.lang, reader.timezone, TIME).format(ms);
}

export function fullDay(ms: number, reader: Reader): string {
  return format(reader.lang, reader.timezone, { ...DAY, year: "numeric", weekday: "short" }).format(ms);
}

export function moment(ms: number, reader: Reader): string {
  return `${format(reader.lang, reader.timezone, DAY).format(ms)} ${timeOfDay(ms, reader)}`;
}

/** A span in its greatest sensible unit: 45 s, 12 min, 3 h, 2 d. */
export function span(seconds: number, { t }: Pick<Reader, "t">): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} ${t("unit.s")}`;
  if (s < 3600) return `${Math.floor(s / 60)} ${t("unit.min")}`;
  if (s < 86_400) return `${Math.floor(s / 3600)} ${t("unit.h")}`;
  return `${Math.floor(s / 86_400)} ${t("unit.d")}`;
}

/** Evidence as rows to read, known names translated, the unit taken from the name's ending. */
export function evidenceRows(evidence: Evidence, reader: Reader): EvidenceRow[] {
  const inOrder = Object.entries(evidence).sort(([a], [b]) => place(a) - place(b));
  return inOrder.map(([name, value]) => {
    const key = `evidence.${name}`;
    const label = isKey(key) ? reader.t(key) : name;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return { label, value: "", nested: evidenceRows(value as Evidence, reader) };
    if (isList(value))
      return {
        label,
        value: "",
        nested: value.map((one, n) => ({ label: String(n + 1), value: "", nested: evidenceRows(one, reader) })),
      };
    return { label, value: evidenceValue(name, value, reader), nested: [] };
  });
}

/** Several of a kind, such as the fixes that decided; other lists are ranges of numbers. */
function isList(value: unknown): value is Evidence[] {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "object" && one !== null);
}

/** Several names, such as those of bands. */
function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string");
}

/** Names we do not know come last, as they came. */
function place(name: string): number {
  return Math.min(order(`evidence.${name}`), Number.MAX_SAFE_INTEGER);
}

function evidenceValue(name: string, value: unknown, reader: Reader): string {
  const { t } = reader;
  if (value === null || value === undefined) return OPEN_ENDED.has(name) ? "—" : t("unknown");
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "string") return isKey(`value.${value}`) ? t(`value.${value}` as "value.fix") : value;
  if (isNames(value)) return value.join(reader.lang === "zh" ? "、" : ", ");
  if (Array.isArray(value)) return withUnit(name, value.join(" – "), t);
  if (typeof value !== "number") return JSON.stringify(value);
  if (name.endsWith("_ms")) return moment(value, reader);
  if (name.endsWith("_s")) return value < 600 ? `${value} ${t("unit.s")}` : span(value, reader);
  return withUnit(name, String(value), t);
}

function withUnit(name: string, text: string, t: Translate): string {
  if (name.endsWith("_m")) return `${text} ${t("unit.m")}`;
  if (name.endsWith("_bpm")) return `${text} ${t("unit.bpm")}`;
  if (name.endsWith("_pct")) return `${text}%`;
  if (name.endsWith("_c")) return `${text} °C`;
  return text;
}
