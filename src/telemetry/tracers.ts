/** The tracer in force: the application may register its SDK before or after holdfast is used. */
import { ProxyTracerProvider, trace, type Tracer, type TracerProvider } from "@opentelemetry/api";
import { contain } from "./containment.ts";
import { SCHEMA_URL, SCOPE_NAME, SCOPE_VERSION } from "./names.ts";
import { registry, warnOfOtherCopy } from "./registry.ts";

/** What the API stands in with as long as nobody has registered a provider. */
const NOBODY = new ProxyTracerProvider().getDelegate();

export class Tracers {
  readonly #given: TracerProvider | undefined;
  #provider: TracerProvider = NOBODY;
  #tracer: Tracer | undefined;

  /** @param given a provider of the caller's own; otherwise the registered one is used */
  constructor(given: TracerProvider | undefined) {
    this.#given = given;
  }

  /** Undefined where nobody listens. Cheap: asked with each job. */
  get current(): Tracer | undefined {
    if (!this.#given && registry().trace === undefined) {
      return undefined;
    }
    const provider = this.#given ?? registeredProvider();
    if (provider !== this.#provider) {
      this.#provider = provider;
      this.#tracer =
        provider === NOBODY
          ? undefined
          : contain("the tracer provider", () =>
              // `trace.getTracer` would drop the schema's address.
              provider.getTracer(SCOPE_NAME, SCOPE_VERSION, { schemaUrl: SCHEMA_URL }),
            );
    }
    if (provider === NOBODY) warnOfOtherCopy();
    return this.#tracer;
  }
}

function registeredProvider(): TracerProvider {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
}
