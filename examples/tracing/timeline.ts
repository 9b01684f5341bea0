/** A job's life as a picture: what the traces tell, and beside it what only the demo itself knows. */
import * as svg from "../../bench/page/svg.ts";
import type { ReceivedSpan } from "./otlp.ts";
import type { Attempt, JobStory } from "./stories.ts";

const WIDTH = 900;
const LEFT = 170;
const ROW_HEIGHT = 44;
const BAR_HEIGHT = 18;
const AXIS_HEIGHT = 76;
/** So that also what took no time can be seen. */
const MIN_BAR_WIDTH = 3;

const colours = { good: "#1a7f37", bad: "#cf222e", settled: "#0b5fa5", unseen: "#8c959f" };

/** Of the attempt that no span tells of. */
export interface UnseenAttempt {
  readonly worker: string;
  /** From the worker's log. */
  readonly startedAtMs: number;
  /** By the demo's clock. */
  readonly killedAtMs: number;
  /** When another worker gave the expired lease back, from that one's log. */
  readonly expiredAtMs: number;
}

export function timeline({ id, creation, attempts }: JobStory, unseen: UnseenAttempt): string {
  const ends = attempts.flatMap(({ span, settlement }) =>
    [span, settlement].map((end) => end?.endMs ?? 0),
  );
  const chart = new Timeline(creation, Math.max(...ends));
  const rows = attempts.flatMap((attempt, index) =>
    attempt.span
      ? chart.attempt(attempt.span, attempt, index + 1)
      : chart.unseenAttempt(attempt.number, unseen, index + 1),
  );
  return chart.draw(
    {
      title: `${id}: ${attempts.length} attempts, and what the traces show of them`,
      subtitle: `Seconds since it was enqueued. ${unseen.worker} was killed with SIGKILL in its first attempt.`,
    },
    attempts.length + 1,
    [...chart.creation(), ...rows],
  );
}

class Timeline {
  readonly #creation: ReceivedSpan;
  readonly #spanMs: number;

  constructor(creation: ReceivedSpan, endMs: number) {
    this.#creation = creation;
    this.#spanMs = endMs - creation.startMs;
  }

  creation(): string[] {
    const { startMs, endMs, name, service, attributes } = this.#creation;
    const delayMs = Number(attributes["holdfast.job.delay"] ?? 0) * 1_000;
    return [
      this.#label(0, name, service),
      this.#bar("span", 0, [startMs, endMs], colours.settled, `${name}, due in ${delayMs} ms`),
      this.#note(0, endMs, `waits for its due time, ${delayMs / 1_000} s`),
    ];
  }

  attempt(span: ReceivedSpan, { number, settlement }: Attempt, row: number): string[] {
    const { startMs, endMs, hasFailed, message = "", attributes } = span;
    const outcome = String(attributes["holdfast.job.outcome"]);
    const parts = [
      this.#label(row, `attempt ${number}`, span.service),
      this.#link(row, startMs),
      this.#bar(
        "span",
        row,
        [startMs, endMs],
        hasFailed ? colours.bad : colours.good,
        `${span.name}, attempt ${number}: ${outcome}. ${message}`.trim(),
      ),
    ];
    if (settlement) {
      const times = [settlement.startMs, settlement.endMs] as const;
      parts.push(this.#bar("span", row, times, colours.settled, settlement.name));
    }
    const why = hasFailed ? `${attributes["error.type"]}: ${outcome}` : outcome;
    parts.push(this.#note(row, settlement?.endMs ?? endMs, why));
    return parts;
  }

  /** Dashed: nothing of it is in the traces. */
  unseenAttempt(number: number, unseen: UnseenAttempt, row: number): string[] {
    const { worker, startedAtMs, killedAtMs, expiredAtMs } = unseen;
    const untilExpiry = `${seconds(expiredAtMs - killedAtMs)} s until its lease was taken back`;
    return [
      this.#label(row, `attempt ${number}`, `${worker}, no span`),
      this.#bar("unseen", row, [startedAtMs, killedAtMs], "none", `${worker} ran it: its log`),
      this.#bar("lease", row, [killedAtMs, expiredAtMs], "#eaeef2", untilExpiry),
      svg.line([this.#x(killedAtMs), top(row) - 4], [this.#x(killedAtMs), bottom(row) + 4], {
        class: "kill",
        stroke: colours.bad,
        "stroke-width": 2,
      }),
      svg.text(this.#x(killedAtMs) + 6, top(row) + 13, `SIGKILL, ${untilExpiry}`, {
        fill: svg.faintInk,
      }),
    ];
  }

