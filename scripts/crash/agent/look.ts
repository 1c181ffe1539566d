/** What a lab host's disk has to hold, whatever happened: every recording somewhere, whole, and nothing half done. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { Finding, FindingKind, Place } from '../scenario.ts'
import { paths, type Recording, receiverPlace, recordingsOf } from './place.ts'

type Row = Record<string, unknown>
type Say = (kind: FindingKind, detail: string) => void

interface Seen {
  readonly place: Place
  readonly receipts: readonly Row[]
  readonly tombstones: readonly Row[]
  /** Rows of the receiver's index. */
  readonly stored: readonly Row[]
  readonly outbox: readonly string[]
}

/** @param drained everything was shipped that could be */
export function lookAtHost(place: Place, drained: boolean): Finding[] {
  const findings: Finding[] = []
  const say: Say = (kind, detail) => void findings.push({ kind, detail })
  const { outbox, state } = paths(place)
  const seen: Seen = {
    place,
    receipts: readJournal(join(state, 'receipts.jsonl'), say),
    tombstones: readJournal(join(state, 'tombstones.jsonl'), say),
    stored: readJournal(join(receiverPlace(place).disk, 'state/index.jsonl'), say),
    outbox: existsSync(outbox) ? readdirSync(outbox) : [],
  }
  readJournal(join(state, 'packed.jsonl'), say)
  // Opened, and mended, by the first one who has something to write into it.
  readJournal(join(state, 'history.jsonl'), (kind, detail) => detail.endsWith('half a row') || say(kind, detail))
  for (const name of seen.outbox)
    if (/\.(part|tmp)$/.test(name)) say('orphan', `outbox/${name} is left over`)
    else if (name.endsWith('.json') && !seen.outbox.includes(name.replace(/json$/, 'tar.zst')))
      say('orphan', `outbox/${name} has no archive`)
  for (const recording of recordingsOf(place)) {
    lookAtArchive(recording, seen, say)
    lookAtCopies(recording, seen, say)
    if (drained) lookAtEnd(recording, seen, say)
  }
  return findings
}

/** I1: under its name an archive is whole, it is what the folder packs to, and its sidecar says so. */
function lookAtArchive({ id, sha256 }: Recording, { place, outbox }: Seen, say: Say): void {
  if (!outbox.includes(`${id}.tar.zst`)) return
  const { outbox: dir } = paths(place)
  const hash = hashOf(join(dir, `${id}.tar.zst`))
  if (hash !== sha256) say('torn', `outbox/${id}.tar.zst is not what the episode packs to`)
  const sidecar = outbox.includes(`${id}.json`) ? parseObject(readFileSync(join(dir, `${id}.json`), 'utf8')) : undefined
  if (sidecar?.['sha256'] !== hash) say('torn', `outbox/${id}.json does not belong to its archive: ${JSON.stringify(sidecar)}`)
}

/** I4, I9: a recording is in its folder or in its archive, or a durable receipt or a tombstone says why not. */
function lookAtCopies(recording: Recording, { place, receipts, tombstones, stored, outbox }: Seen, say: Say): void {
  const { id, sha256 } = recording
  const known = receipts.filter((row) => row['id'] === id)
  if (new Set(known.map((row) => row['sha256'])).size > 1) say('two-hashes', `two receipts for ${id}`)
  const receipt = known[0]
  if (receipt && receipt['sha256'] !== sha256) say('two-hashes', `the receipt for ${id} is one for other bytes`)
  if (receipt && !stored.some((row) => row['id'] === id && row['sha256'] === sha256))
    say('lost', `there is a receipt for ${id}, and the receiver does not have it`)
  const copy = outbox.includes(`${id}.tar.zst`) || folderIsWhole(place, recording)
  if (!copy && !receipt && !tombstones.some((row) => row['id'] === id))
    say('lost', `${id} has no folder, no archive, no receipt and no tombstone`)
}

function folderIsWhole(place: Place, { id, files }: Recording): boolean {
  return [id, `.deleting-${id}`].some((name) =>
    Object.entries(files).every(([file, hash]) => hashOf(join(paths(place).episodes, name, file)) === hash),
  )
}

function lookAtEnd({ id, fate, sha256 }: Recording, { place, receipts, tombstones, stored, outbox }: Seen, say: Say): void {
  const rows = stored.filter((row) => row['id'] === id && row['sha256'] === sha256)
  if (rows.length > 1) say('duplicated', `the receiver has ${rows.length} rows for ${id}`)
  const sidecar = outbox.includes(`${id}.json`)
    ? parseObject(readFileSync(join(paths(place).outbox, `${id}.json`), 'utf8'))
    : undefined
  const receipt = receipts.some((row) => row['id'] === id)
  const buried = tombstones.some((row) => row['id'] === id)
  const is =
    (receipt && !sidecar && 'delivered') ||
    (buried && !sidecar && 'dropped') ||
    sidecar?.['lane'] ||
    (sidecar ? 'odd' : 'refused')
  // Nobody was told that it is dropped; then it is delivered.
  const fits = is === fate || (fate === 'dropped' && is === 'delivered')
  if (!fits) say('stuck', `${id} ends as ${is}, not as ${fate}: ${JSON.stringify(sidecar?.['last'])}`)
}

function readJournal(path: string, say: Say): Row[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  const torn = lines.pop()
  if (torn) say('torn', `${path} ends in half a row`)
  return lines.flatMap((line) => {
    const row = parseObject(line)
    if (!row) say('torn', `${path} has a row that is none: ${line.slice(0, 60)}`)
    return row ? [row] : []
  })
}

function hashOf(path: string): string | undefined {
  return existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined
}
