/** As much of SVG as the charts need: text out, the same for the same input. */

const fontSize = 12;
export const ink = "#1f2328";
export const faintInk = "#57606a";
export const gridColour = "#e4e8ec";
/** Of the font size: what the widest characters of a bold font take on average. */
const characterWidth = 0.7;

type Attributes = Readonly<Record<string, string | number>>;

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => escapes[character] ?? character);
}

/** Children are SVG, not text. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const list = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? rounded(value) : escape(value)}"`,
  );
  const start = `<${name}${list.join("")}`;
  return children.length === 0 ? `${start}/>` : `${start}>${children.join("")}</${name}>`;
}

function rounded(value: number): string {
  return String(Math.round(value * 100) / 100);
}

export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escape(content));
}

/** Shown by browsers when the pointer rests on the shape around it. */
export function tooltip(content: string): string {
  return element("title", {}, escape(content));
}

export function line(
  from: readonly [number, number],
  to: readonly [number, number],
  attributes: Attributes,
): string {
  return element("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], ...attributes });
}

/** Never less than it takes. */
export function textWidth(content: string, size = fontSize): number {
  return content.length * size * characterWidth;
}

/** A card with a background of its own, so that it is legible on light and dark pages. */
export function card(
  { width, height, title, subtitle }: ChartFrame,
  ...children: readonly string[]
): string {
  const background = { x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 8 };
  const parts = [
    tooltip(title),
    element("desc", {}, escape(subtitle)),
    element("rect", { ...background, fill: "#ffffff", stroke: "#d0d7de" }),
    text(margin, 30, title, { "font-size": 16, "font-weight": 600 }),
    text(margin, 50, subtitle, { fill: faintInk }),
    ...children,
  ];
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${rounded(width)} ${rounded(height)}`,
    width,
    height,
    role: "img",
    "aria-label": title,
    "font-family": "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif",
    "font-size": fontSize,
    fill: ink,
  };
  return `${element("svg", attributes, "\n", parts.join("\n"), "\n")}\n`;
}

export interface ChartFrame {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly subtitle: string;
}

export const margin = 20;
/** Where the chart begins below its title. */
export const headHeight = 66;
