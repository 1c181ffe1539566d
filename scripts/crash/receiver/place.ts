/** A receiver of the crash tests: its configuration, its commit set, and the uploads that are sent to it. */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { episodePath } from '@cis490/shared/protocol.ts'
import { pino } from 'pino'
import { type Receiver, startReceiver } from '../../../packages/receiver/src/app.ts'
import { ReceiverConfig } from '../../../packages/receiver/src/config.ts'
import { episode } from '../../../test/support/archives.ts'
import type { Place, Tell } from '../scenario.ts'
import { type Answer, Client, clientHost } from './client.ts'

export const commits = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string]
export const tooOld = 'd'.repeat(40)

/** Nobody is there: the commit set comes from the disk, the same at every start. */
const deadForge = { forgejo_url: 'http://127.0.0.1:9', repo_owner: 'o', repo_name: 'n', repo_path: '/nonexistent' }

/** One archive that a client has. */
export interface Body {
  readonly label: string
  readonly id: string
  readonly sha256: string
  readonly bytes: number
  readonly commit: string
}

export function stateDir(place: Place): string {
  return join(place.disk, 'state')
}

/** @param settings laid over those of these tests */
export async function startOn(place: Place, settings: Record<string, unknown> = {}): Promise<Receiver> {
  const config = ReceiverConfig.parse({
    listen: '127.0.0.1:0',
    ops_listen: '127.0.0.1:0',
    state_dir: stateDir(place),
    version_gate: { ...deadForge, window: 3, refresh: '1h' },
    limits: { headroom: '0' },
    ...settings,
  })
  return await startReceiver(config, pino({ level: 'silent' }))
}

/** Starts, lets `use` work with a client, and stops. */
export async function withReceiver(
  place: Place,
  use: (client: Client, receiver: Receiver) => Promise<void>,
  settings?: Record<string, unknown>,
): Promise<void> {
  const receiver = await startOn(place, settings)
  try {
    using client = new Client(receiver.url)
    await use(client, receiver)
  } finally {
    await receiver.stop(false)
  }
}

/** A state folder with nothing but the commit set. */
export async function prepareState(place: Place): Promise<void> {
  await mkdir(stateDir(place), { recursive: true })
  const cache = { repo: 'o/n', branch: 'main', window: 3, fetched_at: timestamp(Date.now()), commits }
  await writeFile(join(stateDir(place), 'gate-cache.json'), `${JSON.stringify(cache)}\n`)
}

export interface BodyPlan {
  readonly label: string
  readonly id: string
  readonly commit: string
  /** Of the payload. */
  readonly bytes?: number
}

/** Makes the archives, once. */
export async function prepareBodies(place: Place, plans: readonly BodyPlan[]): Promise<void> {
  const bodies: Body[] = []
  for (const { label, id, commit, bytes = 200 } of plans) {
    const archive = episode(id, commit, randomBytes(bytes))
    await writeFile(join(place.aside, label), archive)
    bodies.push({ label, id, commit, bytes: archive.length, sha256: createHash('sha256').update(archive).digest('hex') })
  }
  await writeFile(join(place.aside, 'bodies.json'), JSON.stringify(bodies))
}

export function bodiesOf(place: Place): Body[] {
  return JSON.parse(readFileSync(join(place.aside, 'bodies.json'), 'utf8')) as Body[]
}

export function bytesOf(place: Place, label: string): Buffer {
  return readFileSync(join(place.aside, label))
}

/** The status, or the statuses, of an answer without any fault. */
export type Expected = number | readonly number[]

/** Sends one archive and tells what came back. */
export async function sendBody(place: Place, client: Client, label: string, tell: Tell, expected: Expected): Promise<Answer> {
  const body = bodiesOf(place).find((one) => one.label === label) as Body
  return await sendBytes(client, body, bytesOf(place, label), tell, expected)
}

/** The same for bytes that are not what their hash says. */
export async function sendBytes(client: Client, body: Body, bytes: Buffer, tell: Tell, expected: Expected): Promise<Answer> {
  const { id, sha256, commit } = body
  const answer = await client.ask({
    method: 'PUT',
    path: episodePath(id),
    headers: { 'X-Content-SHA256': sha256, 'X-Cis490-Code-Commit': commit, 'Content-Type': 'application/zstd' },
    body: bytes,
  })
  tellAnswer(tell, answer, { id, sha256, commit }, expected)
  return answer
}

export function tellAnswer(
  tell: Tell,
  answer: Answer,
  sent: { id: string; sha256: string; commit: string },
  expected: Expected,
): void {
  const { status, body } = answer
  const acknowledged = status === 200 || status === 201 ? { receipt_sha256: body['sha256'], host: clientHost } : {}
  tell({ kind: 'answer', ...sent, status, expected, code: body['code'], ...acknowledged })
}
