/** The end of every receiver point: start anew, look, let every client finish, look again. */
import { type FsckResult, fsck } from '../../../packages/receiver/src/store/fsck.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import type { Checked, Fault, Finding, Place, Tell, Told } from '../scenario.ts'
import { type Client, clientHost } from './client.ts'
import { type Allowed, lookAtStore, type Sent } from './look.ts'
import { bodiesOf, stateDir, withReceiver } from './place.ts'

export interface ReceiverCheck extends Allowed {
  /** What clients do when they do not know what became of their uploads: everything again. Every expected status is a must. */
  again?(place: Place, client: Client, tell: Tell): Promise<void>
  /** After a fault an upload may have been thrown away, and whoever goes on with it is told so. */
  readonly goneAfterFault?: boolean
  /** What is promised besides episodes, asked of the receiver that runs again. @param checked with all that was told so far */
  look?(client: Client, state: string, checked: Checked): Promise<Finding[]>
}

export async function checkReceiver(
  place: Place,
  checked: Checked,
  { again, look: lookMore, goneAfterFault = false, ...allowed }: ReceiverCheck,
): Promise<Finding[]> {
  const sent: Sent[] = bodiesOf(place)
  const told: Told[] = [...checked.told]
  const look = async () => [
    ...lookAtStore(stateDir(place), clientHost, sent, told, allowed),
    ...fsckFindings(await fsck(new StoreLayout(stateDir(place)), { verifyHashes: true })),
  ]
  const findings = wrongStatuses(checked.told, checked.fault, goneAfterFault)
  await withReceiver(place, async (client) => {
    findings.push(...(await look()), ...((await lookMore?.(client, stateDir(place), { ...checked, told })) ?? []))
    const answers: Told[] = []
    await again?.(place, client, (answer) => answers.push(answer))
    told.push(...answers)
    for (const { detail } of wrongStatuses(answers, undefined, false))
      findings.push({ kind: 'stuck', detail: `afterwards: ${detail}` })
  })
  if (again !== undefined) findings.push(...(await look()))
  return findings
}

/** After a fault: the status that the fault has, or, once the store is in doubt, the one of a receiver that goes. */
function wrongStatuses(told: readonly Told[], fault: Fault | undefined, gone: boolean): Finding[] {
  return told
    .filter(({ kind }) => kind === 'answer')
    .flatMap(({ id, status, expected, code }) => {
      const fits = (Array.isArray(expected) ? expected : [expected]).includes(status)
      const fitsFault =
        fault !== undefined &&
        (status === statusOf[fault.errno] || code === 'shutting-down' || (gone && (status === 404 || status === 410)))
      if (fits || fitsFault) return []
      return [{ kind: 'wrong-status' as const, detail: `${id}: ${status} ${code ?? ''}, not ${expected}` }]
    })
}

const statusOf = { ENOSPC: 507, EMFILE: 503, EIO: 500, EROFS: 500 } as const

function fsckFindings({ findings }: FsckResult): Finding[] {
  const kinds: Record<string, Finding['kind']> = {
    'torn-tail': 'torn',
    'damaged-row': 'torn',
    'broken-chain': 'torn',
    'wrong-size': 'torn',
    'wrong-hash': 'torn',
    'duplicate-row': 'duplicated',
    'row-without-archive': 'lost',
  }
  return findings.map(({ kind, at, detail }) => ({ kind: kinds[kind] ?? 'orphan', detail: `fsck: ${kind} ${at}: ${detail}` }))
}
