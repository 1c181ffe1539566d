/** `cis490-agent show ID [--file F]`: what an archive of the outbox holds, or one file of it, without unpacking the rest. */
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { nearest } from '@cis490/shared/nearest.ts'
import { addCommand, beginOutput, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { defaultConfigFile } from '../config.ts'
import { ArchiveReader, ArchiveUnreadable } from '../episodes/archive-reader.ts'
import { type ArchiveEntry, tarEntries } from '../episodes/tar-entries.ts'
import { shownPath } from '../episodes/tree.ts'
import { archiveName } from '../outbox/layout.ts'
import { action, type CommandOptions, readConfig } from './context.ts'

interface ShowOptions extends CommandOptions {
  readonly file?: string
}

export function registerShow(program: Command): void {
  addCommand(program, 'show <id>', 'the entries of an archive that waits in the outbox, or one file of it', defaultConfigFile)
    .option('--file <path>', 'print this file to stdout as it is; only the part of the archive that holds it is unpacked')
    .action(action(runShow))
}

async function runShow(text: string, options: ShowOptions): Promise<number> {
  const id = EpisodeId.safeParse(text)
  if (!id.success) throw new UserError(`"${printable(text)}" is no episode id: ${id.error.issues[0]?.message}`, exit.usage)
  if (options.file !== undefined && options.json)
    throw new UserError('--json lists the entries, --file prints the bytes of one: give one of them', exit.usage)
  const { paths } = readConfig(options)
  const path = join(paths.outbox, archiveName(id.data))
  using archive = openArchive(path, id.data)
  try {
    if (options.file === undefined) await list(id.data, path, archive, options.json === true)
    else await printFile(id.data, archive, options.file)
  } catch (error) {
    if (error instanceof ArchiveUnreadable) throw new UserError(`cannot read ${path}: ${error.message}`)
    throw error
  }
  return exit.clean
}

function openArchive(path: string, id: EpisodeId): ArchiveReader {
  try {
    return new ArchiveReader(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw new UserError(
      `${id} has no archive in the outbox: "cis490-agent outbox list" shows what waits, "cis490-agent why ${id}" where it is`,
      exit.findings,
    )
  }
}

async function list(id: EpisodeId, archive: string, reader: ArchiveReader, json: boolean): Promise<void> {
  const entries = tarEntries(reader)
  if (json) printJson({ id, archive, entries: [...entries.map((entry) => describe(id, entry))] })
  else await print(entries.map((entry) => `${line(id, entry)}\n`))
}

function describe(id: EpisodeId, { name, type, mode, size, mtime, target }: ArchiveEntry) {
  return {
    path: pathOf(id, name),
    type,
    ...(type === 'file' && { bytes: size }),
    mode: mode.toString(8).padStart(4, '0'),
    mtime: timestamp(Math.floor(mtime * 1000)),
    ...(type === 'link' && { target: shownPath(target) }),
  }
}

function line(id: EpisodeId, entry: ArchiveEntry): string {
  const { path, type, bytes, mode, mtime, target } = describe(id, entry)
  const shown = target === undefined ? path : `${path} -> ${target}`
  return `${mode}  ${mtime}  ${String(type === 'file' ? bytes : type).padStart(13)}  ${printable(shown)}`
}

/** Below the episode's folder. */
function pathOf(id: EpisodeId, name: string): string {
  const path = shownPath(name)
  return path.startsWith(`${id}/`) ? path.slice(id.length + 1) : path
}

async function printFile(id: EpisodeId, archive: ArchiveReader, asked: string): Promise<void> {
  const wanted = pathOf(id, Buffer.from(asked).toString('latin1'))
  const seen = new Set<string>()
  for (const entry of tarEntries(archive)) {
    const path = pathOf(id, entry.name)
    if (path === wanted && entry.type === 'file') return await print(bytesOf(archive, entry))
    if (path === wanted || path === `${wanted}/`) throw notPlain(path, entry)
    if (entry.type === 'file') seen.add(path)
  }
  const close = nearest(wanted, seen).map((path) => printable(path))
  throw new UserError(
    `${id} holds no file "${printable(wanted)}"${close.length > 0 ? `; did you mean ${close.join(' or ')}?` : ''}; "cis490-agent show ${id}" lists what it holds`,
    exit.findings,
  )
}

function notPlain(path: string, { type, target }: ArchiveEntry): UserError {
  const what = type === 'link' ? `a link to ${printable(shownPath(target))}` : 'a folder'
  return new UserError(`"${printable(path)}" is ${what}; --file takes a plain file`, exit.findings)
}

async function print(pieces: Iterable<Buffer | string>): Promise<void> {
  beginOutput()
  try {
    await pipeline(Readable.from(pieces, { objectMode: false }), process.stdout, { end: false })
  } catch (error) {
    // Whoever reads has enough: head, or a pager that was left.
    if (!isErrno(error, 'EPIPE')) throw error
  }
}

function* bytesOf(archive: ArchiveReader, { at, size }: ArchiveEntry): Generator<Buffer> {
  for (let done = 0; done < size; ) {
    const bytes = archive.read(at + done, size - done)
    if (bytes.length === 0) throw new ArchiveUnreadable('it ends too early')
    done += bytes.length
    yield bytes
  }
}
