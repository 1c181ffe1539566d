import { exitCodeOf, type Outcome, worstOutcome } from '@cis490/shared/check.ts'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { printable, printableLines } from '@cis490/shared/printable.ts'
import { gateRemediation } from '@cis490/shared/remediation.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test('only complete lines count; what follows the last newline is torn', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }).filter((line) => !/[\n\ufeff]/.test(line))),
      fc.string(),
      (lines, rest) => {
        const torn = rest.replaceAll('\n', '')
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join('') + torn)
        expect(splitLines(bytes)).toEqual({ lines, complete: bytes.length - Buffer.byteLength(torn) })
      },
    ),
  )
})

test.each([
  ['{"a":1}', { a: 1 }],
  [' {} ', {}],
  ['[]', undefined],
  ['null', undefined],
  ['"text"', undefined],
  ['7', undefined],
  ['{"a":1', undefined],
  ['{"a":1}{"b":2}', undefined],
  ['\0\0\0', undefined],
  ['', undefined],
])('%j as a JSON object is %j', (text, value) => {
  expect(parseObject(text)).toEqual(value)
})

test.each([
  ['colours', '\x1b[31mred\x1b[0m', '[31mred[0m'],
  ['a moved cursor', 'ok\r\x1b[2Kfail', 'ok[2Kfail'],
  ['a terminal title', '\x1b]0;owned\x07text', ']0;ownedtext'],
  ['an 8-bit escape', '\x9b31mred', '31mred'],
  ['a forged line', 'host\nERROR all is lost', 'hostERROR all is lost'],
  ['a line that only Unicode sees', 'a\u2028b\u2029c\u0085d', 'abcd'],
  ['NUL, backspace and delete', 'a\0b\bc\x7fd', 'abcd'],
])('hostile text loses %s', (_, text, expected) => {
  expect(printable(text)).toBe(expected)
})

test('words of any language stay as they are', () => {
  expect(printable('Größe 日本 🎥 "quoted"')).toBe('Größe 日本 🎥 "quoted"')
})

test('whatever comes, a printable text is one line without control characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(/\p{Cc}|\p{Zl}|\p{Zp}/u.test(printable(text))).toBe(false)
    }),
  )
})

test('a block keeps its lines, but not too many and none too long', () => {
  expect(printableLines('a\r\nb\x1b\nc')).toEqual(['a', 'b', 'c'])
  expect(printableLines('x\n'.repeat(1000))).toHaveLength(200)
  expect(printableLines('x\n'.repeat(9), 3)).toEqual(['x', 'x', 'x'])
  expect(printableLines('y'.repeat(5000))[0]).toHaveLength(2048)
})

test.each<[Outcome[], Outcome, number]>([
  [['pass', 'pass'], 'pass', 0],
  [['pass', 'warn'], 'warn', 0],
  [['warn', 'unknown'], 'unknown', 3],
  [['unknown', 'fail', 'pass'], 'fail', 1],
  [['skip', 'pass'], 'pass', 0],
  [['skip', 'skip'], 'unknown', 3],
  [[], 'unknown', 3],
])('of %j the worst is %s, exit code %i', (outcomes, worst, code) => {
  expect(worstOutcome(outcomes)).toBe(worst)
  expect(exitCodeOf(worstOutcome(outcomes))).toBe(code)
})

test('the remediation is three lines that can be pasted', () => {
  expect(gateRemediation()).toBe(
    'cd /opt/cis490 && sudo -u cis490 git pull origin main\n' +
      'sudo /opt/cis490/scripts/install-lab-host.sh\n' +
      'sudo systemctl restart cis490-orchestrator',
  )
})

test('path, branch and unit of the remediation come from the configuration', () => {
  const text = gateRemediation({ checkout: '/srv/rec', branch: 'stable', unit: 'rec-agent' })
  expect(text.split('\n')).toEqual([
    'cd /srv/rec && sudo -u cis490 git pull origin stable',
    'sudo /srv/rec/scripts/install-lab-host.sh',
    'sudo systemctl restart rec-agent',
  ])
})
