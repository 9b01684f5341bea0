import { describe, expect, it } from "vitest";
import { ack, claim, pause, reap } from "../../../src/scripts/generated.ts";
import { claimArguments, claimJobs, readClaim } from "../../helpers/script-claim.ts";
import { HOSTILE_IDS, openQueue } from "../../helpers/script-harness.ts";

describe("claim, asked the same once more", () => {
  it("gives the same jobs under the same token, and changes nothing but the next look", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -2_000, { attempts: 2, error: "\u0001boom" });
    await queue.plantDelayed("b", -1_000);
    const call = () => queue.run(claim, claimArguments(queue, {}));
    const first = readClaim(await call());
    await queue.plantDelayed("c", -3_000);
    await claimJobs(queue, { workerId: "w2", maxJobs: 1 });
    await queue.plantDelayed("d", 1_000_000);
    await queue.plantWaiting("stalled", -10_000);

    await queue.moveTime(5_000);
    const { reply, changes } = await queue.watch(call);
    const again = readClaim(reply);
    expect({ ...again, now: 0 }).toEqual({ ...first, now: 0, leaseEndsIn: again.leaseEndsIn });
    expect(changes).toEqual({ waiting: { w1: String(again.now + 60_000) } });
  });

  it("answers exactly the same where the worker is full", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -2_000, { attempts: 2 });
    await queue.plantDelayed("b", -1_000);
    const full = claimArguments(queue, { maxJobs: 1, comesBack: 1 });
    const first = readClaim(await queue.run(claim, full));
    const { reply, changes } = await queue.watch(() => queue.run(claim, full));
    const { now, leaseEndsIn, ...again } = readClaim(reply);
    expect(first).toMatchObject(again);
    expect(leaseEndsIn).toBe(first.now + 30_000 - now);
    expect(changes).toEqual({});
  });

  it("answers the same where the bytes were cut", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -2_000);
    await queue.plantDelayed("b", -1_000);
    const cut = { maxBytes: 1 };
    const first = await claimJobs(queue, cut);
    expect(first).toMatchObject({ ids: ["a"], lookIn: -1 });
    const { reply, changes } = await queue.watch(() =>
      queue.run(claim, claimArguments(queue, cut)),
    );
    expect(readClaim(reply)).toMatchObject({ ids: ["a"], lookIn: -1, token: first.token });
    expect(changes).toEqual({});
  });

  it("says to look at once where more has become due meanwhile", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -2_000);
    expect((await claimJobs(queue)).lookIn).toBe(60_000);
    await queue.plantDelayed("b", -1_000);
    expect(await claimJobs(queue)).toMatchObject({ ids: ["a"], lookIn: 0 });
  });

  it("leaves out what was settled meanwhile", async () => {
    const queue = openQueue();
    await queue.plantMany(["a", "b", "c"], (id) => queue.plantDelayed(id, -1_000));
    const { token } = await claimJobs(queue);
    await queue.run(ack, {}, ["b", token]);
    const again = await claimJobs(queue);
    expect(again.ids).toEqual(["a", "c"]);
    expect(again.token).toBe(token);
    await queue.run(ack, {}, ["a", token, "c", token]);
    await queue.plantDelayed("d", -1_000);
    const { reply, changes } = await queue.watch(() => queue.run(claim, claimArguments(queue, {})));
    expect(readClaim(reply).ids).toEqual([]);
    expect(changes.delayed).toBeUndefined();
  });

  it("leaves out what was lost meanwhile to another worker's lease", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await claimJobs(queue, { workerId: "w1" });
    await queue.moveTime(31_000);
    await queue.run(reap, { maxJobs: 10, wakeChannel: "" }, [0]);
    expect((await claimJobs(queue, { workerId: "w1" })).ids).toEqual([]);
    const taken = await claimJobs(queue, { workerId: "w2" });
    expect(taken.ids).toEqual(["a"]);
    expect((await claimJobs(queue, { workerId: "w1" })).ids).toEqual([]);
    expect([...(await queue.part("processing")).keys()]).toEqual([`a:${taken.token}`]);
  });

  it("gives the same jobs while the queue is paused", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    const first = await claimJobs(queue);
    await queue.run(pause, {});
    const again = await claimJobs(queue);
    expect([again.ids, again.token]).toEqual([["a"], first.token]);
  });

  it("gives the same jobs past the end of their leases, as long as nobody gave them back", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    const { token } = await claimJobs(queue);
    await queue.moveTime(40_000);
    expect(await claimJobs(queue)).toMatchObject({ ids: ["a"], token, leaseEndsIn: 0 });
  });

  it("looks anew where the first time gave nothing", async () => {
    const queue = openQueue();
    expect((await claimJobs(queue)).ids).toEqual([]);
    await queue.plantDelayed("a", -1_000);
    expect((await claimJobs(queue)).ids).toEqual(["a"]);
    expect((await claimJobs(queue)).ids).toEqual(["a"]);
  });

  it("refuses a request older than the worker's last one", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.plantDelayed("b", -1_000);
    await claimJobs(queue, { request: 7, maxJobs: 1 });
    for (const request of [6, 1, 0]) {
      const { reply, changes } = await queue.watch(() =>
        queue.run(claim, claimArguments(queue, { request })),
      );
      expect(reply).toEqual([-1]);
      expect(changes).toEqual({});
    }
    expect((await claimJobs(queue, { request: 8 })).ids).toHaveLength(1);
  });

  it("counts the requests of each worker apart", async () => {
    const queue = openQueue();
    await claimJobs(queue, { workerId: "w1", request: 2 ** 40 });
    await queue.plantDelayed("a", -1_000);
    expect((await claimJobs(queue, { workerId: "w2", request: 1 })).ids).toEqual(["a"]);
    await queue.plantDelayed("b", -1_000);
    const next = { workerId: "w1", request: 2 ** 40 + 1 };
    expect((await claimJobs(queue, next)).ids).toEqual(["b"]);
  });

  it("remembers any id, and only jobs", async () => {
    const queue = openQueue();
    await queue.plantScore("delayed", "lost", -5_000);
    await queue.plantMany(HOSTILE_IDS, (id) => queue.plantDelayed(id, -1_000));
    const many = claimArguments(queue, { maxJobs: 100 });
    const first = readClaim(await queue.run(claim, many));
    expect(first.ids.toSorted()).toEqual(HOSTILE_IDS.toSorted());
    const again = readClaim(await queue.run(claim, many));
    expect(again.jobs).toEqual(first.jobs);
  });
});
