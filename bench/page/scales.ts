/** From figures to places in a chart, and the round numbers along its axes. */

export interface Scale {
  /** The place of a value. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** Begins at zero, so that lengths are to each other as the values are. */
export function linearScale(largest: number, from: number, to: number): Scale {
  const top = largest > 0 ? largest : 1;
  const rough = 10 ** Math.floor(Math.log10(top / 4));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * rough).find((size) => top / size <= 6)!;
  const count = Math.floor(top / step + 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, index) =>
    Number((index * step).toPrecision(12)),
  );
  return { at: (value) => from + (value / top) * (to - from), ticks };
}

/** Where there are zeros, they stand a power of ten below everything else. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const positive = values.filter((value) => value > 0);
  const smallest = positive.length > 0 ? Math.min(...positive) : 1;
  const largest = positive.length > 0 ? Math.max(...positive) : 10;
  const hasZero = positive.length < values.length;
  const first = Math.floor(Math.log10(smallest) + 1e-9) - (hasZero ? 1 : 0);
  const last = Math.max(first + 1, Math.ceil(Math.log10(largest) - 1e-9));
  const at = (value: number) => {
    const share = (Math.log10(Math.max(value, 10 ** first)) - first) / (last - first);
    return from + share * (to - from);
  };
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    Number((10 ** (first + index)).toPrecision(12)),
  );
  return { at, ticks };
}
