import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { watchResources } from "../helpers/resource-watch.ts";
import type { ResourceWatch } from "../helpers/resource-watch.ts";

/** Long enough for what closes by itself, short since these tests wait it out. */
const graceMs = 100;
const timerMs = 60_000;

failOnLeaks();

describe("the leak check", () => {
  let watch: ResourceWatch;

  beforeEach(() => {
    watch = watchResources();
  });

  afterEach(() => {
    watch.end();
  });

  it("finds a pending timer, and where it was made", async () => {
    const timer = setTimeout(() => {}, timerMs);
    const leftovers = await watch.leftovers(graceMs);
    expect(leftovers).toHaveLength(1);
    expect(leftovers[0]).toMatch(/^timer made .*leak-check\.test\.ts/);

    clearTimeout(timer);
    expect(await watch.leftovers()).toEqual([]);
  });

  it("finds an interval", async () => {
    const interval = setInterval(() => {}, timerMs);
    expect(await watch.leftovers(graceMs)).toHaveLength(1);
    clearInterval(interval);
    expect(await watch.leftovers()).toEqual([]);
  });

  it("passes over a timer that keeps nothing alive", async () => {
    const timer = setTimeout(() => {}, timerMs).unref();
    expect(await watch.leftovers(graceMs)).toEqual([]);
    clearTimeout(timer);
  });

  it("finds a listening server and both ends of an open connection", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [accepted] = await once(server, "connection");
    const kinds = (await watch.leftovers(graceMs)).map((leftover) => leftover.split(" made ")[0]);
    expect(kinds.toSorted()).toEqual(["TCP server", "TCP socket", "TCP socket"]);

    socket.destroy();
    accepted.destroy();
    server.close();
    expect(await watch.leftovers()).toEqual([]);
  });

  it("finds nothing where nothing was made", async () => {
    expect(await watch.leftovers()).toEqual([]);
  });
});

describe("a watch that has begun", () => {
  const before = setInterval(() => {}, timerMs);

  it("passes over what was there before", async () => {
    const watch = watchResources();
    expect(await watch.leftovers(graceMs)).toEqual([]);
    watch.end();
    clearInterval(before);
  });
});
