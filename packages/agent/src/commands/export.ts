/** `cis490-agent export DIR`: the waiting archives onto a stick, with a manifest that the host has signed. Nothing leaves the outbox. */
import { X509Certificate } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import type { ExportPlan } from '../core/export-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import { certificateHost, loadIdentity } from '../ship/identity.ts'
import { HostFolder } from '../stick/stick.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { copyAll, type Exported, makePlan, manifestOf } from './export-archives.ts'
import { endOnSignal } from './signals.ts'

export function registerExport(program: Command): void {
  addCommand(
    program,
    'export <dir>',
    'copy the archives that wait onto a stick, to be carried to the receiver',
    defaultConfigFile,
  ).action(action(runExport))
}

async function runExport(dir: string, options: CommandOptions): Promise<number> {
  using ending = endOnSignal()
  const config = readConfig(options)
  const identity = signingIdentity(config)
  const made = await requireFolder(dir)
  const folder = await HostFolder.open(dir, identity.host)
  const plan = await makePlan(config, folder)
  const done: Exported = {
    host: identity.host,
    dir: folder.path,
    ...(made && { made_folder: true }),
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

/** Made where it is not there, as copying programs do; but not where sticks are mounted: there it would fill this host's own disk. @returns whether it was made */
async function requireFolder(dir: string): Promise<boolean> {
  const path = resolve(dir)
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return false
  if (found || /^\/(media|mnt|run\/media)\//.test(path)) throw new UserError(`${dir} is no folder; is the stick mounted?`)
  await mkdir(path).catch((error: unknown) => {
    throw new UserError(`cannot make ${dir}: ${messageOf(error)}`)
  })
  return true
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
  const made = done.made_folder ? 'the folder was not there and was made: is the stick mounted?\n' : ''
  return `${left}${made}${done.host}: ${counts.join(', ')}: ${done.dir}\non the receiver: cis490-receiver import ${done.dir.slice(0, -done.host.length - 1)}\n`
}
