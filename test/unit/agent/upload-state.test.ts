import { describe, expect, test } from 'vitest'
import { expectedOffset, isUploadPath, uploadPath, uploadState } from '../../../packages/agent/src/core/upload-state.ts'

const said = (more: Record<string, string> = {}) => ({ 'upload-offset': '5', 'upload-complete': '?0', ...more })

describe('uploadState', () => {
  test('reads what the receiver says', () => {
    const prefix = 'A'.repeat(64)
    const headers = said({
      'upload-length': '10',
      'x-cis490-prefix-sha256': prefix,
      'upload-limit': 'max-size=64, max-append-size=7;q, max-age=3600',
    })
    expect(uploadState(headers)).toEqual({
      offset: 5,
      complete: false,
      length: 10,
      prefixSha256: prefix.toLowerCase(),
      maxAppend: 7,
    })
  })

  test.each([
    ['no offset', { 'upload-complete': '?0' }],
    ['no completeness', { 'upload-offset': '5' }],
    ['a negative offset', said({ 'upload-offset': '-5' })],
    ['an offset with a fraction', said({ 'upload-offset': '5.0' })],
    ['two offsets', said({ 'upload-offset': '5, 6' })],
    ['an offset of 16 digits', said({ 'upload-offset': '1000000000000000' })],
    ['a word for completeness', said({ 'upload-complete': 'true' })],
    ['two completenesses', said({ 'upload-complete': '?0, ?1' })],
  ])('%s is no state', (_, headers) => {
    expect(uploadState(headers as Record<string, string>)).toBeUndefined()
  })

  test.each([
    ['a length that is no number', { 'upload-length': 'ten' }],
    ['a prefix that is no hash', { 'x-cis490-prefix-sha256': 'abc' }],
    ['a limit that is no number', { 'upload-limit': 'max-append-size=many' }],
  ])('%s counts as absent', (_, headers) => {
    expect(uploadState(said(headers))).toEqual({ offset: 5, complete: false })
  })
})

describe('expectedOffset', () => {
  const answer = { kind: 'answer', status: 409, body: '', headers: {} } as const
  test('is what the problem says, else the header', () => {
    const problem = { type: '', title: '', status: 409, detail: '', code: 'mismatching-upload-offset' } as const
    expect(expectedOffset({ ...answer, problem: { ...problem, 'expected-offset': 7 }, headers: said() })).toBe(7)
    expect(expectedOffset({ ...answer, problem, headers: said() })).toBe(5)
    expect(expectedOffset({ ...answer, problem })).toBeUndefined()
  })
})

const elsewhere = 'https://evil.example'

describe('the path of an upload', () => {
  const origin = 'https://receiver.lab:8443'
  const u = '/v1/uploads/0123456789abcdefABCDEF_-'

  test.each([
    ['a path', u, '', u],
    ['our own origin', origin + u, '', u],
    ['behind a path of a proxy', `/cis490${u}`, '/cis490', u],
    ['a proxy that does not rewrite it', u, '/cis490', u],
  ])('%s is followed', (_, location, base, path) => {
    expect(uploadPath(location, origin, base)).toBe(path)
  })

  test.each([
    ['nothing', undefined],
    ['another host', `${elsewhere}${u}`],
    ['another port', `https://receiver.lab:9443${u}`],
    ['another scheme', `http://receiver.lab:8443${u}`],
    ['a host without scheme', `${elsewhere.slice('https:'.length)}${u}`],
    ['another route', '/v1/episodes/ep-1.tar.zst'],
    ['a path that climbs', '/v1/uploads/../episodes/0123456789abcdef'],
    ['a query', `${u}?x=1`],
    ['a name that can be guessed', '/v1/uploads/1'],
    ['a slash more', `${u}/x`],
  ])('%s is not', (_, location) => {
    expect(uploadPath(location, origin, '')).toBeUndefined()
  })

  test('one that a sidecar holds is looked at too', () => {
    expect([u, elsewhere, '/v1/uploads/', '/v1/episodes/x'].map(isUploadPath)).toEqual([true, false, false, false])
  })
})
