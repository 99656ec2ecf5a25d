import { Link } from "@tanstack/react-router";
import { Empty } from "../parts/empty.tsx";

export function NotFound() {
  return (
    <Empty title="There is no such page">
      <Link to="/">Back to the overview</Link>
    </Empty>
  );
}
