import { type GateQuestion, judge } from '@cis490/receiver/core/gate.ts'
import { CommitWindow } from '@cis490/receiver/core/window.ts'
import { CommitSha, HostName } from '@cis490/shared/ids.ts'
import { defaultRemediationWords, gateRemediation } from '@cis490/shared/remediation.ts'
import { describe, expect, it } from 'vitest'

const sha = (digit: string) => CommitSha.parse(digit.repeat(40))
const [head, second, oldest, old] = [sha('a'), sha('b'), sha('c'), sha('d')]
const window = CommitWindow.of([head, second, oldest], 100)
const host = HostName.parse('lab-07')
const waiver = { host, commits: [old], until: 2000, reason: 'good data', by: 'ada' }
const denial = (commit: CommitSha) => ({ commit, reason: 'wrong clock', by: 'ada' })
const words = defaultRemediationWords
const ordinary: GateQuestion = { stamp: head, host, window, mode: 'enforce', deny: [], waivers: [], now: 1000, words }

const remediation = gateRemediation()
const place = { remediation, head_commit: head, window: 100 }

describe('the version gate', () => {
  it.each<[sentence: string, change: Partial<GateQuestion>, verdict: object]>([
    ['lets in the head at position 1', {}, { kind: 'accept', commit: head, position: 1, behindBy: 0, head }],
    ['lets in the oldest of the window', { stamp: oldest }, { kind: 'accept', commit: oldest, position: 3, behindBy: 2, head }],
    ['reads a stamp in capitals', { stamp: 'B'.repeat(40) }, { kind: 'accept', commit: second, position: 2, behindBy: 1, head }],
    ['refuses no stamp', { stamp: undefined }, { code: 'commit-missing', members: { remediation } }],
    ['refuses an empty stamp as missing', { stamp: '' }, { code: 'commit-missing', members: { remediation } }],
    ['refuses 39 digits', { stamp: 'a'.repeat(39) }, { code: 'commit-malformed', members: { remediation } }],
    ['refuses 41 digits', { stamp: 'a'.repeat(41) }, { code: 'commit-malformed', members: { remediation } }],
    ['refuses a letter that is no digit', { stamp: 'g'.repeat(40) }, { code: 'commit-malformed', members: { remediation } }],
    ['refuses a stamp with spaces', { stamp: ` ${head}` }, { code: 'commit-malformed', members: { remediation } }],
    ['takes 64 digits as well-formed', { stamp: 'a'.repeat(64) }, { code: 'commit-not-in-window' }],
    ['refuses an old commit', { stamp: old }, { code: 'commit-not-in-window', members: { ...place, your_commit: old } }],
    ['asks to come back without a set', { window: undefined }, { code: 'gate-unavailable', members: { retry_after_s: 5 } }],
    ['refuses a missing stamp without a set too', { window: undefined, stamp: undefined }, { code: 'commit-missing' }],
    [
      'refuses a denied commit inside the window',
      { stamp: second, deny: [denial(second)] },
      { code: 'commit-denied', members: { ...place, your_commit: second, behind_by: 1 } },
    ],
    ['refuses a denied commit outside the window', { stamp: old, deny: [denial(old)] }, { code: 'commit-denied' }],
    ['never answers 412 without a set', { stamp: old, deny: [denial(old)], window: undefined }, { code: 'gate-unavailable' }],
    ['does not let a denial touch its neighbours', { deny: [denial(second)] }, { kind: 'accept', position: 1 }],
    [
      'lets in a waived commit and marks it',
      { stamp: old, waivers: [waiver] },
      { kind: 'accept', commit: old, head, mark: 'waiver' },
    ],
    [
      'lets in a waived commit without a set',
      { stamp: old, waivers: [waiver], window: undefined },
      { kind: 'accept', mark: 'waiver' },
    ],
    [
      'does not mark a waived commit that needs no waiver',
      { waivers: [{ ...waiver, commits: [head] }] },
      { kind: 'accept', commit: head, position: 1, behindBy: 0, head },
    ],
    [
      'does not take the waiver of another host',
      { stamp: old, waivers: [waiver], host: HostName.parse('lab-08') },
      { kind: 'refuse' },
    ],
    [
      'does not take a waiver where nothing names the host',
      { stamp: old, waivers: [waiver], host: undefined },
      { kind: 'refuse' },
    ],
    ['takes a waiver up to its last millisecond', { stamp: old, waivers: [waiver], now: 1999 }, { kind: 'accept' }],
    ['does not take a waiver from its end on', { stamp: old, waivers: [waiver], now: 2000 }, { code: 'commit-not-in-window' }],
    ['lets a denial beat a waiver', { stamp: old, waivers: [waiver], deny: [denial(old)] }, { code: 'commit-denied' }],
    ['observes an old commit', { mode: 'observe', stamp: old }, { kind: 'accept', commit: old, head, mark: 'observe' }],
    [
      'does not mark what it observes in the window',
      { mode: 'observe' },
      { kind: 'accept', commit: head, position: 1, behindBy: 0, head },
    ],
    ['observes a malformed stamp without keeping it', { mode: 'observe', stamp: 'x' }, { kind: 'accept', head, mark: 'observe' }],
    ['observes a missing stamp', { mode: 'observe', stamp: undefined }, { kind: 'accept', head, mark: 'observe' }],
    ['observes without a set', { mode: 'observe', window: undefined }, { kind: 'accept', commit: head, mark: 'observe' }],
    [
      'observes a denied commit and tells its place',
      { mode: 'observe', deny: [denial(head)] },
      { kind: 'accept', commit: head, position: 1, behindBy: 0, head, mark: 'observe' },
    ],
    [
      'keeps the mark of a waiver while it observes',
      { mode: 'observe', stamp: old, waivers: [waiver] },
      { kind: 'accept', mark: 'waiver' },
    ],
    ['keeps a stamp while it is off', { mode: 'off', stamp: old, deny: [denial(old)] }, { kind: 'accept', commit: old }],
    ['keeps no malformed stamp while it is off', { mode: 'off', stamp: 'x' }, { kind: 'accept' }],
  ])('%s', (_sentence, change, expected) => {
    expect(judge({ ...ordinary, ...change })).toMatchObject(expected)
  })

  it('gives no mark, no commit and no place that it should not', () => {
    expect(judge(ordinary)).toEqual({ kind: 'accept', commit: head, position: 1, behindBy: 0, head })
    expect(judge({ ...ordinary, waivers: [{ ...waiver, commits: [head] }] })).not.toHaveProperty('mark')
    expect(judge({ ...ordinary, mode: 'observe' })).not.toHaveProperty('mark')
    expect(judge({ ...ordinary, mode: 'observe', stamp: 'x' })).toEqual({ kind: 'accept', head, mark: 'observe' })
    expect(judge({ ...ordinary, mode: 'off', stamp: 'x' })).toEqual({ kind: 'accept' })
    expect(judge({ ...ordinary, mode: 'off', stamp: head })).toEqual({ kind: 'accept', commit: head })
  })

  it('names the branch, the checkout and the unit of the configuration in its remediation', () => {
    const verdict = judge({ ...ordinary, stamp: old, words: { checkout: '/srv/c', branch: 'prod', unit: 'rec' } })
    const lines = [
      'cd /srv/c && sudo -u cis490 git pull origin prod',
      'sudo /srv/c/scripts/install-lab-host.sh',
      'sudo systemctl restart rec',
    ]
    expect(verdict).toMatchObject({ kind: 'refuse', members: { remediation: lines.join('\n') } })
  })
})

describe('the commit window', () => {
  it('is nothing without a commit', () => expect(CommitWindow.of([], 100)).toBeUndefined())
  it('keeps the newest N, each once', () => {
    const short = CommitWindow.of([head, head, second, oldest], 2)
    expect(short?.commits).toEqual([head, second])
    expect(short?.position(second)).toBe(2)
    expect(short?.position(oldest)).toBeUndefined()
  })
  it('cannot be changed from outside', () => {
    const list = [head, second]
    const kept = CommitWindow.of(list, 100)
    list.push(oldest)
    expect(kept?.size).toBe(2)
    expect(Object.isFrozen(kept?.commits)).toBe(true)
  })
})
