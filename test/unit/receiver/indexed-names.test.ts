/** The quick way to an index row's name says the same as the careful one, or nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalName } from '../../../packages/receiver/src/core/canonical-name.ts'
import { indexedNames } from '../../../packages/receiver/src/store/indexed-names.ts'
import { scratchDir } from '../../support/scratch.ts'

const row = {
  id: 'walk-01',
  host: 'lab-07',
  sha256: 'a'.repeat(64),
  bytes: 4108,
  commit: 'b'.repeat(40),
  received_at: '2026-11-21T19:38:25.751Z',
  gate_position: 2,
  verdict: 'observe',
  schema_version: '1',
  dirty: true,
  cert_fingerprint: 'c'.repeat(64),
  agent_version: '0.1.0',
  seq: 7,
  prev: 'd'.repeat(64),
}

function careful(text: string): string | undefined {
  const read = IndexRow.safeParse(parseObject(text)).data
  const host = HostName.safeParse(read?.host).data
  const id = EpisodeId.safeParse(read?.id).data
  return host !== undefined && id !== undefined && host === read?.host ? `${host}/${id}` : undefined
}

it('a row as this receiver writes it is known quickly', () => {
  expect(canonicalName(JSON.stringify(row))).toBe('lab-07/walk-01')
  const { commit: _c, gate_position: _g, verdict: _v, dirty: _d, agent_version: _a, ...least } = row
  expect(canonicalName(JSON.stringify(least))).toBe('lab-07/walk-01')
})

it.each([
  ['two dots', { ...row, id: 'a..b' }],
  ['another type', { ...row, received_at: 5 }],
  ['an escape', { ...row, schema_version: 'a"b\\' }],
  ['a member that nobody knows', { ...row, host2: 'x' }],
  ['no place in the chain', { id: 'walk-01', host: 'lab-07' }],
])('%s: it is read with care', (_, odd) => expect(canonicalName(JSON.stringify(odd))).toBeUndefined())

it('whatever byte of a row is changed, left out or doubled, the quick way never says another name than the careful one', () => {
  const text = JSON.stringify(row)
  const change = fc.tuple(
    fc.nat(text.length - 1),
    fc.constantFrom('', '"', '\\', '}', ',', 'A', '.', '-', '0', ' ', '\u0001', 'é', '":"'),
    fc.boolean(),
  )
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let changed = text
      for (const [at, by, insert] of changes) changed = changed.slice(0, at) + by + changed.slice(insert ? at : at + 1)
      const quick = canonicalName(Buffer.from(changed).toString('latin1'))
      if (quick !== undefined) expect(quick).toBe(careful(changed))
    }),
    { numRuns: 3000 },
  )
})

it('both ways together, with a damaged row, an older one and a torn one', async () => {
  const file = join(scratchDir(), 'index.jsonl')
  const older = JSON.stringify({ id: 'old', host: 'lab-08', commit: null })
  writeFileSync(
    file,
    `${JSON.stringify(row)}\n{"id":"walk-02","host":\n${older}\n{"id":"x"}\n${JSON.stringify({ ...row, id: 'torn' })}`,
  )
  expect([...(await indexedNames(file))]).toEqual(['lab-07/walk-01', 'lab-08/old'])
  expect([...(await indexedNames(`${file}.missing`))]).toEqual([])
})
