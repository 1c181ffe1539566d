import { createHash } from 'node:crypto'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { type HeaderRecord, isRefused, readClaim, stampedCommit } from '../../../packages/receiver/src/core/claim.ts'

const id = EpisodeId.parse('ep-1')
const hash = createHash('sha256').update('body')
const base64 = hash.copy().digest('base64')
const sha256 = hash.digest('hex')
const other = createHash('sha256').update('other').digest('base64')
const good: HeaderRecord = { 'x-content-sha256': sha256 }

function codeOf(headers: HeaderRecord): string {
  const claim = readClaim(id, headers)
  return isRefused(claim) ? claim.code : 'taken'
}

test.each<[string, HeaderRecord, string]>([
  ['only a hash', good, 'taken'],
  ['a hash in capitals and spaces', { 'x-content-sha256': ` ${sha256.toUpperCase()} ` }, 'taken'],
  ['no hash', {}, 'sha256-missing'],
  ['an empty hash', { 'x-content-sha256': '  ' }, 'sha256-missing'],
  ['a hash of 63 digits', { 'x-content-sha256': sha256.slice(1) }, 'sha256-malformed'],
  ['two hashes', { 'x-content-sha256': `${sha256}, ${sha256}` }, 'sha256-malformed'],
  ['the same digest twice over', { ...good, 'repr-digest': `sha-256=:${base64}:` }, 'taken'],
  ['the digest among others', { ...good, 'repr-digest': `md5=:abc=:, sha-256=:${base64}:` }, 'taken'],
  ['only digests of other kinds', { ...good, 'repr-digest': 'sha-512=:abc=:' }, 'taken'],
  ['another digest', { ...good, 'repr-digest': `sha-256=:${other}:` }, 'digest-disagree'],
  ['a digest that cannot be read', { ...good, 'repr-digest': 'sha-256=:short=:' }, 'digest-disagree'],
  ['a digest in hex', { ...good, 'repr-digest': `sha-256=${sha256}` }, 'digest-disagree'],
  ['a range', { ...good, 'content-range': 'bytes 0-1/2' }, 'partial-put'],
  ['a content encoding', { ...good, 'content-encoding': 'zstd' }, 'content-encoding'],
  ['the encoding identity', { ...good, 'content-encoding': 'Identity' }, 'taken'],
  ['a range, an encoding and no hash', { 'content-range': 'x', 'content-encoding': 'gzip' }, 'partial-put'],
  ['an encoding and no hash', { 'content-encoding': 'gzip' }, 'content-encoding'],
])('an upload with %s is judged in the order of the protocol', (_, headers, code) => {
  expect(codeOf(headers)).toBe(code)
})

test('what the headers say is read once', () => {
  const headers = {
    ...good,
    'x-cis490-code-commit': ' ABC ',
    'x-cis490-schema-version': ` ${'7'.repeat(200)}`,
    'content-length': '42',
    'user-agent': 'cis490-agent/1.2.3-rc.1 (linux)',
    'if-none-match': ' * ',
    expect: '100-Continue',
  }
  expect(readClaim(id, headers)).toEqual({
    id,
    sha256,
    stamp: 'ABC',
    length: 42,
    schemaVersion: '7'.repeat(128),
    agentVersion: '1.2.3-rc.1',
    ifNoneMatch: true,
    expectsContinue: true,
  })
})

test('what the headers leave out is left out', () => {
  expect(readClaim(id, { ...good, 'x-cis490-schema-version': ' ', 'user-agent': 'curl/8', 'if-none-match': '"x"' })).toEqual({
    id,
    sha256,
    stamp: undefined,
    length: undefined,
    schemaVersion: undefined,
    agentVersion: undefined,
    ifNoneMatch: false,
    expectsContinue: false,
  })
})

test.each([
  ['A'.repeat(40), 'a'.repeat(40)],
  ['v1.2', undefined],
  [undefined, undefined],
])('of the stamp %j the row gets the commit %j', (stamp, commit) => {
  expect(stampedCommit(stamp)).toBe(commit)
})
