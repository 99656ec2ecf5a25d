import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import type { DashboardLinkView } from "../src/api/dashboard-contract.ts";
import { ended, type Plane, release, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type ProductOptions, type TestProduct } from "./fixture/product.ts";

const command = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));

/** A test with colours, and a report of what has failed. */
const unit = `
import { writeFileSync } from "node:fs";
console.log("\\u001b[31mnot ok\\u001b[39m totals, " + process.env.SLIPWAY_PARAM_LEVEL + " " + process.env.SLIPWAY_PARAM_SHARDS);
const failed = process.env.SLIPWAY_PARAM_LEVEL === "full";
writeFileSync("junit.xml", '<testsuite><testcase classname="cart" name="adds"/><testcase classname="cart" name="totals">' +
  (failed ? "<failure>expected 3, saw 4</failure>" : "") + "</testcase></testsuite>");
process.exit(failed ? 1 : 0);
`;

let product: TestProduct;
let options: ProductOptions;
let plane: Plane;
let browser: Browser;
/** What a page has said that it should not: errors, and what its policy has stopped. */
const complaints: string[] = [];

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  product = await makeProduct();
  const pipeline = {
    parameters: {
      level: { allowed: ["quick", "full"], default: "quick" },
      shards: { default: 2, type: "integer", min: 1, max: 8 },
    },
    steps: {
      lint: { command: ["node", "--check", "web/server.mjs"] },
      unit: { command: ["node", "unit.mjs"], needs: ["lint"], reports: { junit: ["junit.xml"] } },
    },
  };
  writeFileSync(join(product.directory, "unit.mjs"), unit);
  const gated = { gates: { approval: { teams: ["ops"], count: 1 } } };
  const environments = { production: { edge: { listen: `127.0.0.1:${product.port}` }, ...gated } };
  options = { more: { teams: { ops: ["grace"] }, pipeline, environments } };
  product.commit("v1", "good", options);
  plane = await startPlane(product);
});

afterAll(async () => {
  await browser?.close();
  await tearDown(product, plane);
});

/** What `slipway dashboard` answers to that person. */
function dashboard(person: string, ...options: readonly string[]): unknown {
  const env = { ...process.env, SLIPWAY_ACTOR: person };
  const args = [command, "dashboard", "--json", ...options];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: product.directory, env }).toString());
}

async function openAs(person: string): Promise<{ readonly context: BrowserContext; readonly page: Page }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // What it asked for and did not get is shown on the page; a machine whose networks come and go cuts connections.
    const isOfAnAnswer = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isOfAnAnswer) complaints.push(message.text());
  });
  onTestFailed(async () => {
    if (!page.isClosed()) console.error(await page.locator("body").innerText());
  });
  await page.goto((dashboard(person) as { readonly url: string }).url);
  return { context, page };
}

