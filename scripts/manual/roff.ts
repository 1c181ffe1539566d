/** Text as the man macros want it. */

/** Plain text: nothing in it is a command to roff. */
export function plain(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/[^\n -~]/gu, (letter) => `\\[u${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`)
  return escaped.replaceAll(/^(?=[.'])/gm, '\\&')
}

export function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`
}

export function italic(text: string): string {
  return `\\fI${plain(text)}\\fR`
}

/** A cell of one of the documents: code is bold, links are their text, and a link in brackets, which only leads on, goes. */
export function inline(markdown: string): string {
  const linked = markdown.replaceAll(/ ?\(\[[^\]]*\]\([^)]*\)\)/g, '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  const parts = linked.split(/(`[^`]+`|\*\*[^*]+\*\*|(?<!\w)\*[^*\s]+\*)/)
  const text = parts.map((part, k) => {
    if (k % 2 === 0) return plain(part)
    return part.startsWith('*') && !part.startsWith('**')
      ? italic(part.slice(1, -1))
      : bold(part.replaceAll(/^[`*]+|[`*]+$/g, ''))
  })
  return text.join('')
}

/** An entry of a list: what it is, and indented below, what it means. */
export function item(tag: string, text: string): string {
  return `.TP\n${tag}\n${text}`
}

/** A sentence begins with a capital and ends with a full stop. */
export function sentence(text: string): string {
  const begun = text.replace(/^[a-z]/, (letter) => letter.toUpperCase())
  return /[.?!]$/.test(begun) ? begun : `${begun}.`
}
