/** The code of this host: where its commit stands in the gate's window, and whether it is that commit at all. */
import { counted } from '@cis490/shared/counted.ts'
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { git } from '@cis490/shared/node/git.ts'
import { printable } from '@cis490/shared/printable.ts'
import { gateRemediation } from '@cis490/shared/remediation.ts'
import type { Check, Finding } from '../check.ts'

const update = `${gateRemediation().replaceAll('\n', ' && ')}`

/** @param running null: there is no git history here. @param ask undefined: no usable answer */
export function commitInWindow(running: string | null, ask: () => Promise<GateAnswer | undefined>): Check {
  return {
    code: 'commit',
    title: 'The code of this host is in the window',
    severity: 'critical',
    timeout: 20_000,
    depends_on: ['receiver-authorises'],
    remedy: update,
    run: async () => {
      const gate = await ask()
      if (gate === undefined) return { outcome: 'unknown', text: "the receiver's answer about the gate is not understood" }
      if (gate.mode === 'off') return { outcome: 'skip', text: 'the gate is off' }
      if (running === null)
        return {
          outcome: 'warn',
          text: 'no git history says which commit this is',
          remedy: 'sudo scripts/install-lab-host.sh in a git checkout, after sudo mv /opt/cis490 /opt/cis490.before',
        }
      return judgeCommit(running, gate)
    },
  }
}

/** The last fifth of the window is told in time: the next commits push it out. */
export function judgeCommit(commit: string, gate: GateAnswer): Finding {
  const { mode, window, position, verdict, code } = gate
  const head = gate.head_commit ?? gate.head
  const short = commit.slice(0, 12)
  const behind = position === undefined ? {} : { position, behind_by: position - 1 }
  const data = { commit, head, mode, window, verdict, ...(code === undefined ? {} : { code }), ...behind }
  if (verdict === 'refuse') {
    const remedy = gate.remediation ? printable(gate.remediation.trim().replaceAll('\n', ' && ')) : update
    return {
      outcome: 'fail',
      text: `${short} is not let in (${code ?? 'refused'}; window: ${window} commits of ${gate.branch}): its episodes are refused`,
      data,
      remedy,
    }
  }
  if (verdict !== 'accept') return { outcome: 'unknown', text: 'the receiver does not know the history itself yet', data }
  if (position === undefined && mode === 'observe')
    return {
      outcome: 'warn',
      text: `${short} is not one of the last ${window} commits of ${gate.branch}; the gate only observes, and lets it in`,
      data,
    }
  if (position === undefined) return { outcome: 'pass', text: `${short} is let in by a waiver`, data }
  const perfdata = [`behind_by=${position - 1}`]
  if (position > 1 && position > window * 0.8)
    return {
      outcome: 'warn',
      text: `${short} is ${counted(position - 1, 'commit')} behind and leaves the window of ${window} soon`,
      data,
      perfdata,
    }
  return {
    outcome: 'pass',
    text: position === 1 ? `${short} is the newest` : `${short} is ${position - 1} behind of ${window}`,
    data,
    perfdata,
  }
}

export function cleanTree(checkout: string): Check {
  return {
    code: 'tree',
    title: 'The checkout is as it was committed',
    severity: 'warning',
    timeout: 15_000,
    depends_on: [],
    remedy: `git -C ${checkout} diff shows what was changed; sudo -u cis490 git -C ${checkout} restore --staged --worktree . takes it back`,
    run: async () => {
      const inside = await git(checkout, ['rev-parse', '--show-toplevel']).catch(() => undefined)
      if (inside === undefined) return { outcome: 'skip', text: `${checkout} is no git checkout` }
      const changed = (await git(checkout, ['status', '--porcelain=v1', '-z', '--untracked-files=no', '--no-renames']))
        .split('\0')
        .filter(Boolean)
        .map((line) => line.slice(3))
      const [first] = changed
      if (first === undefined) return { outcome: 'pass', text: checkout, data: { checkout } }
      return {
        outcome: 'warn',
        text: `${counted(changed.length, 'file')} of ${checkout} changed, first ${first}: the commit does not say what runs here`,
        data: { checkout, changed: changed.slice(0, 20), count: changed.length },
      }
    },
  }
}
