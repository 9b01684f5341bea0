/** Is the data under a queue's keys holdfast's, and of a version that this release knows? */
import { IncompatibleDataError } from "../model/errors.ts";
import { DATA_VERSION } from "../model/limits.ts";
import { flatReply, text } from "./replies.ts";

/**
 * @param reply what the script `open` answered
 * @throws IncompatibleDataError saying what to do
 */
export function checkData(reply: unknown): void {
  const [version, ...wrongParts] = flatReply("open", reply, 1);
  if (wrongParts.length > 0) {
    throw new IncompatibleDataError(
      `keys of this queue hold other types than holdfast's (${wrongParts.map(text).join(", ")}): ` +
        "choose another queue name or prefix, or delete these keys",
    );
  }
  if (Number(version) > DATA_VERSION) {
    throw new IncompatibleDataError(
      `this queue's data has version ${text(version)}, but this release of holdfast knows ` +
        `versions up to ${DATA_VERSION}: upgrade holdfast in this process`,
    );
  }
}
