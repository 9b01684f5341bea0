import { describe } from "vitest";
import { itFollowsTheReference } from "./follow-reference.ts";

describe("a queue follows its reference", () => {
  itFollowsTheReference(["a", "b", "c", "d", "e", "f"]);
});
