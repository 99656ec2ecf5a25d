/** Who the history names when nobody asked: the control plane itself. Nobody else may go by it. */
export const self = "slipway";
