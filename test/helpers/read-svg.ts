/** Reads the XML of a chart, strictly: what a browser would refuse is an error here. */

export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly SvgElement[];
  /** Of the element itself. */
  readonly text: string;
}

const tag = /^<(\/?)([\w-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/;
const attribute = /([\w:-]+)="([^"]*)"/g;
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

/** @throws Error if it is not well-formed */
export function readSvg(source: string): SvgElement {
  const root = { name: "", attributes: {}, children: [] as SvgElement[], text: "" };
  const open = [root];
  for (let rest = source; rest !== "";) {
    const parent = open.at(-1)!;
    const [whole, isEnd, name = "", list = "", isEmpty] = tag.exec(rest) ?? [];
    if (whole === undefined) {
      const text = /^[^<]+/.exec(rest)?.[0];
      if (text === undefined) {
        throw new Error(`no tag: ${rest.slice(0, 80)}`);
      }
      parent.text += unescape(text);
      rest = rest.slice(text.length);
      continue;
    }
    rest = rest.slice(whole.length);
    if (isEnd) {
      if (parent.name !== name) {
        throw new Error(`</${name}> ends <${parent.name}>`);
      }
      open.pop();
      continue;
    }
    const element = { name, attributes: attributesOf(list), children: [], text: "" };
    parent.children.push(element);
    if (!isEmpty) {
      open.push(element);
    }
  }
  const [svg] = root.children;
  if (open.length > 1 || !svg || root.children.length > 1 || root.text.trim() !== "") {
    throw new Error("not one whole element");
  }
  return svg;
}

function attributesOf(list: string): Record<string, string> {
  const found = [...list.matchAll(attribute)].map(([, name = "", value = ""]): [string, string] => [
    name,
    unescape(value),
  ]);
  if (new Set(found.map(([name]) => name)).size < found.length) {
    throw new Error(`an attribute stands twice: ${list}`);
  }
  return Object.fromEntries(found);
}

function unescape(text: string): string {
  return text.replaceAll(/&(\w*);?/g, (entity, name: string) => {
    const character = entity.endsWith(";") ? entities[name] : undefined;
    if (character === undefined) {
      throw new Error(`not an entity: ${entity}`);
    }
    return character;
  });
}

/** The element itself and all below it, in their order. */
export function allElements(element: SvgElement): SvgElement[] {
  return [element, ...element.children.flatMap(allElements)];
}

export function ofClass(svg: SvgElement, name: string): SvgElement[] {
  return allElements(svg).filter(({ attributes }) => attributes["class"] === name);
}

/** What is written on the chart, without the tooltips. */
export function labels(svg: SvgElement): string[] {
  return allElements(svg)
    .filter(({ name }) => name === "text")
    .map(({ text }) => text);
}
