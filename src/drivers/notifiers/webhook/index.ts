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
      const answer = await request(url.reveal(), {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      }).catch((error: unknown) => {
        signal.throwIfAborted();
        // The address is a secret: what could not be parsed or reached is not quoted.
        throw failed(
          `the webhook in ${urlFrom} could not be reached: ${reasonOf(error).replaceAll(url.reveal(), "[secret]")}`,
        );
      });
      await answer.body.dump();
      if (answer.statusCode >= 300) throw failed(`the webhook in ${urlFrom} answered ${answer.statusCode}`);
    },
  };
}

function failed(message: string): SlipwayError {
  return new SlipwayError("NOTIFIER_FAILED", { message });
}
