/** What Redis and ioredis report, as the errors that callers know. */
import {
  HoldfastError,
  IncompatibleDataError,
  QueueFullError,
  RedisRefusedError,
  RedisUnavailableError,
} from "../model/errors.ts";

/**
 * States that pass by themselves: starting, failing over, resharding, busy, too few replicas, or
 * scripts flushed again before the call. Read-only at the first call is told by the server's check. A
 * key that is not local is Valkey's word for a replica, since all keys of a script have one slot.
 */
const PASSING =
  /\b(non local key|LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS|MISCONF|READONLY|NOSCRIPT|UNBLOCKED|MOVED|ASK|UNKILLABLE)\b/;
const REFUSED = /\b(NOAUTH|WRONGPASS|NOPERM|unknown command|DENIED)\b/i;

/** Codes of Node for a certificate that it does not accept, and for a server that does not accept ours. */
const UNTRUSTED_SERVER = /CERT|SIGNATURE|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH/;
const HANDSHAKE_REFUSED = /^ERR_SSL_.*ALERT/;

export function isMissingScript(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOSCRIPT");
}

/**
 * The error a caller should see for a failed call. Credentials and payloads are never part of it.
 *
 * @param connectionError the last error of the connection, where ioredis only says that it gave up
 */
export function translateError(error: unknown, connectionError?: Error): HoldfastError {
  if (error instanceof HoldfastError) {
    return error;
  }
  const gaveUp = error instanceof Error && error.name === "MaxRetriesPerRequestError";
  const reported = gaveUp ? (connectionError ?? error) : error;
  const cause = withoutArguments(reported);
  const { message } = cause;
  const options = { cause };
  const tlsProblem = describeTlsProblem(reported);
  if (tlsProblem) {
    return new RedisRefusedError(tlsProblem, options);
  }
  if (/\bOOM\b/.test(message)) {
    return new QueueFullError(
      "Redis is at its maxmemory limit and takes no new jobs; workers go on draining: raise maxmemory or wait",
      options,
    );
  }
  if (message.includes("WRONGTYPE")) {
    return new IncompatibleDataError(
      "a key of this queue holds another type than holdfast's: choose another queue name or prefix, or delete the key",
      options,
    );
  }
  if (REFUSED.test(message)) {
    return new RedisRefusedError(`Redis refused the call: ${message}`, options);
  }
  if (PASSING.test(message)) {
    return new RedisUnavailableError(`Redis cannot serve for the moment: ${message}`, options);
  }
  if (cause.name === "ReplyError") {
    return new RedisRefusedError(`Redis reported an error: ${message}`, options);
  }
  return new RedisUnavailableError(`Redis cannot be reached: ${message}`, options);
}

function describeTlsProblem(error: unknown): string | undefined {
  const code = error instanceof Error ? String((error as NodeJS.ErrnoException).code) : "";
  if (HANDSHAKE_REFUSED.test(code)) {
    return (
      `the server refused the TLS handshake (${code}): if it asks for a client certificate, set ` +
      "tls.cert and tls.key to one of an authority that it trusts"
    );
  }
  return UNTRUSTED_SERVER.test(code)
    ? `the server's certificate is not accepted (${(error as Error).message}): set tls.ca to the certificate ` +
        "of the authority that signed it, or tls.servername to a name that it holds"
    : undefined;
}

/** ioredis hangs the command on its errors, with payloads or a password among its arguments. */
function withoutArguments(error: unknown): Error {
  if (!(error instanceof Error)) {
    return new Error(String(error));
  }
  const plain = new Error(error.message);
  plain.name = error.name;
  if (error.stack !== undefined) {
    plain.stack = error.stack;
  }
  return plain;
}
