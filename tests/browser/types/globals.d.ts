// What browsers have that TypeScript's library does not know.

interface Navigator {
  readonly connection?: { readonly saveData?: boolean };
}

// eslint-disable-next-line no-var
declare var trustedTypes:
  { createPolicy(name: string, rules: { createScriptURL(text: string): string }): { createScriptURL(text: string): string } } | undefined;
