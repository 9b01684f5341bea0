/** What is the same for each operation of a queue, made once: the spans' names, and attributes. */
import type { Attributes } from "@opentelemetry/api";
import { ATTRIBUTES, MESSAGING_SYSTEM, type OperationName, OPERATIONS } from "./names.ts";

/** Where Redis is, as far as it is one place. */
export interface ServerAddress {
  /** A host name or an address, or the path of a Unix socket. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

export interface Operation {
  readonly name: OperationName;
  readonly spanName: string;
  /** Of spans and durations. */
  readonly attributes: Attributes;
  /** Without the kind of operation, which the name implies. */
  readonly counterAttributes: Attributes;
}

export interface QueueOperations extends Readonly<Record<OperationName, Operation>> {
  /** Of what is about the queue as a whole. */
  readonly queueAttributes: Attributes;
}

export function queueOperations(queueName: string, server: ServerAddress): QueueOperations {
  const queueAttributes = {
    [ATTRIBUTES.system]: MESSAGING_SYSTEM,
    [ATTRIBUTES.destination]: queueName,
  };
  const common: Attributes = { ...queueAttributes };
  if (server.address !== undefined) common[ATTRIBUTES.serverAddress] = server.address;
  if (server.port !== undefined) common[ATTRIBUTES.serverPort] = server.port;
  const operations = {} as Record<OperationName, Operation>;
  for (const [name, type] of Object.entries(OPERATIONS) as [OperationName, string][]) {
    const counterAttributes = { ...common, [ATTRIBUTES.operationName]: name };
    operations[name] = Object.freeze({
      name,
      spanName: `${name} ${queueName}`,
      attributes: Object.freeze({ ...counterAttributes, [ATTRIBUTES.operationType]: type }),
      counterAttributes: Object.freeze(counterAttributes),
    });
  }
  return Object.freeze({ ...operations, queueAttributes: Object.freeze(queueAttributes) });
}

/** The attributes of a measurement, and of its failure. */
export function withErrorType(attributes: Attributes, errorType: string | undefined): Attributes {
  return errorType === undefined
    ? attributes
    : { ...attributes, [ATTRIBUTES.errorType]: errorType };
}
