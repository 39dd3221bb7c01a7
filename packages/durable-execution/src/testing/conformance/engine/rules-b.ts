/** Rules of parents. */
export const RULES_B: Record<string, string> = {}
