/** Told when an answer says that there is no session any more, wherever it was asked. */
const overEvent = "slipway:session-over";

export function sessionOver(): void {
  window.dispatchEvent(new Event(overEvent));
}

export function onSessionOver(then: () => void): () => void {
  window.addEventListener(overEvent, then);
  return () => window.removeEventListener(overEvent, then);
}
