import { NativeSelect, TextInput } from "@mantine/core";
import { kindText, type Parameter } from "../../../src/core/pipeline/parameter.ts";

type FieldProps = {
  readonly parameter: Parameter;
  readonly value: string;
  readonly fault: string | null;
  readonly onChange: (value: string) => void;
};

/** A parameter as its type wants it: a choice where there are only some values, else a line, with what is allowed said. */
export function ParameterField({ parameter, value, fault, onChange }: FieldProps) {
  const { name, kind, meaning, default: usual } = parameter;
  const choices = choicesOf(kind);
  const shared = {
    label: name,
    description: meaning ?? kindText(kind),
    // What is empty is not wrong yet: it is only not given.
    error: value === "" ? null : fault,
    withAsterisk: usual === null,
    value,
  };
  if (choices !== null)
    return (
      <NativeSelect
        {...shared}
        data={usual === null ? [{ value: "", label: "choose" }, ...choices] : choices}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  return (
    <TextInput
      {...shared}
      maxLength={4_096}
      {...(kind.is === "number" ? { inputMode: kind.whole ? "numeric" : "decimal" } : {})}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function choicesOf(kind: Parameter["kind"]): string[] | null {
  if (kind.is === "boolean") return ["true", "false"];
  return kind.allowed === null ? null : kind.allowed.map(String);
}
