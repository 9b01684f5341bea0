import { defineConfig, mergeConfig } from "vitest/config";
import base from "../../vitest.config.ts";

/** The tests of the scripts, on the broken scripts of a file instead of the generated ones. */
export default mergeConfig(
  base,
  defineConfig({
    resolve: {
      alias: [
        {
          find: /^.*\/scripts\/generated\.ts$/,
          replacement: String(process.env["HOLDFAST_MUTATED_SCRIPTS"]),
        },
      ],
    },
    test: { silent: true },
  }),
);
