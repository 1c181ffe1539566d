/** Reads a store at rest with eyes of its own: what is promised is held against plain files, not against the product's word. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Finding, Told } from '../scenario.ts'

export interface Sent {
  readonly id: string
  readonly sha256: string
  readonly commit: string | undefined
}

type Row = Record<string, unknown>

const expectedFiles = [
  /^(receiver|prunes|taints)\.lock(-journal|-wal|-shm)?$/,
  /^index\.jsonl$/,
  /^rejects\.jsonl(\.\d+)?$/,
  /^taints\.jsonl$/,
  /^heartbeats\.jsonl$/,
  /^(prunes|losses|revoked)\.jsonl$/,
  /^gate-cache\.json$/,
  /^receipt-key[^/]*$/,
  /^admin\.sock$/,
  /^events\/[^/]+\.jsonl$/,
  /^host-health\/[^/]+\.json$/,
  /^report-journal\/\d+\.jsonl$/,
  /^episodes\/[^/]+\/[0-9a-f]{2}\/[^/]+(\.tar\.zst|\.json)$/,
]

export interface Allowed {
  /** Files that may be there though no episode needs them yet: upload resources that still run. */
  readonly also?: readonly RegExp[]
}

/** @param sent every archive that was ever sent under an id @param told what the clients were told */
export function lookAtStore(
  state: string,
  host: string,
  sent: readonly Sent[],
  told: readonly Told[],
  allowed: Allowed = {},
): Finding[] {
  const rows = readRows(join(state, 'index.jsonl'))
  const files = filesBelow(state).map((path) => relative(state, path))
  return [
    ...rows.findings,
    ...duplicates(rows.rows),
    ...(['rejects.jsonl', 'events/receiver.jsonl', 'taints.jsonl', 'prunes.jsonl', 'losses.jsonl'] as const).flatMap(
      (name) => readRows(join(state, name)).findings,
    ),
    ...acknowledged(state, host, rows.rows, told),
    ...twoHashes(told),
    ...stored(state, host, rows.rows, files, sent, prunedIds(state)),
    ...files
      .filter((name) => ![...expectedFiles, ...(allowed.also ?? [])].some((pattern) => pattern.test(name)))
      .map((name) => ({ kind: 'orphan' as const, detail: `${name} is left over` })),
  ]
}

function readRows(path: string): { rows: Row[]; findings: Finding[] } {
  if (!existsSync(path)) return { rows: [], findings: [] }
  const lines = readFileSync(path, 'utf8').split('\n')
  const tail = lines.pop() ?? ''
  const findings: Finding[] = tail === '' ? [] : [{ kind: 'torn', detail: `${path} ends inside a row` }]
  const rows = lines.flatMap((line, k) => {
    try {
      return [JSON.parse(line) as Row]
    } catch {
      findings.push({ kind: 'torn', detail: `${path}:${k + 1} is no row: ${JSON.stringify(line.slice(0, 40))}` })
      return []
    }
  })
  return { rows, findings }
}

function duplicates(rows: readonly Row[]): Finding[] {
  const seen = new Set<string>()
  return rows.flatMap((row) => {
    const key = `${row['host']}/${row['id']}`
    if (!seen.has(key)) return seen.add(key) && []
    return [{ kind: 'duplicated' as const, detail: `${key} has a second row` }]
  })
}

function acknowledged(state: string, host: string, rows: readonly Row[], told: readonly Told[]): Finding[] {
  return told.filter(isAcknowledged).flatMap(({ id, sha256, commit }) => {
    const findings: Finding[] = []
    const row = rows.find((one) => one['id'] === id && one['host'] === host)
    const archive = archivePath(state, host, String(id))
    if (!row) findings.push({ kind: 'lost', detail: `${id} was acknowledged and has no row` })
    else if (row['sha256'] !== sha256)
      findings.push({ kind: 'lost', detail: `${id}: the row names another hash than the receipt` })
    else if (row['commit'] !== commit)
      findings.push({ kind: 'stamp-lost', detail: `${id}: the row has the commit ${row['commit']}` })
    if (!existsSync(archive)) findings.push({ kind: 'lost', detail: `${id} was acknowledged and has no archive` })
    else if (hashOf(archive) !== sha256)
      findings.push({ kind: 'lost', detail: `${id}: the archive is not what was acknowledged` })
    return findings
  })
}

function isAcknowledged(told: Told): boolean {
  return told.kind === 'answer' && told['receipt_sha256'] !== undefined
}

function twoHashes(told: readonly Told[]): Finding[] {
  const first = new Map<unknown, unknown>()
  return told.filter(isAcknowledged).flatMap((answer) => {
    const { id, receipt_sha256: hash } = answer
    const before = first.get(id) ?? hash
    first.set(id, before)
    return before === hash ? [] : [{ kind: 'two-hashes' as const, detail: `${id}: ${before} and ${hash}` }]
  })
}

/** Whatever has its final name, promised or not: whole, with its receipt and its row, and with the stamp that came along. */
function stored(
  state: string,
  host: string,
  rows: readonly Row[],
  files: readonly string[],
  sent: readonly Sent[],
  pruned: ReadonlySet<unknown>,
): Finding[] {
  const names = files.filter((name) => name.startsWith('episodes/'))
  const findings: Finding[] = []
  for (const name of names.filter((one) => one.endsWith('.tar.zst'))) {
    const id = name.slice(name.lastIndexOf('/') + 1, -'.tar.zst'.length)
    const hash = hashOf(join(state, name))
    const origin = sent.find((one) => one.id === id && one.sha256 === hash)
    const row = rows.find((one) => one['id'] === id && one['host'] === host)
    if (pruned.has(id)) findings.push({ kind: 'orphan', detail: `${name} was taken out, and is there` })
    if (!origin) findings.push({ kind: 'torn', detail: `${name} is nothing that was sent` })
    if (!row) findings.push({ kind: 'orphan', detail: `${name} has no row` })
    else if (row['sha256'] !== hash) findings.push({ kind: 'torn', detail: `${name} is not what its row says` })
    else if (origin && row['commit'] !== origin.commit) findings.push({ kind: 'stamp-lost', detail: `${id}: ${row['commit']}` })
    if (!names.includes(name.replace(/tar\.zst$/, 'json'))) findings.push({ kind: 'orphan', detail: `${name} has no receipt` })
  }
  const isPruned = (name: string) => pruned.has(name.slice(name.lastIndexOf('/') + 1, -'.json'.length))
  for (const name of names.filter((one) => one.endsWith('.json')))
    if (!names.includes(name.replace(/json$/, 'tar.zst')) && !isPruned(name))
      findings.push({ kind: 'orphan', detail: `${name} has no archive` })
  for (const row of rows.filter((one) => one['host'] === host && !pruned.has(one['id'])))
    if (!existsSync(archivePath(state, host, String(row['id']))))
      findings.push({ kind: 'lost', detail: `${row['id']} has a row and no archive` })
  return findings
}

/** What was taken out on purpose, and says so, is not lost. */
function prunedIds(state: string): ReadonlySet<unknown> {
  return new Set(readRows(join(state, 'prunes.jsonl')).rows.map((row) => row['id']))
}

function archivePath(state: string, host: string, id: string): string {
  return join(state, 'episodes', host, createHash('sha256').update(id).digest('hex').slice(0, 2), `${id}.tar.zst`)
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
}