describe("the dashboard, in a browser", () => {
  it("tells the story of an approval: who may not is told so, a refusal ends it, a yes begins it, and all is seen at once", async () => {
    const first = await release(plane, product);
    const { context, page } = await openAs("grace");
    await page.getByRole("heading", { name: "Nothing of probe has been deployed yet" }).waitFor();
    // What opened the session is not in the address, nor where a script could read it.
    expect(page.url()).toMatch(/\/dashboard\/$/);
    expect(await page.evaluate("document.cookie")).toBe("");
    const ask = async (): Promise<string> => {
      const body = { environment: "production", release: first, kind: "deploy", actor: "ada", reason: "the first" };
      return (await plane.client.post<{ readonly deployment: string }>("/v1/deployments", body)).deployment;
    };

    const refused = await ask();
    await page.getByRole("link", { name: /Approvals/ }).click();
    const card = page.getByRole("region", { name: /^r1 for production$/ });
    await card.getByText("waits for 1 approval from ops (grace)").waitFor();
    await card.getByText("nothing, it is the first").waitFor();
    await card.getByText("v1, good").first().waitFor();

    const other = await openAs("mallory");
    await other.page.getByRole("link", { name: /Approvals/ }).click();
    await other.page.getByRole("button", { name: "Approve…" }).click();
    await other.page.getByRole("button", { name: "Approve", exact: true }).click();
    const told = other.page.getByRole("alert");
    await told.getByText("mallory is not among those who may approve: ops (grace)").waitFor();
    await other.context.close();

    await card.getByRole("button", { name: "Refuse…" }).click();
    const dialog = page.getByRole("dialog");
    const refuse = dialog.getByRole("button", { name: "Refuse" });
    expect(await refuse.isDisabled()).toBe(true);
    await dialog.getByLabel("What has to be mended").fill("the prices are wrong");
    await refuse.click();
    await page.getByRole("status").getByText("Refused: r1 0.1.0 for production").waitFor();
    await page.getByRole("heading", { name: "Nothing waits for anybody" }).waitFor();
    expect(await plane.client.get(`/v1/deployments/${refused}`)).toMatchObject({
      phase: "cancelled",
      reason: "rejected by grace: the prices are wrong",
    });

    const wanted = await ask();
    await card.getByRole("button", { name: "Approve…" }).click();
    await dialog.getByText("switch traffic: web 100 %").waitFor();
    await page.keyboard.type("looks good");
    await dialog.getByRole("button", { name: "Approve", exact: true }).click();
    await page.getByText("By grace: its gates are open, and it begins.").waitFor();

    await page.getByRole("link", { name: "Overview", exact: true }).click();
    const production = page.getByRole("region", { name: "production" });
    await production.getByText("healthy", { exact: true }).waitFor();
    await production.getByText(/live .*by ada/).waitFor();
    expect(await plane.client.get(`/v1/deployments/${wanted}`)).toMatchObject({ phase: "succeeded" });

    await page.getByRole("button", { name: "grace" }).click();
    await page.getByRole("menuitem", { name: "End this session" }).click();
    await page.getByRole("heading", { name: "Open the dashboard" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Open the dashboard" }).waitFor();
    await context.close();
    expect(complaints).toEqual([]);
  });

  it("begins a run with parameters of their types, and shows its steps, its log with colours and what has failed", async () => {
    const { context, page } = await openAs("ada");
    await page.getByRole("link", { name: "Runs" }).click();
    await page.getByRole("link", { name: "New run" }).click();
    const begin = page.getByRole("button", { name: "Begin the run" });
    await page.getByLabel("shards").fill("9");
    await page.getByText("must be a whole number from 1 to 8").waitFor();
    expect([await begin.isDisabled(), await begin.getAttribute("title")]).toEqual([
      true,
      "shards must be a whole number from 1 to 8",
    ]);
    await page.getByLabel("shards").fill("3");
    await page.getByLabel("level").selectOption("full");
    await begin.click();
    const step = page.getByRole("region", { name: "Step unit" });
    await step.getByText("2 tests, 1 failed").waitFor();
    await step.getByText("cart totals").click();
    await step.getByText("expected 3, saw 4").waitFor();
    const log = page.getByRole("region", { name: "Log of unit" });
    await log.getByText("totals, full 3").waitFor();
    expect(await log.getByText("not ok", { exact: true }).getAttribute("class")).toBe("ansi-1");
    await page.getByRole("button", { name: /^lint/ }).click();
    await page.getByRole("region", { name: "Step lint" }).waitFor();
    expect(new URL(page.url()).search).toBe("?step=lint");
    await context.close();
  });

  it("rolls back to what it has shown, and tells who, when and why of a deployment", async () => {
    product.commit("v2", "good", options);
    const second = await release(plane, product);
    const asked = { environment: "production", release: second, kind: "deploy", actor: "ada", reason: "the second" };
    const { deployment } = await plane.client.post<{ readonly deployment: string }>("/v1/deployments", asked);
    const word = { verdict: "approved", actor: "grace", reason: "looks good" };
    await plane.client.post(`/v1/deployments/${deployment}/approvals`, word);
    expect((await ended(plane, deployment)).phase).toBe("succeeded");
    const { context, page } = await openAs("grace");
    await page.getByRole("button", { name: "Roll back…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("r2 0.2.0 is taken away, and r1 0.1.0, the last that was good there").waitFor();
    await dialog.getByText("switch traffic: web 100 %").waitFor();
    await page.keyboard.type("the prices again");
    await dialog.getByRole("button", { name: "Roll back", exact: true }).click();
    const history = page.getByRole("region", { name: "History" });
    await history.getByText("succeeded", { exact: true }).waitFor();
    await history.getByText("the prices again").waitFor();
    await page.getByRole("region", { name: "Deployment" }).getByText("rollback by grace").waitFor();
    await page.getByRole("link", { name: "Deployments" }).click();
    await page
      .getByRole("link", { name: /^r2 0\.2\.0.*production/ })
      .first()
      .click();
    await history.getByText("approved by grace: looks good").waitFor();
    await context.close();
  });

  it("is good to look at on a telephone: nothing is wider than it, and by the keyboard alone", async () => {
    const { context, page } = await openAs("grace");
    await page.setViewportSize({ width: 380, height: 800 });
    await page.getByRole("region", { name: "production" }).waitFor();
    const tooWide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await page.evaluate(tooWide)).toBe(0);
    await page.keyboard.press("Tab");
    await page.getByRole("link", { name: "Skip to the content" }).waitFor();
    for (const _ of ["brand", "overview", "approvals"]) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Approvals" }).waitFor();
    expect(await page.evaluate(tooWide)).toBe(0);
    await context.close();
  });

  it("lets in by a link that is pasted, and says what is wrong with one that was used", async () => {
    const link = await plane.client.post<DashboardLinkView>("/v1/dashboard/links", { actor: "ada" });
    const { context, page } = await openAs("grace");
    await page.getByRole("region", { name: "production" }).waitFor();
    const { origin } = new URL(page.url());
    await context.clearCookies();
    await page.goto(`${origin}/dashboard/approvals`);
    const door = page.getByLabel("Or paste the link here");
    await door.fill(`http://127.0.0.1:1${link.path}`);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "ada" }).waitFor();
    expect(page.url()).toBe(`${origin}/dashboard/approvals`);
    // Ended from elsewhere: its stream is cut, and the page says so by itself.
    expect(dashboard("ada", "--end")).toEqual({ ended: expect.any(Number) });
    await page.getByRole("heading", { name: "Open the dashboard" }).waitFor();
    await page.goto(`${origin}${link.path}`);
    await page
      .getByRole("alert")
      .getByText(/was used already/)
      .waitFor();
    await context.close();
  });
});
