import { catalogue, type ErrorCode } from "./catalogue.ts";

/** One labelled line of what was seen: the last probe, the value in the config, the process that holds the port. */
export type Evidence = readonly [label: string, text: string];

type Details = {
  /** What went wrong, with the real values in it. One sentence, no full stop. */
  message: string;
  /** What was seen, most telling first. */
  evidence?: readonly Evidence[];
  /** What to type or change. Replaces the catalogue's general hint. */
  hint?: string;
  cause?: unknown;
};

/**
 * An expected failure: something a person can understand and act on. Its code is in the catalogue and in
 * `docs/errors.md`; anything that is not a `SlipwayError` is a bug of ours.
 */
export class SlipwayError extends Error {
  override readonly name = "SlipwayError";
  readonly code: ErrorCode;
  readonly evidence: readonly Evidence[];
  readonly hint: string;

  constructor(code: ErrorCode, details: Details) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.evidence = details.evidence ?? [];
    this.hint = details.hint ?? catalogue[code].hint;
  }

  get exitCode(): number {
    return catalogue[this.code].exit;
  }

  get httpStatus(): number {
    return catalogue[this.code].http;
  }

  get retryable(): boolean {
    return catalogue[this.code].retry;
  }

  /** The form that crosses the HTTP API; `fromWire` makes it an error again on the other side. */
  toJSON(): WireError {
    return { code: this.code, message: this.message, evidence: this.evidence, hint: this.hint };
  }
}

export type WireError = { code: ErrorCode; message: string; evidence: readonly Evidence[]; hint: string };

export function fromWire(wire: WireError): SlipwayError {
  // What comes over the network may name anything, also what every object has.
  const code = Object.hasOwn(catalogue, wire.code) ? wire.code : "INTERNAL";
  return new SlipwayError(code, { message: wire.message, evidence: wire.evidence, hint: wire.hint });
}

export function isSlipwayError(error: unknown): error is SlipwayError {
  return error instanceof SlipwayError;
}

/** The words of any thrown thing, for evidence lines. Never a stack. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