  draw(head: { title: string; subtitle: string }, rows: number, parts: readonly string[]): string {
    const end = svg.headHeight + rows * ROW_HEIGHT;
    return svg.card(
      { ...head, width: WIDTH, height: end + AXIS_HEIGHT },
      this.#axis(end),
      ...parts,
      ...legend(end + 54),
    );
  }

  #x(timeMs: number): number {
    // Room on the right for the last note.
    const scale = (WIDTH - LEFT - 150) / this.#spanMs;
    return LEFT + (timeMs - this.#creation.startMs) * scale;
  }

  #label(row: number, name: string, remark: string): string {
    return [
      svg.text(svg.margin, top(row) + 8, name, { "font-weight": 600 }),
      svg.text(svg.margin, top(row) + 23, remark, { fill: svg.faintInk }),
    ].join("");
  }

  #bar(
    kind: "span" | "unseen" | "lease",
    row: number,
    [startMs, endMs]: readonly [number, number],
    fill: string,
    meaning: string,
  ): string {
    const x = this.#x(startMs);
    const shape = {
      class: kind,
      x,
      y: top(row),
      width: Math.max(MIN_BAR_WIDTH, this.#x(endMs) - x),
      height: BAR_HEIGHT,
      fill,
      ...(kind === "unseen" && { stroke: colours.unseen, "stroke-dasharray": "4 3" }),
    };
    return svg.element("rect", shape, svg.tooltip(meaning));
  }

  #note(row: number, timeMs: number, text: string): string {
    return svg.text(this.#x(timeMs) + 10, top(row) + 13, text, { fill: svg.faintInk });
  }

  /** From the creation down and to the attempt. */
  #link(row: number, timeMs: number): string {
    const x = this.#x(this.#creation.startMs) + 1;
    const y = top(row) + BAR_HEIGHT / 2;
    const d = `M${x.toFixed(2)},${top(0) + BAR_HEIGHT}V${y}H${this.#x(timeMs).toFixed(2)}`;
    const look = { fill: "none", stroke: colours.settled, "stroke-dasharray": "1 4" };
    return svg.element("path", { class: "link", d, ...look }, svg.tooltip("linked to the enqueue"));
  }

  #axis(end: number): string {
    const marks = Array.from({ length: Math.floor(this.#spanMs / 1_000) + 1 }, (_, second) => {
      const x = this.#x(this.#creation.startMs + second * 1_000);
      return [
        svg.line([x, svg.headHeight], [x, end], { stroke: svg.gridColour }),
        svg.text(x, end + 16, `${second} s`, { "text-anchor": "middle", fill: svg.faintInk }),
      ].join("");
    });
    return svg.element("g", { class: "axis" }, ...marks);
  }
}

function legend(y: number): string[] {
  const entries = [
    { fill: colours.good, text: "handler returned" },
    { fill: colours.bad, text: "handler threw" },
    { fill: colours.settled, text: "enqueued, settled" },
    { fill: "none", text: "no span, but in the worker's log" },
    { fill: "#eaeef2", text: "nobody runs it" },
  ];
  let x = svg.margin;
  return entries.map(({ fill, text }) => {
    const look = { x, y: y - 10, width: 16, height: 12, fill };
    const dashes = fill === "none" && { stroke: colours.unseen, "stroke-dasharray": "4 3" };
    const entry = [
      svg.element("rect", { ...look, ...dashes }),
      svg.text(x + 22, y, text, { fill: svg.faintInk }),
    ].join("");
    x += 22 + svg.textWidth(text);
    return entry;
  });
}

function top(row: number): number {
  return svg.headHeight + row * ROW_HEIGHT + 14;
}

function bottom(row: number): number {
  return top(row) + BAR_HEIGHT;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
