import { z } from 'zod'

const decimal = ['B', 'kB', 'MB', 'GB', 'TB']
const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `"0"`, `"512"`, `"64MiB"`, `"1.5GB"`. @returns bytes, or undefined when the text is no size */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim())
  if (!match) return undefined
  const unit = match[2] === '' ? 'B' : (match[2] as string)
  const same = (other: string) => other.toLowerCase() === unit.toLowerCase()
  const power = binary.findIndex(same)
  const bytes = power >= 0 ? Number(match[1]) * 1024 ** power : Number(match[1]) * 1000 ** decimal.findIndex(same)
  const known = power >= 0 || decimal.some(same)
  return known && Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined
}

/** A configuration value in bytes; a bare number is taken too. */
export const Size = z
  .union([z.string(), z.int().nonnegative({ error: 'a size is 0 or more; write it like "64MiB"' })])
  .transform((value, context) => {
    const bytes = typeof value === 'number' ? value : parseSize(value)
    if (bytes !== undefined) return bytes
    context.addIssue({
      code: 'custom',
      message: `"${value}" is no size; write a number and B, KiB, MiB, GiB or TiB, like "64MiB"`,
    })
    return z.NEVER
  })

/** 1_572_864 -> "1.5 MiB" */
export function formatSize(bytes: number): string {
  const power = Math.min(binary.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${power === 0 ? value : value.toFixed(1)} ${binary[power]}`
}
