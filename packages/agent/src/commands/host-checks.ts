/** Every check of this host, with what it looks at. Order: the way to the receiver, this host's code and identity, its data, the machine, the site's own. */
import { join } from 'node:path'
import { build, checkout } from '@cis490/shared/node/build.ts'
import { lockHolder } from '@cis490/shared/node/lock-holder.ts'
import { gatePath } from '@cis490/shared/protocol.ts'
import { makeClient } from '../app.ts'
import { readFetchRecord } from '../certs/record.ts'
import type { AgentConfig } from '../config.ts'
import type { Answer } from '../core/answer.ts'
import type { Check } from '../doctor/check.ts'
import { certificate, certificateInUse, keyMode, type RenewalTrouble } from '../doctor/checks/certificate.ts'
import { clock } from '../doctor/checks/clock.ts'
import { cleanTree, commitInWindow } from '../doctor/checks/commit.ts'
import { configuration, configuredFiles } from '../doctor/checks/configuration.ts'
import { lastReceipt, outboxAge } from '../doctor/checks/delivery.ts'
import { disk } from '../doctor/checks/disk.ts'
import { diskTrend, inodes } from '../doctor/checks/disk-trend.ts'
import { episodesDeletable, episodesReadable } from '../doctor/checks/episodes.ts'
import { lastUpdate } from '../doctor/checks/last-update.ts'
import { pressure, runtime, watchLimit } from '../doctor/checks/machine.ts'
import { outboxCheck } from '../doctor/checks/outbox.ts'
import { receiverAuthorises } from '../doctor/checks/receiver-authorises.ts'
import { receiverTls, servedCertificate } from '../doctor/checks/receiver-tls.ts'
import { daemon, timers, timerUnits } from '../doctor/checks/services.ts'
import { shippingCheck } from '../doctor/checks/shipping.ts'
import { receiverConnects, receiverResolves } from '../doctor/checks/way.ts'
import { readFreeHistory } from '../doctor/disk-history.ts'
import { type Hello, hello } from '../doctor/hello.ts'
import { readLastUpdate } from '../doctor/last-update.ts'
import { siteChecks } from '../doctor/site-checks.ts'
import { showUnits } from '../doctor/systemd.ts'
import { listFolders } from '../episodes/scan.ts'
import { KnownReceipt, readRecords } from '../outbox/records.ts'
import { faultOf } from '../ship/faults.ts'
import { readLastBeat } from '../ship/heartbeat-file.ts'
import { loadIdentity } from '../ship/identity.ts'
import { gateOf } from './ask-gate.ts'
import { lockPath } from './context.ts'
import { noAuthority } from './enroll.ts'
import { heldBack } from './make-manners.ts'
import { type Summary, summarize } from './summary.ts'

export interface Subject {
  readonly config: AgentConfig
  readonly configFile: string
  /** What is wrong with it; then `config` is only there so that the checks have names. */
  readonly mistake?: string
  readonly now: () => number
}

/** Nothing is looked at before a check runs, but the folder of the site's checks. */
export async function hostChecks(subject: Subject): Promise<Check[]> {
  const { config, configFile, mistake } = subject
  const own = [...wayChecks(subject), ...identityChecks(subject), ...dataChecks(subject), ...machineChecks(subject)]
  const all = [...own, ...(await siteChecks(config.doctor.checks))]
  const first = configuration(configFile, mistake)
  // What stands at the beginning of a chain looks at what the configuration names; without one, nothing does.
  const needs = ({ depends_on }: Check) =>
    mistake === undefined && depends_on.length > 0 ? depends_on : [first.code, ...depends_on]
  return [first, ...all.map((check) => ({ ...check, depends_on: needs(check) }))]
}

/** Asked once, however many checks look at the answer. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => (asked ??= ask())
}

/** Milliseconds for one answer of the receiver, below the time of the checks that need it. */
const patience = 15_000

