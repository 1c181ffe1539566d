import { EpisodeMeta } from '@cis490/shared/episode.ts'
import { EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { type BackfillFacts, backfillReceipt } from '../../../packages/receiver/src/core/backfill.ts'

const commit = '0123456789abcdef0123456789abcdef01234567'
const host = (name: string) => HostName.parse(name)
const bare: BackfillFacts = {
  id: EpisodeId.parse('ep-1'),
  sha256: Sha256.parse('a'.repeat(64)),
  bytes: 10,
  mtime: Date.parse('2026-01-02T03:04:05.678Z'),
  meta: undefined,
  host: undefined,
  older: undefined,
}
const meta = (more: object) => EpisodeMeta.parse({ episode_id: 'ep-1', ...more })

test.each<[string, Partial<BackfillFacts>, string]>([
  ['nobody names the host', {}, 'host-unknown'],
  ['the operator names it', { host: host('op') }, 'op'],
  ['meta.json names it', { meta: meta({ host: 'LAB-7' }) }, 'lab-7'],
  ['the older row names it', { older: { host: host('row') } }, 'row'],
  ['row and operator differ', { older: { host: host('row') }, host: host('op') }, 'row'],
  ['meta.json and operator differ', { meta: meta({ host: 'lab-7' }), host: host('op') }, 'lab-7'],
  ['meta.json and row differ', { meta: meta({ host: 'lab-7' }), older: { host: host('row') } }, 'host-disagrees'],
  ['meta.json names something that is no host', { meta: meta({ host: '../x' }), host: host('op') }, 'op'],
])('when %s, the host is known or the reason is', (_, facts, expected) => {
  const verdict = backfillReceipt({ ...bare, ...facts })
  expect(verdict.kind === 'receipt' ? verdict.receipt.host : verdict.kind).toBe(expected)
})

test('bytes that are not what the older row says are left alone', () => {
  const older = { host: host('h'), sha256: Sha256.parse('b'.repeat(64)) }
  expect(backfillReceipt({ ...bare, older }).kind).toBe('hash-differs')
})

test('an archive of another episode is left alone', () => {
  expect(backfillReceipt({ ...bare, host: host('h'), meta: EpisodeMeta.parse({ episode_id: 'ep-2' }) }).kind).toBe('id-disagrees')
})

test('all that is known goes into the receipt, the older words first', () => {
  const facts = {
    ...bare,
    meta: meta({ schema_version: 3, code_version: { commit: commit.toUpperCase(), dirty: true } }),
    older: { host: host('h'), received_at: '2025-05-05T05:05:05.000Z', schema_version: '2' },
  }
  expect(backfillReceipt(facts)).toEqual({
    kind: 'receipt',
    receipt: {
      id: 'ep-1',
      host: 'h',
      sha256: 'a'.repeat(64),
      bytes: 10,
      commit,
      received_at: '2025-05-05T05:05:05.000Z',
      schema_version: '2',
      dirty: true,
      backfilled: true,
    },
  })
})

test('without an older row the time is the one of the file, and a stamp that is no commit is no commit', () => {
  const verdict = backfillReceipt({ ...bare, host: host('h'), meta: meta({ code_version: { commit: 'v1.2' } }) })
  expect(verdict).toMatchObject({ receipt: { received_at: '2026-01-02T03:04:05.678Z', backfilled: true } })
  expect(verdict).not.toHaveProperty('receipt.commit')
})
