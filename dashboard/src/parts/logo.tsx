export function Logo({ size = 32 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" fill="#0b7285" />
      <path d="M6 22.5 26 17" stroke="#99e9f2" strokeWidth="2.5" strokeLinecap="round" />
      <path d="M9 16.5 23 12.6l-2.4 4.9-8.6 2.4z" fill="#fff" />
      <path d="M15.5 8v5.4l4.3-1.2z" fill="#fff" />
    </svg>
  );
}
