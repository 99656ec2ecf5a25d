import { isIP } from "node:net";
import { connect } from "node:tls";
import { type CertificateFault, certificateFault } from "../../lib/certificate-fault.ts";

/** What a certificate that is not believed shows of itself. */
export type Shown = { readonly names: string; readonly by: string; readonly from: string; readonly to: string };

const lookMs = 5_000;

const unknownIssuer = {
  what: "shows a certificate of an authority that this machine does not know",
  hint: "start the agent with NODE_EXTRA_CA_CERTS=<file>, the authority's certificate in PEM",
};

type Wrong = { readonly what: string; readonly hint: string };

/** Null: what the error itself says is said. */
const wrongs: Readonly<Record<CertificateFault, Wrong | null>> = {
  over: {
    what: "shows a certificate that is over",
    hint: "renew it where TLS ends, and look at this machine's clock",
  },
  early: {
    what: "shows a certificate that does not hold yet",
    hint: "look at this machine's clock, and at the one where the certificate was made",
  },
  "other-names": {
    what: "shows a certificate for other names",
    hint: "give --control-plane one of those names, or get a certificate for this one",
  },
  "unknown-authority": unknownIssuer,
  incomplete: {
    ...unknownIssuer,
    hint: `${unknownIssuer.hint}; of a public authority, its intermediate is missing where TLS ends`,
  },
  forged: null,
};

/** What is wrong with the certificate at the address, in words of several lines. Null: the trouble is another. */
export async function certificateTrouble(
  cause: unknown,
  url: string,
  look: (url: URL) => Promise<Shown | null> = shownAt,
): Promise<string | null> {
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  const fault = typeof code === "string" ? certificateFault(code) : null;
  const wrong = fault === null ? null : wrongs[fault];
  if (wrong === null) return null;
  const at = new URL(url);
  const shown = await look(at);
  return [
    `${at.origin} ${wrong.what}`,
    ...(shown === null
      ? []
      : [`  seen  for ${shown.names}, by ${shown.by}, holds from ${shown.from} to ${shown.to} (${String(code)})`]),
    `  hint  ${wrong.hint}; the agent asks on`,
  ].join("\n");
}

/** Nothing is sent there. Null: it does not show one now. */
async function shownAt({ hostname, port }: URL): Promise<Shown | null> {
  const host = hostname.replace(/^\[|\]$/g, "");
  // To be looked at it must not be believed.
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: false,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve).once("error", reject);
      socket.once("close", () => reject(new Error("closed")));
      socket.setTimeout(lookMs, () => reject(new Error("it does not answer")));
    });
    const { subject, subjectaltname, issuer, valid_from, valid_to } = socket.getPeerCertificate();
    if (valid_to === undefined) return null;
    return {
      names: readable(subjectaltname ?? textOf(subject)),
      by: readable(textOf(issuer)),
      from: readable(valid_from),
      to: readable(valid_to),
    };
  } catch {
    return null;
  } finally {
    socket.on("error", () => undefined);
    socket.destroy();
  }
}

function textOf(name: object): string {
  return Object.entries(name)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(", ");
}

/** It may be of a stranger: one line, and so long at most. */
function readable(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e\u00a0-\uffff]/g, "?").slice(0, 200);
}
