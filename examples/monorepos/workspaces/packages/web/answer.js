import { price, total } from "@shop/cart";

/** What is said to a request, by its path and its query. */
export function answer({ pathname, searchParams }) {
  if (pathname === "/up") return { status: 200, text: "ok\n" };
  if (pathname !== "/total") return { status: 404, text: "not here\n" };
  const cents = searchParams.getAll("cents").map(Number);
  if (!cents.every(Number.isSafeInteger)) return { status: 400, text: "cents are whole numbers\n" };
  return { status: 200, text: `${price(total(cents.map((each) => ({ cents: each }))))}\n` };
}
