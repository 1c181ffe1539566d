/** `cis490-receiver import DIR`: episodes from a stick, by the running receiver where there is one, by the way of every upload. */
import { basename, join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError, loadConfig } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { type Logger, makeLogger } from '@cis490/shared/node/log.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { receiptKeysPath } from '@cis490/shared/protocol.ts'
import type { Command } from 'commander'
import { AdminClient } from '../admin/client.ts'
import { startReceiver } from '../app.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { PeerCheck } from '../http/peer.ts'
import { exportPeerOptions } from '../material.ts'
import { certificateRecords } from '../open-ca.ts'
import { isFolder, listExports, writeReceiptKeys } from '../stick/exports.ts'
import { StoreLayout } from '../store/layout.ts'
import { importExport, type VerifiedExport, verifyExport } from './import-export.ts'
import { describeImport, type HostResult, type ImportResult, importExit, tally } from './import-result.ts'

interface ImportOptions extends CommonOptions {
  readonly host?: string
}

export function registerImport(program: Command): void {
  addCommand(program, 'import <dir>', 'take in what hosts have exported to a stick', defaultConfigFile)
    .option('--host <name>', 'this host alone')
    .action(run)
}

async function run(dir: string, options: ImportOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const only = options.host === undefined ? undefined : HostName.safeParse(options.host)
  if (only && !only.success) throw new UserError(`--host ${options.host}: ${only.error.issues[0]?.message}`, exit.usage)
  if (!(await isFolder(dir))) throw new UserError(`${dir} is no folder; is the stick mounted?`)
  const log = makeLogger(process.stderr, 'warn')
  const peers = new PeerCheck({ ...exportPeerOptions(config), ...(await certificateRecords(config)), log })
  const folders = await listExports(dir)
  const result: ImportResult = { hosts: [], refused_exports: [] }
  const verified: VerifiedExport[] = []
  for (const name of folders) {
    const found = await verifyExport(join(dir, name), peers, Date.now())
    if (!('fault' in found)) verified.push(found)
    else if (only?.data === undefined || name === only.data) result.refused_exports.push({ folder: name, ...found })
  }
  const wanted = verified.filter(({ host }) => only?.data === undefined || host === only.data)
  if (wanted.length === 0 && result.refused_exports.length === 0)
    throw new UserError(`no export${only?.data === undefined ? '' : ` of ${only.data}`} lies in ${dir}`)
  const failure =
    wanted.length === 0 ? undefined : await withReceiver(config, log, (client) => importAll(dir, wanted, client, result))
  if (options.json) printJson(result)
  else process.stdout.write(describeImport(result, dir))
  if (failure !== undefined)
    throw new UserError(`stopped: ${messageOf(failure)}; what is stored has its receipt: run the import again`)
  process.exitCode = importExit(result)
}

/** The one that runs, else one of our own that hosts do not see. */
async function withReceiver<T>(config: ReceiverConfig, log: Logger, use: (client: AdminClient) => Promise<T>): Promise<T> {
  const client = new AdminClient(new StoreLayout(config.state_dir).admin)
  if (await client.answers().catch(cannotConnect)) return await use(client)
  const own = await startReceiver(config, log, 'operator')
  try {
    return await use(client)
  } finally {
    await own.stop(false)
  }
}

function cannotConnect(error: unknown): never {
  throw new UserError(`cannot reach the running receiver: ${messageOf(error)}; run this as its user or as root`)
}

/** @returns what ended it early, if anything did */
async function importAll(
  dir: string,
  exports: readonly VerifiedExport[],
  client: AdminClient,
  result: ImportResult,
): Promise<unknown> {
  const total = exports.reduce((sum, { manifest }) => sum + manifest.entries.reduce((bytes, one) => bytes + one.bytes, 0), 0)
  const progress = makeProgress({ label: 'importing', total, stream: process.stderr })
  const ended = new AbortController()
  const end = () => ended.abort(new Error('interrupted'))
  process.once('SIGINT', end).once('SIGTERM', end)
  let finished = 0
  let read = 0
  try {
    for (const one of exports) {
      const told: HostResult = {
        host: one.host,
        folder: basename(one.folder),
        stored: 0,
        already: 0,
        refused: [],
        later: [],
        missing: [],
      }
      result.hosts.push(told)
      await importExport(one, {
        dir,
        client,
        signal: ended.signal,
        told: (entry, outcome) => {
          tally(told, entry.id, outcome)
          finished += entry.bytes
          read = 0
          progress.update(finished)
        },
        onBytes: (bytes) => {
          read += bytes
          progress.update(Math.min(total, finished + read))
        },
      })
    }
    await writeReceiptKeys(dir, (await client.ask('GET', receiptKeysPath)).body)
    return undefined
  } catch (error) {
    if (error instanceof ConfigError) throw error
    return error
  } finally {
    progress.done()
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}
