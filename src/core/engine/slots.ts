/**
 * The free slots of a worker, shared by the claims on all shards of its queue: whoever has waited
 * longest for a free slot claims first, so that no shard is passed over. A claim on the wire keeps its
 * slots reserved.
 */
export class Slots {
  /** Whether the claims of several shards share them. */
  readonly areShared: boolean;
  readonly #countFree: () => number;
  #reserved = 0;
  readonly #line: (() => void)[] = [];
  #isTurnScheduled = false;

  /**
   * @param countFree slots that no delivery holds
   * @param shards how many claim
   */
  constructor(countFree: () => number, shards: number) {
    this.#countFree = countFree;
    this.areShared = shards > 1;
  }

  /** Slots for which nothing is claimed. */
  get free(): number {
    return this.#countFree() - this.#reserved;
  }

  /** Whether others wait in line. */
  get hasLine(): boolean {
    return this.#line.length > 0;
  }

  reserve(slots: number): void {
    this.#reserved += slots;
    this.offer();
  }

  giveBack(slots: number): void {
    this.#reserved -= slots;
    this.offer();
  }

  /** Calls back when there may be a free slot and nobody has waited longer: to reserve, or to offer it on. */
  lineUp(onTurn: () => void): void {
    this.#line.push(onTurn);
    this.offer();
  }

  leaveLine(onTurn: () => void): void {
    const at = this.#line.indexOf(onTurn);
    if (at >= 0) this.#line.splice(at, 1);
  }

  /** A slot may be free. The turn comes after the current round of callbacks, for all slots freed in it. */
  offer(): void {
    if (this.#line.length > 0 && !this.#isTurnScheduled) {
      this.#isTurnScheduled = true;
      process.nextTick(() => {
        this.#isTurnScheduled = false;
        if (this.free > 0) this.#line.shift()?.();
      });
    }
  }
}
