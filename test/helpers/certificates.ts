/** Certificates of the test's own: an authority, what it signs, and what another one signs. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provide } from "./provide.ts";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly authority: Certificate;
  /** For 127.0.0.1 and localhost. */
  readonly server: Certificate;
  /** For another name. */
  readonly elsewhere: Certificate;
  readonly client: Certificate;
  /** An authority that has signed none of these. */
  readonly stranger: Certificate;
  remove(): void;
}

export async function makeCertificates(): Promise<Certificates> {
  await provide("openssl", () => !spawnSync("openssl", ["version"]).error);
  const folder = mkdtempSync(join(tmpdir(), "holdfast-certificates-"));
  const make = (name: string, extension: string, issuer?: Certificate): Certificate => {
    const certFile = join(folder, `${name}.pem`);
    const keyFile = join(folder, `${name}-key.pem`);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const signer = issuer ? ["-CA", issuer.certFile, "-CAkey", issuer.keyFile] : [];
    run(
      ["req", "-x509", ...key, "-keyout", keyFile, "-out", certFile, "-days", "2"].concat([
        "-subj",
        `/CN=${name}`,
        "-addext",
        extension,
        ...signer,
      ]),
    );
    return {
      certFile,
      keyFile,
      cert: readFileSync(certFile, "utf8"),
      key: readFileSync(keyFile, "utf8"),
    };
  };
  const authority = make("authority", "keyUsage=keyCertSign");
  return {
    authority,
    server: make("server", "subjectAltName=IP:127.0.0.1,DNS:localhost", authority),
    elsewhere: make("elsewhere", "subjectAltName=DNS:redis.example.com", authority),
    client: make("client", "extendedKeyUsage=clientAuth", authority),
    stranger: make("stranger", "keyUsage=keyCertSign"),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function run(args: readonly string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`openssl ${args.join(" ")} failed: ${stderr}`);
  }
}
