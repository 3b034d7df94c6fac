//! What a visitor chose for this browser. Read from storage that anybody may have written: each field is checked.

/** The visitor's choices. */
export interface Settings {
  /** `system` follows the system's preference. */
  theme: 'system' | 'light' | 'dark';
  /** Size of the terminal's letters, in CSS pixels. */
  fontSize: number;
  screenReader: 'off' | 'on';
}

/** Font sizes beyond these are of no use, in CSS pixels. */
export const FONT_SIZE = { least: 9, usual: 14, most: 32 } as const;

/** Settings out of what was stored, each missing or impossible one replaced by the usual. */
export function parseSettings(stored: string | null): Settings {
  let fields: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(stored ?? '{}');
    if (typeof value === 'object' && value !== null) fields = value as Record<string, unknown>;
  } catch {
    fields = {};
  }
  const { theme, fontSize, screenReader } = fields;
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    fontSize: typeof fontSize === 'number' ? clampFontSize(fontSize) : FONT_SIZE.usual,
    screenReader: screenReader === 'on' ? 'on' : 'off',
  };
}

/** The nearest font size that may be had. */
export function clampFontSize(size: number): number {
  return Number.isFinite(size)
    ? Math.min(FONT_SIZE.most, Math.max(FONT_SIZE.least, Math.round(size)))
    : FONT_SIZE.usual;
}
