import { it } from "vitest";
import { followReference } from "./follow-reference.ts";

it("follows the reference", () => followReference(["a", "b", "c", "d", "e", "f"]), 600_000);
