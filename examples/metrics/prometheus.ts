/** Metrics where Prometheus scrapes them. */
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

export interface ScrapedMetrics {
  readonly meterProvider: MeterProvider;
  readonly url: string;
}

/** Serves this process's metrics on loopback, until the provider is shut down. */
export async function serveMetrics(port: number): Promise<ScrapedMetrics> {
  const host = "127.0.0.1"; // without one, all of the machine's addresses serve it
  const exporter = new PrometheusExporter({ host, port, preventServerStart: true });
  await exporter.startServer();
  const meterProvider = new MeterProvider({ readers: [exporter] });
  return { meterProvider, url: `http://${host}:${port}/metrics` };
}
