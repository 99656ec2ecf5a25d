import { Alert, Text } from "@mantine/core";
import type { WireError } from "../../../src/core/errors/error.ts";
import { Evidence } from "./evidence.tsx";

/** What went wrong, with what was seen, and what to do about it. */
export function Trouble({ error }: { readonly error: WireError }) {
  return (
    <Alert color="red" title={error.message} role="alert" className="trouble">
      {error.evidence.length > 0 && <Evidence lines={error.evidence} />}
      {error.hint !== "" && (
        <Text size="sm" mt={4}>
          {error.hint}
        </Text>
      )}
      <Text size="xs" c="dimmed" mt={4}>
        {error.code}
      </Text>
    </Alert>
  );
}
