/** What happens to a client's connections. One watch a client, however many queues borrow it. */
import type { RedisClient } from "./client.ts";

const watches = new WeakMap<RedisClient, ClientWatch>();

export class ClientWatch {
  /**
   * Grows whenever the connection closes, or that to any node of a cluster: a call around such a moment
   * may have been sent twice.
   */
  epoch = 0;
  /** Why the connection was last lost, until it is back. */
  lastError: Error | undefined;
  readonly #client: RedisClient;
  readonly #nodes = new Set<RedisClient>();
  #users = 0;

  /** To be released when no longer needed. */
  static of(client: RedisClient): ClientWatch {
    let watch = watches.get(client);
    if (!watch) {
      watch = new ClientWatch(client);
      watches.set(client, watch);
    }
    watch.#acquire();
    return watch;
  }

  private constructor(client: RedisClient) {
    this.#client = client;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) {
      this.#client.off("close", this.#onClose);
      this.#client.off("ready", this.#onReady);
      this.#client.off("+node", this.#watchNode);
      this.#client.off("-node", this.#forgetNode);
      for (const node of this.#nodes) this.#forgetNode(node);
    }
  }

  #acquire(): void {
    this.#users += 1;
    if (this.#users === 1) {
      this.#client.on("close", this.#onClose);
      this.#client.on("ready", this.#onReady);
      if (this.#client.isCluster) {
        this.#client.on("+node", this.#watchNode);
        this.#client.on("-node", this.#forgetNode);
        for (const node of this.#client.nodes("all")) this.#watchNode(node);
      }
    }
  }

  readonly #watchNode = (node: RedisClient): void => {
    this.#nodes.add(node);
    node.on("close", this.#onClose);
  };

  readonly #forgetNode = (node: RedisClient): void => {
    this.#nodes.delete(node);
    node.off("close", this.#onClose);
  };

  readonly #onClose = (): void => {
    this.epoch += 1;
  };

  readonly #onReady = (): void => {
    this.lastError = undefined;
  };
}
