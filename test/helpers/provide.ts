/** Programs that few tests need, installed where they are missing. */
import { canInstallPackages, installPackage } from "../../tools/debian-packages.ts";
import { findServerBinary } from "../../tools/redis/local-server.ts";

/** Makes sure of a Debian package, unless what it brings is here. */
export async function provide(
  packageName: string,
  isHere: () => boolean | Promise<boolean>,
): Promise<void> {
  if (!(await isHere()) && (await canInstallPackages())) {
    await installPackage(packageName);
  }
  if (!(await isHere())) {
    throw new Error(
      `this test needs what Debian's package ${packageName} brings, and it cannot be installed here`,
    );
  }
}

/** For tests whose server must be a process of this machine, not a container. */
export function provideServer(): Promise<void> {
  return provide("redis-server", async () => (await findServerBinary()) !== undefined);
}
