/** One Lua script as the generator describes it: its source and the names of what it is called with. */
export interface ScriptDefinition {
  readonly name: string;
  /** SHA-1 of the source, by which the server knows it. */
  readonly sha1: string;
  /** Parts of the queue's key set, in the order of KEYS. */
  readonly keys: readonly string[];
  /** Arguments by name, in the order of ARGV. */
  readonly args: readonly string[];
  /** The fields of one item of the repeating arguments that follow; empty where there are none. */
  readonly listFields: readonly string[];
  readonly source: string;
}
