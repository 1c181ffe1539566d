/** Items of structured header fields (RFC 9651). A value that does not parse, or is of another type, counts as not sent. */

const key = '[a-z*][a-z0-9_\\-.*]*'
const bareItem = [
  '-?[0-9]{1,12}\\.[0-9]{1,3}',
  '-?[0-9]{1,15}',
  '"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\["\\\\])*"',
  "[A-Za-z*][A-Za-z0-9!#$%&'*+\\-.^_`|~:/]*",
  ':[A-Za-z0-9+/=]*:',
  '\\?[01]',
  '@-?[0-9]{1,15}',
  '%"(?:[\\x20\\x21\\x23\\x24\\x26-\\x7e]|%[0-9a-f]{2})*"',
].join('|')
const parameters = new RegExp(`^(?:; *${key}(?:=(?:${bareItem}))?)*$`)

/** @returns true for `?1`, false for `?0` */
export function sfBoolean(value: string | undefined): boolean | undefined {
  const bare = bareValue(value)
  return bare === '?1' ? true : bare === '?0' ? false : undefined
}

/** A non-negative Integer; at most 15 digits, so that it is exact. */
export function sfCount(value: string | undefined): number | undefined {
  const bare = bareValue(value)
  return bare !== undefined && /^(?:[0-9]{1,15}|-0{1,15})$/.test(bare) ? Math.abs(Number(bare)) : undefined
}

/** The item without its parameters, which nobody here knows; undefined where those do not parse. */
function bareValue(value: string | undefined): string | undefined {
  const text = value?.replace(/^ +| +$/g, '')
  if (text === undefined) return undefined
  const at = text.indexOf(';')
  if (at < 0) return text
  return parameters.test(text.slice(at)) ? text.slice(0, at) : undefined
}
