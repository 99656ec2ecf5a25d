/** Of a file that is sent: `sha256:<hex>` of its bytes. */
export const digestHeader = "x-slipway-digest";
