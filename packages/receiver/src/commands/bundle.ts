/** `cis490-receiver bundle add|list|remove`: what hosts without a registry update from, beside a receiver that works. */
import { existsSync, readFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { CommitSha, Sha256, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { printable } from '@cis490/shared/printable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { Bundles } from '../bundles/bundles.ts'
import { beginsAsZstd } from '../bundles/copy-hashed.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { type Bundle, bundleCommit, checksumIn } from '../core/bundle-plan.ts'
import { actAsOwner } from './as-owner.ts'

interface AddOptions extends CommonOptions {
  readonly commit?: string
  readonly sha256?: string
}

export function registerBundle(program: Command): void {
  const bundles = program.command('bundle').description('what hosts without a registry update from')
  addCommand(bundles, 'add <file>', 'serve what scripts/bundle.sh made, and forget the oldest', defaultConfigFile)
    .option('--commit <sha>', 'what it was made of, where its name does not say so')
    .option('--sha256 <hex>', 'its hash, where no .sha256 file lies beside it')
    .action(add)
  addCommand(bundles, 'list', 'what is served, the newest first', defaultConfigFile).action(list)
  addCommand(bundles, 'remove <commit>', 'serve it no longer', defaultConfigFile).action(remove)
}

function openBundles(config: ReceiverConfig, options: CommonOptions): Bundles {
  if (!existsSync(config.state_dir)) throw new UserError(`state_dir: ${config.state_dir} is not there; see ${options.config}`)
  return new Bundles(config.state_dir)
}

async function add(file: string, options: AddOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const bundles = openBundles(config, options)
  const commit = commitOf(file, options.commit)
  const sha256 = hashOf(file, options.sha256)
  // Opened by who asks: a file of his own need not be readable for the receiver's user.
  await using source = await openSource(file)
  if (!(await beginsAsZstd(source))) throw new UserError(`${printable(file)} is no zstd archive; scripts/bundle.sh makes one`)
  await actAsOwner(config.state_dir)
  using _lock = await locked(bundles)
  const progress = makeProgress({ label: 'copying', total: (await source.stat()).size, stream: process.stderr })
  const said = { commit, sha256, added_at: timestamp(Date.now()) }
  const added = await bundles.add(source, said, config.update.keep_bundles, (done) => progress.update(done))
  progress.done()
  if (added.kind === 'wrong-hash')
    throw new UserError(`${printable(file)} has the SHA-256 ${added.sha256}, not ${sha256}: copy it again`, exit.findings)
  if (added.kind === 'another-is-there')
    throw new UserError(
      `another bundle of ${commit} is served (${added.bundle.sha256}); first: cis490-receiver bundle remove ${commit}`,
      exit.findings,
    )
  const removed = added.kind === 'added' ? added.removed.map((one) => one.commit) : []
  if (options.json) printJson({ ...added.bundle, added: added.kind === 'added', removed })
  else if (added.kind === 'there-already') process.stdout.write(`${commit} is served already\n`)
  else process.stdout.write(`${[`${commit} is served`, ...removed.map((one) => `${one} is no longer`)].join('\n')}\n`)
}

async function list(options: CommonOptions): Promise<void> {
  const all = await openBundles(loadConfig(options.config, ReceiverConfig), options).list()
  if (options.json) printJson({ bundles: all })
  else process.stdout.write(`${[...all.map(lineOf), counted(all.length, 'bundle')].join('\n')}\n`)
}

async function remove(text: string, options: CommonOptions): Promise<void> {
  const config = loadConfig(options.config, ReceiverConfig)
  const bundles = openBundles(config, options)
  const commit = CommitSha.safeParse(text)
  if (!commit.success) throw new UserError(`${printable(text)}: ${commit.error.issues[0]?.message}`, exit.usage)
  await actAsOwner(config.state_dir)
  using _lock = await locked(bundles)
  const removed = await bundles.remove(commit.data)
  if (options.json) printJson({ commit: commit.data, removed })
  else process.stdout.write(removed ? `${commit.data} is no longer served\n` : `${commit.data} is not there\n`)
  process.exitCode = removed ? exit.clean : exit.findings
}

async function locked(bundles: Bundles): Promise<Disposable> {
  const lock = await bundles.lock()
  if (!lock) throw new UserError('another command adds or removes bundles: try again when it has ended')
  return lock
}

function commitOf(file: string, said: string | undefined): CommitSha {
  const commit = said === undefined ? bundleCommit(basename(file)) : CommitSha.safeParse(said).data
  if (commit !== undefined) return commit
  if (said !== undefined) throw new UserError(`--commit ${printable(said)}: a commit is 40 or 64 hexadecimal digits`, exit.usage)
  throw new UserError(`${printable(file)} is not called <commit>.tar.zst: say what it was made of with --commit`, exit.usage)
}

async function openSource(file: string): Promise<FileHandle> {
  return await open(file).catch((error: unknown) => {
    throw new UserError(`cannot read ${printable(file)}: ${messageOf(error)}`)
  })
}

function hashOf(file: string, said: string | undefined): Sha256 {
  if (said !== undefined) {
    const given = Sha256.safeParse(said)
    if (given.success) return given.data
    throw new UserError(`--sha256 ${printable(said)}: ${given.error.issues[0]?.message}`, exit.usage)
  }
  const found = checksumIn(readBeside(`${file}.sha256`), basename(file))
  if (found === undefined)
    throw new UserError(`${printable(file)}.sha256 does not say the hash of ${printable(basename(file))}: sha256sum makes one`)
  return found
}

function readBeside(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw new UserError(`cannot read ${printable(path)}: ${messageOf(error)}`)
    throw new UserError(`${printable(path)} is not there: bring it along, or say the hash with --sha256`)
  }
}

function lineOf({ commit, bytes, added_at, sha256 }: Bundle): string {
  return `${added_at}  ${commit}  ${formatSize(bytes).padEnd(10)} sha256 ${sha256}`
}
