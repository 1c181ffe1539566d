/** An offset that was told is there after any end, until the upload has ended itself. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { interopVersion } from '@cis490/shared/protocol.ts'
import type { Checked, Finding } from '../scenario.ts'
import type { Client } from './client.ts'

export async function lookAtUploads(client: Client, state: string, { told, fault }: Checked): Promise<Finding[]> {
  // After a fault the receiver may throw an upload away, and says so.
  const gone = fault === undefined ? [] : [404, 410]
  const cancelled = new Set(told.filter(({ kind }) => kind === 'cancelled').map(({ path }) => path))
  const highest = new Map<string, number>()
  for (const { kind, path, offset } of told)
    if (kind === 'offset' && !cancelled.has(path))
      highest.set(String(path), Math.max(Number(offset), highest.get(String(path)) ?? 0))
  const findings: Finding[] = []
  for (const [path, offset] of highest) {
    const answer = await client.ask({ method: 'HEAD', path, headers: { 'Upload-Draft-Interop-Version': interopVersion } })
    const now = Number(answer.headers['upload-offset'])
    if (gone.includes(answer.status)) continue
    if (answer.status !== 204) findings.push({ kind: 'lost', detail: `${path}: ${offset} was told, now it is ${answer.status}` })
    else if (now < offset) findings.push({ kind: 'lost', detail: `${path}: ${offset} was told, now it is at ${now}` })
  }
  return [...findings, ...withoutState(join(state, 'uploads'))]
}

function withoutState(folder: string): Finding[] {
  const names = existsSync(folder) ? readdirSync(folder) : []
  return names
    .filter((name) => name.endsWith('.part') && !names.includes(name.replace(/part$/, 'json')))
    .map((name) => ({ kind: 'orphan', detail: `uploads/${name} has no state` }))
}
