/** All ways to break the scripts. */
import { administering } from "./administering.ts";
import { auditing } from "./auditing.ts";
import { claiming } from "./claiming.ts";
import { enqueueing } from "./enqueueing.ts";
import type { Mutant } from "./mutant.ts";
import { settling } from "./settling.ts";

/** Each with the file of src/scripts that it breaks. */
export const allMutants: readonly { readonly file: string; readonly mutant: Mutant }[] = [
  enqueueing,
  claiming,
  settling,
  administering,
  auditing,
]
  .flatMap((mutants) => Object.entries(mutants))
  .flatMap(([file, mutants]) => mutants.map((mutant) => ({ file, mutant })));
