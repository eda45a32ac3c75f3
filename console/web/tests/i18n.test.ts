import { expect, test } from "vitest";

import { translator, words } from "../src/i18n";

test("both languages have the same keys, and a word for each", () => {
  expect(Object.keys(words.en).sort()).toEqual(Object.keys(words.zh).sort());
  expect(Object.values(words.zh).concat(Object.values(words.en))).not.toContain("");
});

test("both languages speak of the same values", () => {
  const values = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
  for (const key of Object.keys(words.zh) as (keyof typeof words.zh)[])
    expect(values(words.en[key]), key).toEqual(values(words.zh[key]));
});

test("values take their places", () => {
  expect(translator("zh")("wearers.battery", { percent: 81 })).toBe("电量 81%");
});
