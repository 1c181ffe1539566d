import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Directive, directivesFor } from '@cis490/receiver/core/directives.ts'
import { RulesFile } from '@cis490/receiver/forge/rules-files.ts'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { expect, it } from 'vitest'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const id = (text: string) => EpisodeId.parse(text)

it.each<[string, Directive[], ReturnType<typeof directivesFor>]>([
  ['nothing is asked where no directive is', [], undefined],
  ['another host´s are not mine', [{ host: 'lab-08', pause: true }], undefined],
  ['the star is for all', [{ host: '*', pause: true }], { pause: true }],
  ['a pause that is false is none', [{ host: 'lab-07', pause: false }], undefined],
  ['one that has ended is none', [{ host: 'lab-07', pause: true, until: now }], undefined],
  ['it holds up to its end', [{ host: 'lab-07', pause: true, until: now + 1 }], { pause: true }],
  [
    'the lowest rate counts',
    [
      { host: '*', rate: 9000 },
      { host: 'lab-07', rate: 8000 },
    ],
    { rate: 8000 },
  ],
  [
    'what is wanted is wanted once, in the order of the file',
    [
      { host: 'lab-07', want: [id('b'), id('a')] },
      { host: '*', want: [id('a'), id('c')] },
    ],
    { want: [id('b'), id('a'), id('c')] },
  ],
])('%s', (_, all, asked) => expect(directivesFor(all, 'lab-07', now)).toEqual(asked))

it('the file is taken up when it changes, and what cannot be read leaves the last good one in force', () => {
  const path = join(scratchDir(), 'directives.toml')
  const captured = capturedLog()
  let clock = now
  const file = RulesFile.directives(path, captured.log, () => clock)
  const after = (toml: string) => {
    writeFileSync(path, toml)
    clock += 2000
    return directivesFor(file.current(), 'lab-07', clock)
  }
  expect(directivesFor(file.current(), 'lab-07', clock)).toBeUndefined()
  const paused = '[[directive]]\nhost = "*"\npause = true\nuntil = 2026-12-01\nreason = "moving"\nby = "ada"\n'
  expect(after(paused)).toEqual({ pause: true })
  expect(after('[[directive]]\nhost = "lab-07"\nrate = 0\n')).toEqual({ pause: true })
  expect(captured.at('error')).toMatchObject([{ path, reason: expect.stringContaining('rate') }])
  expect(after('')).toBeUndefined()
})
