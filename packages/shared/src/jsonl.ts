/** JSON lines: splitting bytes into complete rows. A last line without newline is torn: it was never acknowledged. */

export interface SplitLines {
  /** Complete lines, without their newline. */
  readonly lines: string[]
  /** Bytes up to and including the last newline. */
  readonly complete: number
}

const utf8 = new TextDecoder()

export function splitLines(bytes: Uint8Array): SplitLines {
  const complete = bytes.lastIndexOf(0x0a) + 1
  if (complete === 0) return { lines: [], complete: 0 }
  return { lines: utf8.decode(bytes.subarray(0, complete - 1)).split('\n'), complete }
}

/** @returns the value, or undefined when the text is no JSON object */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
