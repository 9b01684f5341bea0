/** Numbers for people: exact enough to compare, short enough to stand beside each other. */

const maxDecimals = 8;
const short = new Intl.NumberFormat("en-US", {
  notation: "compact",
  maximumSignificantDigits: 3,
});

/** At least two decimals below ten, and two digits that count below a tenth. */
export function readable(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : decimalsOfSmall(size);
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function decimalsOfSmall(size: number): number {
  const firstDigit = Math.floor(Math.log10(Number(size.toPrecision(2))));
  return size === 0 ? 0 : Math.min(maxDecimals, Math.max(2, 1 - firstDigit));
}

/** Three digits, thousands as K and millions as M. */
export function shortNumber(value: number): string {
  return short.format(value);
}

/** The letter for thousands or millions stands once where both ends have it. */
export function rangeText({ min, max }: { min: number; max: number }): string {
  const [low, high] = [shortNumber(min), shortNumber(max)];
  const letter = /[A-Z]$/.exec(high)?.[0];
  const start = letter && low.endsWith(letter) ? low.slice(0, -1) : low;
  return low === high ? low : `${start}–${high}`;
}

/** How many times one figure is of another; a dash where the other is nothing. */
export function timesText(ratio: number): string {
  return Number.isFinite(ratio) ? `${readable(ratio)}×` : "–";
}
