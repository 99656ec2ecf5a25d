import { createTheme, type MantineColorsTuple } from "@mantine/core";

const sea: MantineColorsTuple = [
  "#e3fafc",
  "#c5f2f7",
  "#97e3ec",
  "#63d1de",
  "#3bbfcf",
  "#1faabb",
  "#1292a4",
  "#0d7b8c",
  "#0b6575",
  "#084f5c",
];
/** Blue-grey instead of grey: long looked at, by night. */
const dark: MantineColorsTuple = [
  "#dbe2ea",
  "#b6c0cc",
  "#8d99a8",
  "#667282",
  "#36414d",
  "#28313b",
  "#1a2129",
  "#12181f",
  "#0d1217",
  "#080b0f",
];

export const theme = createTheme({
  primaryColor: "sea",
  primaryShade: { light: 7, dark: 6 },
  autoContrast: true,
  colors: { sea, dark },
  fontFamily: 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "JetBrains Mono", Menlo, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  components: {
    Paper: { defaultProps: { withBorder: true, radius: "lg" } },
    Modal: { defaultProps: { centered: true, radius: "lg", classNames: { title: "dialog-title" } } },
  },
});
