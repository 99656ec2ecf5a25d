import { request } from "undici";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { alertmanagerBody, slackBody } from "../../../core/judge/rule/notice.ts";
import type { Secret } from "../../../core/secret.ts";
import type { Notifier } from "../../../ports/notifier.ts";

const timeoutMs = 10_000;

/** Posts JSON to an address that only the environment of the control plane has. `secret` reads a variable. */
export function webhookNotifier(secret: (name: string) => Secret | null): Notifier {
  return {
    async send({ urlFrom, format }, notice, signal) {
      const url = secret(urlFrom);
      if (url === null) throw failed(`the variable ${urlFrom} is not set where the control plane was started`);
      const body = JSON.stringify(format === "slack" ? slackBody(notice) : alertmanagerBody(notice));
      // The address is a secret: what could not be parsed or reached is not quoted.
      const answer = await post(url.reveal(), body, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        const why = reasonOf(error).replaceAll(url.reveal(), "[secret]");
        throw failed(`the webhook in ${urlFrom} could not be reached: ${why}`);
      });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw failed(`the webhook in ${urlFrom} answered ${answer.statusCode}`);
    },
  };
}

/** Async as a whole: an address that cannot be parsed is refused at once. */
async function post(url: string, body: string, signal: AbortSignal) {
  return request(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
}

function failed(message: string): SlipwayError {
  return new SlipwayError("NOTIFIER_FAILED", { message });
}
