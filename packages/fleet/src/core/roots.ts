/** Out of all findings the few that deserve a line: one root a host, and one for the fleet where many hosts share it. */
import type { Symptom } from '@cis490/shared/alert.ts'
import { fleetRemedy } from './remedy.ts'
import type { Finding } from './rules.ts'

/** Host of an alert that is about the fleet. */
export const fleetHost = '*'

/** So many hosts at least, and at least half of the active ones, make a fault the fleet's. */
const fewestHosts = 3

export interface HostFindings {
  readonly host: string
  /** Most specific first. */
  readonly findings: readonly Finding[]
}

export interface Root {
  readonly host: string
  readonly severity: 'warning' | 'critical'
  readonly finding: Finding
  /** Symptoms that hold too and get no line of their own. */
  readonly inhibits: readonly Symptom[]
}

/** @param active hosts that shipped or tried to, the sick ones included */
export function findRoots(hosts: readonly HostFindings[], active: number): Root[] {
  const single = hosts.flatMap(hostRoot)
  const shared = [...new Set(single.map((root) => root.finding.symptom))].flatMap((symptom) => {
    const same = single.filter((root) => root.finding.symptom === symptom)
    return same.length >= fewestHosts && same.length * 2 >= active ? [fleetRoot(symptom, same, active)] : []
  })
  const isShared = (root: Root) => shared.some((one) => one.finding.symptom === root.finding.symptom)
  return [...shared, ...single.filter((root) => !isShared(root))]
}

function hostRoot({ host, findings: [finding, ...rest] }: HostFindings): Root[] {
  return finding ? [{ host, severity: 'warning', finding, inhibits: rest.map((one) => one.symptom) }] : []
}

function fleetRoot(symptom: Symptom, same: readonly Root[], active: number): Root {
  const codes = same.map((root) => root.finding.evidence['code']).filter((code) => typeof code === 'string')
  const cause = likelyCause(symptom, codes)
  return {
    host: fleetHost,
    severity: 'critical',
    inhibits: [...new Set(same.flatMap((root) => root.inhibits))],
    finding: {
      symptom,
      reason: (same[0] as Root).finding.reason,
      text: `${same.length} of ${active} active hosts are ${symptom} at once, so the fault is most likely not theirs: ${cause.text}`,
      evidence: {
        hosts: same.map((root) => root.host),
        active,
        cause: cause.look,
        ...(codes.length > 0 ? { codes: [...new Set(codes)] } : {}),
      },
      remedy: fleetRemedy(cause.look),
    },
  }
}

interface Cause {
  readonly look: 'receiver' | 'gate' | 'certificates'
  readonly text: string
}

function likelyCause(symptom: Symptom, codes: readonly string[]): Cause {
  const most = (prefix: string) => codes.filter((code) => code.startsWith(prefix)).length * 2 > codes.length
  if (symptom === 'silent')
    return {
      look: 'receiver',
      text: 'look at the way to the receiver (network, DNS, its address and certificate) and at the receiver itself',
    }
  if (symptom === 'unstamped')
    return { look: 'gate', text: 'a release of the recorder without commit stamp was rolled out, or a proxy drops the header' }
  if (most('commit-'))
    return { look: 'gate', text: 'the hosts were not updated, or the forge shows the gate a branch that is not the one they run' }
  if (most('certificate-')) return { look: 'certificates', text: 'the CA was changed or has expired, or a clock is wrong' }
  return { look: 'receiver', text: 'the configuration of the receiver or of a proxy before it was changed' }
}
