/** Text from outside on its way to a terminal, a log or a journal: control characters go, so that it can neither move a cursor nor forge a line. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the purpose
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '')
}

/** The same for a block of several lines, each of its own, at most `maxLines` of at most 2 KiB. */
export function printableLines(text: string, maxLines = 200): string[] {
  return text
    .split('\n')
    .slice(0, maxLines)
    .map((line) => printable(line).slice(0, 2048))
}