function wayChecks({ config, now }: Subject): Check[] {
  const { receiver } = config
  const { url, ca_file, token_file, receipt_keys_file } = receiver
  const greet = once<Hello>(() => hello({ url, path: gatePath(), ...identityOf(config) }, now, AbortSignal.timeout(patience)))
  const ask = once<Answer>(async () => {
    await using client = makeClient(config, { connections: 1, connectTimeout: 8000, idleTimeout: 10_000 })
    return await client.gate(build.commit ?? undefined, AbortSignal.timeout(patience))
  })
  const at = { where: new URL(url).host, tls: true, answeredBefore: false, certificate: receiver.cert_file !== '' }
  const explain = (error: unknown) => faultOf(error, at).message
  return [
    configuredFiles({
      'receiver.ca_file': ca_file,
      'receiver.token_file': token_file,
      'receiver.receipt_keys_file': receipt_keys_file,
    }),
    receiverResolves(url),
    receiverConnects(url),
    receiverTls({ url, hello: greet, explain }),
    servedCertificate({ url, hello: greet, now }),
    receiverAuthorises({ url, ask }),
    clock(greet),
    commitInWindow(build.commit, async () => gateOf(await ask())),
  ]
}

/** What there is of it: a broken certificate is the finding of another check. */
function identityOf(config: AgentConfig): { ca?: string; cert?: string; key?: string } {
  try {
    const { ca, cert, key } = loadIdentity(config.receiver, config.host.name)
    return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  } catch {
    return {}
  }
}

function identityChecks({ config, now }: Subject): Check[] {
  const { receiver, paths } = config
  return [
    certificate({ ...receiver, now, renewal: () => renewalTrouble(paths.state) }),
    keyMode(receiver),
    certificateInUse(receiver.cert_file, async () =>
      lockHolder(lockPath(config)) ? readLastBeat(paths.state)?.cert_not_after : undefined,
    ),
    cleanTree(checkout),
    lastUpdate(() => readLastUpdate(paths.state), now),
  ]
}

/** A receiver without a CA renews nothing, and that is no trouble. */
export function renewalTrouble(stateDir: string): RenewalTrouble | undefined {
  const record = readFetchRecord(stateDir)
  if (!record || record.failures === 0 || record.outcome === noAuthority) return undefined
  const { fingerprint, at, outcome: code, message = '', failing_since: since = at } = record
  return { fingerprint, since, code, message }
}

function dataChecks({ config, now }: Subject): Check[] {
  const { paths, quota } = config
  const folders = [paths.outbox, paths.episodes]
  // One look for all checks.
  const summary = once<Summary>(() => summarize(config, now()))
  const list = once(() => listFolders(paths.episodes))
  return [
    disk({ folders, reserve: quota.reserve, room: async () => (await summary()).room }),
    diskTrend({ folders, history: () => readFreeHistory(paths.state), now }),
    inodes(folders),
    episodesReadable(paths.episodes, list),
    episodesDeletable(paths.episodes, async () => (await list()).ids),
    outboxCheck(summary),
    outboxAge(async () => (await summary()).oldest_age_by_lane_s),
    lastReceipt(async () => {
      const receipts = await readRecords(join(paths.state, 'receipts.jsonl'), KnownReceipt)
      const last = [...receipts.values()].toSorted((a, b) => (a.received_at < b.received_at ? 1 : -1))[0]
      return { last, readyAge: (await summary()).oldest_age_by_lane_s.ready }
    }, now),
    shippingCheck(async () => {
      const recording = await summary().then(
        (found) => found.recording > 0,
        () => false,
      )
      return heldBack(config, now(), recording)
    }),
  ]
}

function machineChecks({ config, now }: Subject): Check[] {
  const services = timerUnits.map((name) => name.replace('.timer', '.service'))
  return [
    daemon(() => lockHolder(lockPath(config))),
    timers(() => showUnits([...timerUnits, ...services]), now),
    pressure(),
    runtime(process.version),
    watchLimit(config.paths.episodes),
  ]
}
