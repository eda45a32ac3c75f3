import { expect, test } from "vitest";

import { evidenceRows, moment, span, type Reader } from "../src/format";
import { translator } from "../src/i18n";

const reader: Reader = { lang: "zh", t: translator("zh"), timezone: "Asia/Shanghai" };
const read = (evidence: Record<string, unknown>) => evidenceRows(evidence, reader).map(({ label, value }) => [label, value]);

test("times are those of the organisation", () => {
  const noon = Date.parse("2026-11-23T04:00:00Z");
  expect(moment(noon, reader)).toBe("11月23日 12:00:00");
  expect(moment(noon, { ...reader, timezone: "Asia/Urumqi" })).toBe("11月23日 10:00:00");
});

test.each([
  [45, "45 秒"],
  [119, "1 分钟"],
  [7200, "2 小时"],
  [200_000, "2 天"],
  [-3, "0 秒"],
])("a span of %d seconds reads %s", (seconds, text) => {
  expect(span(seconds, reader)).toBe(text);
});

test("evidence has its unit from the name's ending and stands in our order", () => {
  expect(read({ gap_s: 12.5, distance_m: 41.5, battery_pct: 7, limits_bpm: [40, 110] })).toEqual([
    ["到边界距离（区域外为正）", "41.5 米"],
    ["电量", "7%"],
    ["正常范围", "40 – 110 次/分"],
    ["中断时长", "12.5 秒"],
  ]);
});

test("what is unknown says so, and a new kind of evidence is shown as it came", () => {
  expect(read({ moon_phase: "full", charging: false, decided_by: "fix", distance_m: null })).toEqual([
    ["到边界距离（区域外为正）", "未知"],
    ["判定时机", "新定位点"],
    ["正在充电", "否"],
    ["moon_phase", "full"],
  ]);
});

test("evidence within evidence is a group", () => {
  const [row] = evidenceRows({ ended: { gap_s: 5 } }, reader);
  expect(row).toEqual({ label: "结束时", value: "", nested: [{ label: "中断时长", value: "5 秒", nested: [] }] });
});

test("several fixes are numbered groups, and a pair of numbers stays a range", () => {
  const [fixes, limits] = evidenceRows({ fixes: [{ distance_m: 63 }, { distance_m: 180 }], limits_bpm: [40, 110] }, reader);
  expect(fixes?.nested.map(({ label, nested }) => [label, nested[0]?.value])).toEqual([["1", "63 米"], ["2", "180 米"]]);
  expect(limits?.value).toBe("40 – 110 次/分");
});

test("hours without an end have none, which is not unknown", () => {
  expect(read({ until_ms: null, distance_m: null })).toEqual([["到边界距离（区域外为正）", "未知"], ["生效至", "—"]]);
});
