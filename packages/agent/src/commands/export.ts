/** `cis490-agent export DIR`: the waiting archives onto a stick, with a manifest that the host has signed. Nothing leaves the outbox. */
import { X509Certificate } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ExportManifest } from '@cis490/shared/export-manifest.ts'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import { type ExportPlan, planExport } from '../core/export-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { archiveName } from '../outbox/layout.ts'
import { readEntries } from '../outbox/read.ts'
import { KnownReceipt, readRecords } from '../outbox/records.ts'
import { certificateHost, loadIdentity } from '../ship/identity.ts'
import { ArchiveDamaged, ArchiveGone, HostFolder } from '../stick/stick.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { endOnSignal } from './signals.ts'

export function registerExport(program: Command): void {
  addCommand(
    program,
    'export <dir>',
    'copy the archives that wait onto a stick, to be carried to the receiver',
    defaultConfigFile,
  ).action(action(runExport))
}

interface Exported {
  readonly host: HostName
  readonly dir: string
  /** Copied now. */
  readonly copied: string[]
  readonly already_there: string[]
  readonly left_out: { id: string; reason: 'damaged' | 'delivered-meanwhile' }[]
  /** Copies that the receiver has given receipts for since the last export. */
  readonly removed: string[]
  bytes: number
}

async function runExport(dir: string, options: CommandOptions): Promise<number> {
  using ending = endOnSignal()
  const config = readConfig(options)
  const identity = signingIdentity(config)
  await requireFolder(dir)
  const folder = await HostFolder.open(dir, identity.host)
  const plan = await makePlan(config, folder)
  const done: Exported = {
    host: identity.host,
    dir: folder.path,
    copied: [],
    already_there: [],
    left_out: [],
    removed: [],
    bytes: 0,
  }
  // First of all, while there is room: should the stick be pulled out, what is whole on it can be imported.
  const write = (entries: typeof plan.entries) => folder.writeManifest(manifestOf(identity.host, entries), identity)
  await write(plan.entries).catch((error: unknown) => {
    throw cannotWrite(error, folder, done, plan)
  })
  for (const { file } of plan.delivered) {
    await folder.remove(file)
    done.removed.push(file)
  }
  const failure = await copyAll(config, plan, folder, done, ending.signal)
  const whole = new Set([...done.copied, ...done.already_there])
  if (whole.size < plan.entries.length)
    await write(plan.entries.filter(({ id }) => whole.has(id))).catch((error: unknown) => {
      if (failure === undefined) throw error
    })
  if (failure !== undefined) throw cannotWrite(failure, folder, done, plan)
  if (options.json) printJson(done)
  else process.stdout.write(describe(done))
  return done.left_out.some(({ reason }) => reason === 'damaged') ? exit.findings : exit.clean
}

/** Made where it is not there, as copying programs do; but not where sticks are mounted: there it would fill this host's own disk. */
async function requireFolder(dir: string): Promise<void> {
  const path = resolve(dir)
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return
  if (found || /^\/(media|mnt|run\/media)\//.test(path)) throw new UserError(`${dir} is no folder; is the stick mounted?`)
  await mkdir(path).catch((error: unknown) => {
    throw new UserError(`cannot make ${dir}: ${messageOf(error)}`)
  })
}

/** Who signs. @throws UserError, ConfigError */
function signingIdentity(config: AgentConfig): { host: HostName; key: string; cert: string } {
  const { cert, key } = loadIdentity(config.receiver, config.host.name)
  if (cert === undefined || key === undefined)
    throw new UserError(
      'an export is signed with the key of this host: set receiver.cert_file and receiver.key_file',
      exit.config,
    )
  const { validToDate } = new X509Certificate(cert)
  if (validToDate.getTime() < Date.now())
    throw new UserError(
      `${config.receiver.cert_file} expired on ${timestamp(validToDate.getTime())}: no receiver takes an export that is signed with it; put a new certificate there`,
    )
  return { host: certificateHost(cert, config.receiver.cert_file), cert, key }
}

async function makePlan(config: AgentConfig, folder: HostFolder): Promise<ExportPlan<Entry>> {
  const receipts = await readRecords(join(config.paths.state, 'receipts.jsonl'), KnownReceipt)
  const earlier = await folder.manifest()
  const waiting = (await readEntries(config.paths.outbox)).filter(({ id, sha256 }) => receipts.get(id)?.sha256 !== sha256)
  const named = earlier && 'manifest' in earlier ? earlier.manifest.entries : []
  return planExport(waiting, await folder.sizes(), named, ({ id, sha256 }) => receipts.get(id as Entry['id'])?.sha256 === sha256)
}

function manifestOf(host: HostName, entries: ExportPlan<Entry>['entries']): ExportManifest {
  return {
    format: 'cis490-export-1',
    host,
    created_at: timestamp(Date.now()),
    entries: entries.map(({ id, sha256, bytes, commit, schema_version, file }) => ({
      ...{ id, sha256, bytes },
      ...(commit !== undefined && { commit }),
      ...(schema_version !== undefined && { schema_version }),
      file,
    })),
  }
}

/** @returns what ended it early, if anything did */
async function copyAll(
  config: AgentConfig,
  plan: ExportPlan<Entry>,
  folder: HostFolder,
  done: Exported,
  signal: AbortSignal,
): Promise<unknown> {
  const total = plan.entries.reduce((sum, entry) => sum + (entry.there ? 0 : entry.bytes), 0)
  const progress = makeProgress({ label: 'exporting', total, stream: process.stderr })
  let moved = 0
  try {
    for (const entry of plan.entries) {
      if (entry.there) {
        done.already_there.push(entry.id)
        continue
      }
      const onBytes = (bytes: number) => {
        moved += bytes
        progress.update(moved)
      }
      const left = await folder
        .copy(join(config.paths.outbox, archiveName(entry.id)), entry.file, entry, onBytes, signal)
        .then(() => undefined, whyLeftOut)
      if (left) {
        done.left_out.push({ id: entry.id, reason: left })
        continue
      }
      done.copied.push(entry.id)
      done.bytes += entry.bytes
    }
    return undefined
  } catch (error) {
    return error
  } finally {
    progress.done()
  }
}

/** What is wrong with one archive is not wrong with the stick. */
function whyLeftOut(error: unknown): Exported['left_out'][number]['reason'] {
  if (error instanceof ArchiveDamaged) return 'damaged'
  if (error instanceof ArchiveGone) return 'delivered-meanwhile'
  throw error
}

function cannotWrite(error: unknown, folder: HostFolder, done: Exported, plan: ExportPlan<Entry>): UserError {
  const whole = done.copied.length + done.already_there.length
  const state = `${whole} of ${plan.entries.length} archives are whole on it and can be imported; run the export again for the rest`
  if (isErrno(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) return new UserError(`no room left in ${folder.path}: ${state}`)
  if (isErrno(error, 'ABORT_ERR') || (error instanceof Error && error.name === 'AbortError'))
    return new UserError(`interrupted: ${state}`)
  return new UserError(`cannot write to ${folder.path}: ${messageOf(error)}; ${state}`)
}

function describe(done: Exported): string {
  const left = done.left_out.map(({ id, reason }) => `left out ${id}: ${reason}\n`).join('')
  const counts = [
    `${done.copied.length} copied (${formatSize(done.bytes)})`,
    `${done.already_there.length} were there`,
    ...(done.removed.length > 0 ? [`${done.removed.length} delivered ones removed`] : []),
  ]
  return `${left}${done.host}: ${counts.join(', ')}: ${done.dir}\non the receiver: cis490-receiver import ${done.dir.slice(0, -done.host.length - 1)}\n`
}
