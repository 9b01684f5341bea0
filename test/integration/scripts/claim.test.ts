import { describe, expect, it } from "vitest";
import { CLAIM_BATCH_JOBS, MAX_VISIBILITY_TIMEOUT_MS } from "../../../src/core/model/limits.ts";
import { ack, claim, pause } from "../../../src/scripts/generated.ts";
import { claimArguments, claimJobs, readClaim } from "../../helpers/script-claim.ts";
import { expectWithin, HOSTILE_IDS, manyIds, openQueue } from "../../helpers/script-harness.ts";

describe("claim", () => {
  it("takes what is due, earliest first, under one token", async () => {
    const queue = openQueue();
    const later = await queue.plantDelayed("later", -1_000, { envelope: "{}" });
    const first = await queue.plantDelayed("first", -2_000, { attempts: 2, error: "boom" });
    await queue.plantDelayed("not yet", 120_000, { attempts: 1 });

    const { reply, changes, from, to } = await queue.watch(() =>
      queue.run(claim, claimArguments(queue, {})),
    );
    const { token, now, lookIn, leaseEndsIn, jobs } = readClaim(reply);
    expectWithin(now, from, to);
    expect([lookIn, leaseEndsIn]).toEqual([60_000, 30_000]);
    expectWithin(token, from * 1_000, (to + 1) * 1_000); // Redis's clock in microseconds
    expect(jobs).toEqual([
      { id: "first", envelope: "envelope of first", due: first, attempts: 2, reason: "retry" },
      { id: "later", envelope: "{}", due: later, attempts: 0, reason: "first" },
    ]);
    const deadline = String(now + 30_000);
    expect(changes).toEqual({
      delayed: { first: null, later: null },
      processing: { [`first:${token}`]: deadline, [`later:${token}`]: deadline },
      claims: { w1: expect.any(String) },
      waiting: { w1: String(now + 60_000) },
      meta: { token: String(token) },
    });
  });

  it("takes no more than asked for, and the rest next time under a greater token", async () => {
    const queue = openQueue();
    await queue.plantMany(["a", "b", "c"], (id) => queue.plantDelayed(id, -1_000));
    const first = await claimJobs(queue, { request: 1, maxJobs: 2 });
    const second = await claimJobs(queue, { request: 2, maxJobs: 2 });
    expect([...first.ids, ...second.ids].toSorted()).toEqual(["a", "b", "c"]);
    expect(second.token).toBeGreaterThan(first.token);
    const secondLease = `${second.ids[0]}:${second.token}`;
    expect((await queue.part("processing")).has(secondLease)).toBe(true);
  });

  it("gives greater tokens also after Redis has lost all it had", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    const first = await claimJobs(queue);
    await queue.client.del(...Object.values(queue.keys));
    await queue.plantDelayed("a", -1_000);
    const second = await claimJobs(queue);
    expect(second.token).toBeGreaterThan(first.token);
    expect(await queue.run(ack, {}, ["a", first.token])).toEqual([0]);
    expect(await queue.run(ack, {}, ["a", second.token])).toEqual([1]);
  });

  it("lets tokens grow past every end of a job, and keeps them exact", async () => {
    const queue = openQueue();
    await queue.client.hset(queue.keys.meta, "token", 9_007_199_254_740_000);
    for (const [index, workerId] of ["w1", "w2", "w3"].entries()) {
      await queue.plantDelayed("a");
      const { token, ids } = await claimJobs(queue, { workerId, pollIntervalMs: 0 });
      expect(ids).toEqual(["a"]);
      expect(token).toBe(9_007_199_254_740_001 + index);
      expect([...(await queue.part("processing")).keys()]).toEqual([`a:${token}`]);
      await queue.client.del(queue.keys.processing);
    }
  });

  it.each(["many", "-7", "1e300"])("starts from the clock after a token of %s", async (spoilt) => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.client.hset(queue.keys.meta, "token", spoilt);
    const { reply, from, to } = await queue.watch(() =>
      queue.run(claim, claimArguments(queue, {})),
    );
    expectWithin(readClaim(reply).token, from * 1_000, (to + 1) * 1_000);
  });

  it("uses no token up where nothing is due", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", 120_000);
    const { reply, changes } = await queue.watch(() =>
      queue.run(claim, claimArguments(queue, { pollIntervalMs: 0 })),
    );
    expect(readClaim(reply)).toMatchObject({ jobs: [], lookIn: -1, leaseEndsIn: -1 });
    expect(Object.keys(changes)).toEqual(["claims"]);
  });

  it("gives nothing while the queue is paused", async () => {
    const queue = openQueue();
    await queue.plantDelayed("a", -1_000);
    await queue.plantHeld("b", 7, 20_000);
    await queue.run(pause, {});
    const { reply, changes } = await queue.watch(() =>
      queue.run(claim, claimArguments(queue, { pollIntervalMs: 0 })),
    );
    const { jobs, lookIn, leaseEndsIn } = readClaim(reply);
    expect({ jobs, lookIn }).toEqual({ jobs: [], lookIn: -1 });
    expectWithin(leaseEndsIn, 0, 20_000);
    expect(Object.keys(changes)).toEqual(["claims"]);
  });

  it("says when the earliest lease ends, whoever has it", async () => {
    const queue = openQueue();
    const end = await queue.plantHeld("held", 7, 20_000);
    await queue.plantDelayed("a");
    const long = { pollIntervalMs: 0, visibilityTimeoutMs: MAX_VISIBILITY_TIMEOUT_MS };
    const first = await claimJobs(queue, { ...long, request: 1 });
    expect(first.ids).toEqual(["a"]);
    expect(first.leaseEndsIn).toBe(end - first.now);

    await queue.plantDelayed("b");
    const short = { pollIntervalMs: 0, visibilityTimeoutMs: 100 };
    expect((await claimJobs(queue, { ...short, request: 2 })).leaseEndsIn).toBe(100);

    await queue.moveTime(60_000);
    expect((await claimJobs(queue, { ...long, request: 3 })).leaseEndsIn).toBe(0);
  });

  it.each([
    { maxBytes: 1, count: 1 },
    { maxBytes: 10, count: 1 },
    { maxBytes: 11, count: 2 },
    { maxBytes: 110, count: 11 },
    { maxBytes: 1_000, count: 15 },
  ])("takes no more than fit into $maxBytes bytes, and no less", async ({ maxBytes, count }) => {
    const queue = openQueue();
    const ids = manyIds(15);
    await queue.plantMany(ids, (id) => queue.plantDelayed(id, 0, { envelope: "0123456789" }));
    const claimed = await claimJobs(queue, { maxJobs: 100, maxBytes });
    expect(claimed.jobs).toHaveLength(count);
    // Cut short it counts as full: the worker comes back for the rest without being told when.
    expect(claimed.lookIn).toBe(count < ids.length ? -1 : 60_000);
    expect((await queue.part("delayed")).size).toBe(ids.length - count);
    expect((await queue.part("processing")).size).toBe(count);
  });

  it("keeps the bytes of an envelope", async () => {
    const queue = openQueue();
    const envelope = Buffer.from([0, 255, 10, 13, 128]);
    await queue.plantDelayed("a", 0, { envelope });
    const reply = await queue.run(claim, claimArguments(queue, {}), [], { asBuffers: true });
    expect(readClaim(reply).jobs[0]?.envelope).toEqual(envelope);
  });

  it("takes a due id without an envelope out, and gives no job for it", async () => {
    const queue = openQueue();
    await queue.plantScore("delayed", "lost", -2_000);
    await queue.plantDelayed("a", -1_000, { attempts: 4 });
    const { reply, changes } = await queue.watch(() =>
      queue.runOnBreach(claim, claimArguments(queue, { pollIntervalMs: 0 })),
    );
    expect(readClaim(reply).jobs).toMatchObject([{ id: "a", attempts: 4 }]);
    expect(changes.delayed).toEqual({ lost: null, a: null });
    expect(Object.keys(changes.processing ?? {})).toEqual([`a:${readClaim(reply).token}`]);
    await queue.checkInvariant();
  });

  it("takes the largest batch of any ids, for any worker id", async () => {
    const queue = openQueue();
    const ids = [...HOSTILE_IDS, ...manyIds(CLAIM_BATCH_JOBS - HOSTILE_IDS.length)];
    let last = 0;
    for (const workerId of ["worker", ...HOSTILE_IDS]) {
      await queue.plantMany(ids, (id) => queue.plantDelayed(id, 0, { attempts: 1 }));
      const change = { workerId, request: 1, maxJobs: CLAIM_BATCH_JOBS };
      const { token, jobs } = await claimJobs(queue, change);
      expect(token).toBeGreaterThan(last);
      last = token;
      const envelopes = new Map(jobs.map(({ id, envelope }) => [id, envelope]));
      expect(envelopes).toEqual(new Map(ids.map((id) => [id, `envelope of ${id}`])));
      const leases = ids.map((id) => `${id}:${token}`);
      expect([...(await queue.part("processing")).keys()].toSorted()).toEqual(leases.toSorted());
      await queue.client.del(queue.keys.processing);
    }
    expect([...(await queue.part("claims")).keys()]).toHaveLength(HOSTILE_IDS.length + 1);
  });
});
