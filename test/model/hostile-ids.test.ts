import { describe } from "vitest";
import { HOSTILE_IDS } from "../helpers/script-harness.ts";
import { itFollowsTheReference } from "./follow-reference.ts";

describe("a queue of hostile ids follows its reference", () => {
  itFollowsTheReference(HOSTILE_IDS);
});
