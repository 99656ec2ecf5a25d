import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CertificateSeen, standingOf } from "./standing.ts";
import { type CertificateTold, certificateNews } from "./watch.ts";

const day = 86_400_000;
const hour = 3_600_000;
const now = 1_000 * day;

/** With so much time left of so long a life. */
const seen = (leftMs: number, lifeMs = 90 * day, trouble: string | null = null): CertificateSeen => ({
  hosts: ["shop.example.org"],
  notBefore: now + leftMs - lifeMs,
  notAfter: now + leftMs,
  trouble,
});
const missing: CertificateSeen = { ...seen(0), notBefore: 0, notAfter: 0, trouble: "the CA said no" };

describe("a certificate", () => {
  it.each([
    [seen(60 * day), "well", "shop.example.org: ends in 60 days"],
    [seen(60 * day, 90 * day, "the CA said no"), "failing", "shop.example.org: ends in 60 days (the CA said no)"],
    [seen(14 * day), "well", "shop.example.org: ends in 14 days"],
    [seen(14 * day - 1), "ending", "shop.example.org: ends in 13 days, and was not renewed"],
    [seen(day, 90 * day, "the CA said no"), "ending", "shop.example.org: ends in 1 day (the CA said no)"],
    [seen(90_000), "ending", "shop.example.org: ends in 1m, and was not renewed"],
    [seen(0), "ended", "shop.example.org: ended 0s ago"],
    [seen(-3 * day), "ended", "shop.example.org: ended 3 days ago"],
    [missing, "missing", "shop.example.org: not there (the CA said no)"],
  ] as const)("%j is %s", (certificate, is, says) => {
    expect(standingOf(certificate, now)).toEqual({ is, says });
  });

  it("that lives for days or hours is late by its own measure, and one that lives for years not before two weeks", () => {
    expect(standingOf(seen(2 * day, 6 * day), now).is).toBe("well");
    expect(standingOf(seen(day - 1, 6 * day), now).is).toBe("ending");
    expect(standingOf(seen(3 * hour, 12 * hour), now).is).toBe("well");
    expect(standingOf(seen(hour, 12 * hour), now).is).toBe("ending");
    expect(standingOf(seen(20 * day, 3_650 * day), now).is).toBe("well");
  });
});

describe("news of a certificate", () => {
  const news = (certificate: CertificateSeen, before: CertificateTold | null, told: CertificateTold = "well") =>
    certificateNews({ seen: certificate, before, told }, now);

  it("is each turn, once, with what it is and what to do", () => {
    expect(news(seen(60 * day), null)).toBeNull();
    expect(news(seen(5 * day), "well")).toEqual({
      is: "ending",
      severity: "warning",
      reason: expect.stringMatching(
        /^shop\.example\.org: ends in 5 days, and was not renewed; renew the files.*slipway doctor$/,
      ),
    });
    expect(news(seen(5 * day), "ending", "ending")).toBeNull();
    expect(news(seen(-day), "ending", "ending")).toMatchObject({ is: "ended", severity: "critical" });
    expect(news(seen(90 * day), "ended", "ended")).toEqual({
      is: "well",
      severity: "info",
      reason: "shop.example.org: ends in 90 days; it is well again",
    });
  });

  it("waits for a second look where a certificate may just be on its way", () => {
    const failing = seen(60 * day, 90 * day, "the CA is away");
    expect(news(failing, null)).toBeNull();
    expect(news(failing, "well")).toBeNull();
    expect(news(failing, "failing")).toMatchObject({ is: "failing", severity: "warning" });
    expect(news(missing, null)).toBeNull();
    expect(news(missing, "missing")).toMatchObject({ is: "missing", severity: "critical" });
    // Its end is certain: nobody waits.
    expect(news(seen(-day), null)).toMatchObject({ is: "ended" });
  });

  it("never repeats itself, and always comes to what is seen", () => {
    const certificates = fc.record({
      left: fc.integer({ min: -100, max: 400 }),
      trouble: fc.constantFrom(null, "no"),
      there: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(certificates, { minLength: 1 }), (looks) => {
        let [before, told]: [CertificateTold | null, CertificateTold] = [null, "well"];
        for (const { left, trouble, there } of looks.flatMap((look) => [look, look])) {
          const certificate = there ? seen(left * day, 398 * day, trouble) : missing;
          const said = certificateNews({ seen: certificate, before, told }, now);
          expect(said?.is).not.toBe(told);
          told = said?.is ?? told;
          before = standingOf(certificate, now).is;
        }
        expect(told).toBe(before);
      }),
    );
  });
});
