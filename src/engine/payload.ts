import { fromWire, isSlipwayError, reasonOf, SlipwayError, type WireError } from "../core/errors/error.ts";
import type { Json } from "../core/ids.ts";

/** One input, output or signal payload as JSON text, in UTF-8 bytes. The journal is read whole when work is resumed. */
export const maxPayloadBytes = 1024 * 1024;

/** What was seen may be long log lines; an error that is too long loses its evidence before anything else. */
const maxMessageLength = 10_000;

/** JSON text of a value that goes into the journal. Errors: PAYLOAD_TOO_LARGE, naming `what`. */
export function encode(value: Json | undefined, what: string): string {
  const text = JSON.stringify(value ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxPayloadBytes) {
    throw new SlipwayError("PAYLOAD_TOO_LARGE", {
      message: `${what} is ${bytes} bytes of JSON; at most ${maxPayloadBytes} are kept`,
    });
  }
  return text;
}

export function decode<T extends Json>(text: string): T {
  return JSON.parse(text) as T;
}

/** The failure of a step or workflow as it is thrown now and on every replay. What is no `SlipwayError` is a bug. */
export function asFailure(error: unknown): SlipwayError {
  if (isSlipwayError(error)) return error;
  return new SlipwayError("INTERNAL", { message: reasonOf(error) || "it threw nothing", cause: error });
}

export function encodeError(error: SlipwayError): string {
  const text = JSON.stringify(error);
  if (Buffer.byteLength(text) <= maxPayloadBytes) return text;
  const message = error.message.slice(0, maxMessageLength);
  return JSON.stringify({ ...error.toJSON(), message, evidence: [], hint: error.hint.slice(0, maxMessageLength) });
}

export function decodeError(text: string): SlipwayError {
  return fromWire(JSON.parse(text) as WireError);
}
