/**
 * A long-lived part of a queue or worker. Each survives being stopped without a start, stopped twice,
 * and stopped while it starts; after a stop it holds no timer and sends nothing. None starts again.
 */
export interface Part {
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
}
