import { Button, Group, Modal, Textarea } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { wireOf } from "../api.ts";
import { useSession } from "../session.tsx";
import { Trouble } from "./trouble.tsx";

type ReasonedProps = {
  readonly title: string;
  readonly wide?: boolean;
  /** What will happen. */
  readonly children: ReactNode;
  readonly reason: {
    readonly label: string;
    /** What stands in the history when nothing is said; absent: something must be. */
    readonly otherwise?: string;
    readonly description?: string;
  };
  readonly leave: string;
  readonly confirm: { readonly label: string; readonly isGrave: boolean; readonly isReady?: boolean };
  /** Is given the reason. */
  readonly doing: UseMutationResult<unknown, Error, string>;
  readonly onClose: () => void;
};

/** Where nobody has to give a reason. */
export const byHand = { label: "Why (kept in the history)", otherwise: "by hand" } as const;

/** Something is done by a person after it was said what it does, with the reason why. */
export function Reasoned({ title, wide = false, children, reason, leave, confirm, doing, onClose }: ReasonedProps) {
  const { person } = useSession();
  const [text, setText] = useState("");
  const said = text.trim() || (reason.otherwise ?? "");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    doing.mutate(said);
  };
  return (
    <Modal opened onClose={onClose} title={title} {...(wide ? { size: "lg" } : {})}>
      <form onSubmit={submit} className="dialog">
        {children}
        <Textarea
          label={reason.label}
          placeholder={reason.otherwise ?? ""}
          description={reason.description}
          required={reason.otherwise === undefined}
          maxLength={500}
          autosize
          minRows={2}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          data-autofocus
        />
        {doing.isError && <Trouble error={wireOf(doing.error)} />}
        <Group justify="flex-end" gap="sm">
          <span className="quiet small speaks">as {person}</span>
          <Button variant="default" onClick={onClose}>
            {leave}
          </Button>
          <Button
            type="submit"
            {...(confirm.isGrave ? { color: "red" } : {})}
            loading={doing.isPending}
            disabled={confirm.isReady === false || said === ""}
          >
            {confirm.label}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
