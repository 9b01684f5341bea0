/** Stored envelopes that no release wrote: each is to be buried with a reason, or delivered as what it says. */

const deep = "[".repeat(100_000) + "]".repeat(100_000);
const head = '1m8v0000-abc{"h":{"a":"b"},"m":3}';
const payload = '{"a":1}';

/** Bytes that decode to nothing, whatever the codec: buried. */
export const BROKEN_ENVELOPES: Readonly<Record<string, string | Buffer>> = {
  empty: "",
  "a line feed": "\n",
  "no line feed": `${head}${payload}`,
  "cut in the head": head.slice(0, 12),
  "cut in the options": `${head.slice(0, 20)}\n${payload}`,
  "another format": `2${head.slice(1)}\n${payload}`,
  "no format": `${head.slice(1)}\n${payload}`,
  "no nonce": `1m8v0000\n${payload}`,
  "an empty nonce": `1m8v0000-\n${payload}`,
  "no time": `1-abc\n${payload}`,
  "a time that is no number": `1NaN-abc\n${payload}`,
  "a time below zero": `1-5-abc\n${payload}`,
  "a time that is too large": `1zzzzzzzzzzz-abc\n${payload}`,
  "a limit of zero": `1m8v0000-abc{"m":0}\n${payload}`,
  "a limit that is infinite": `1m8v0000-abc{"m":1e999}\n${payload}`,
  "a limit that is no number": `1m8v0000-abc{"m":{"valueOf":1}}\n${payload}`,
  "a limit of null": `1m8v0000-abc{"m":null}\n${payload}`,
  "headers of null": `1m8v0000-abc{"h":null}\n${payload}`,
  "headers that are a text": `1m8v0000-abc{"h":"x"}\n${payload}`,
  "headers that are a list": `1m8v0000-abc{"h":["x"]}\n${payload}`,
  "headers of numbers": `1m8v0000-abc{"h":{"a":1}}\n${payload}`,
  "headers with a prototype": `1m8v0000-abc{"h":{"__proto__":{"polluted":"x"}}}\n${payload}`,
  "deep headers": `1m8v0000-abc{"h":{"a":${deep}}}\n${payload}`,
  "options that are a list": `1m8v0000-abc[]\n${payload}`,
  "options that go on": `1m8v0000-abc{} {}\n${payload}`,
  "a megabyte of braces": `1m8v0000-abc${"{".repeat(1_000_000)}${"}".repeat(48_576)}\n`,
  "a megabyte of nonce": `1m8v0000-${"a".repeat(1_000_000)}!\n${payload}`,
  "a megabyte of noise": Buffer.alloc(1_048_576, 0xa7),
  "bytes that are no text": Buffer.from([0x31, 0xff, 0xfe, 0x2d, 0xc3, 0x28, 0x0a, 0x7b, 0x7d]),
  NULs: Buffer.alloc(64),
};

/** Odd, but readable: delivered. */
export const ODD_ENVELOPES: Readonly<Record<string, string>> = {
  "time zero": `10-abc\n${payload}`,
  "the largest time": `12gosa7pa2gv-abc\n${payload}`,
  "a long nonce": `1m8v0000-${"a".repeat(100_000)}\n${payload}`,
  "options that are unknown": `1m8v0000-abc{"x":1,"constructor":2,"toString":3}\n${payload}`,
  "options with a prototype": `1m8v0000-abc{"__proto__":{"m":1,"polluted":"x"}}\n${payload}`,
  "deep options": `1m8v0000-abc{"x":${deep}}\n${payload}`,
  "doubled options": `1m8v0000-abc{"m":1,"m":3,"h":{"a":"1","a":"2"}}\n${payload}`,
  "headers named like members": `1m8v0000-abc{"h":{"__proto__":"x","constructor":"y","then":"z"}}\n${payload}`,
  "a megabyte of headers": `1m8v0000-abc{"h":{"a":"${"x".repeat(1_000_000)}"}}\n${payload}`,
  "many headers": `1m8v0000-abc{"h":{${Array.from({ length: 50_000 }, (_, n) => `"${n}":""`).join()}}}\n${payload}`,
  "a payload with a prototype": '1m8v0000-abc\n{"__proto__":{"polluted":"x"}}',
  "a deep payload": `1m8v0000-abc\n${deep}`,
};
