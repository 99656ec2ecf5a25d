import { Code, Paper, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** Nothing is there: what that means, and what to type. */
export function Empty({
  title,
  children,
  command,
}: {
  readonly title: string;
  readonly children?: ReactNode;
  readonly command?: string;
}) {
  return (
    <Paper className="card empty" p="xl">
      <Title order={2} size="h4">
        {title}
      </Title>
      {children !== undefined && (
        <Text c="dimmed" size="sm">
          {children}
        </Text>
      )}
      {command !== undefined && <Code>{command}</Code>}
    </Paper>
  );
}
