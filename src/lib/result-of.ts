/** What one of several pieces of work came to, when all have ended: its value, or its failure is thrown. */
export function resultOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}
