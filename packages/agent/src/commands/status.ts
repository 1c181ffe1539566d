/** `cis490-agent status`: what waits, what was delivered last, and where the host's code stands. Works offline. */

import { join } from 'node:path'
import { formatDuration } from '@cis490/shared/duration.ts'
import { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { build } from '@cis490/shared/node/build.ts'
import { addCommand, exit, printJson } from '@cis490/shared/node/cli.ts'
import { lockHolder } from '@cis490/shared/node/lock-holder.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { UpdateAnswer } from '@cis490/shared/rollout.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { makeClient } from '../app.ts'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import type { RoomSummary } from '../doctor/checks/disk.ts'
import { KnownReceipt, readRecords } from '../outbox/records.ts'
import { type LastBeat, readLastBeat } from '../ship/heartbeat-file.ts'
import { action, type CommandOptions, lockPath, readConfig } from './context.ts'
import { heldBack, type MannerText } from './make-manners.ts'
import { type Summary, summarize } from './summary.ts'

export function registerStatus(program: Command): void {
  addCommand(program, 'status', 'what waits, what was delivered, where this code stands', defaultConfigFile).action(
    action(runStatus),
  )
}

interface Gate {
  readonly reachable: boolean
  readonly detail?: string
  readonly answer?: GateAnswer
}

async function runStatus(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  const now = Date.now()
  const [summary, receipts, gate] = await Promise.all([
    summarize(config, now),
    readRecords(join(config.paths.state, 'receipts.jsonl'), KnownReceipt),
    askGate(config),
  ])
  const beat = readLastBeat(config.paths.state)
  const last = [...receipts.values()].toSorted((a, b) => (a.received_at < b.received_at ? 1 : -1))[0]
  const held = heldBack(config, now, summary.recording > 0)
  const holder = lockHolder(lockPath(config))
  const status = {
    ...summary,
    shipping: held ?? null,
    agent: holder === undefined ? null : { running: holder !== null, ...(holder !== null && { pid: holder }) },
    delivered: receipts.size,
    last_receipt: last ?? null,
    heartbeat: beat ?? null,
    gate,
    agent_version: build.version,
    commit: build.commit,
  }
  if (options.json) printJson(status)
  else
    process.stdout.write(
      `${lines({ summary, delivered: receipts.size, last, gate, held, holder, beat }, now).map(printable).join('\n')}\n`,
    )
  return exit.clean
}

async function askGate(config: AgentConfig): Promise<Gate> {
  await using client = makeClient(config, { connections: 1, connectTimeout: 2000, idleTimeout: 3000 })
  const answer = await client.gate(build.commit ?? undefined, AbortSignal.timeout(4000))
  if (answer.kind === 'fault')
    return { reachable: false, detail: answer.code === 'aborted' ? 'no answer within 4 s' : answer.message }
  const gate = GateAnswer.safeParse(parseObject(answer.body))
  if (answer.status === 200 && gate.success) return { reachable: true, answer: gate.data }
  return {
    reachable: true,
    detail: answer.problem ? `${answer.problem.title}: ${answer.problem.detail}` : `answered ${answer.status}`,
  }
}

interface Facts {
  readonly summary: Summary
  readonly delivered: number
  readonly last: KnownReceipt | undefined
  readonly gate: Gate
  readonly held: MannerText | undefined
  readonly beat: LastBeat | undefined
  /** The process at work; null: none; undefined: nobody can tell. */
  readonly holder: number | null | undefined
}

const shownUploads = 5

function lines({ summary, delivered, last, gate, held, holder, beat }: Facts, now: number): string[] {
  const { lanes, oldest_age_s: age, stuck, tombstones, room, uploads } = summary
  const dropped = tombstones.last[0]
  const lane = (name: keyof typeof lanes) => `${name.padEnd(12)} ${lanes[name].count} (${formatSize(lanes[name].bytes)})`
  return [
    ...(summary.unpacked === 0 ? [] : [`finished     ${summary.unpacked}, not packed yet`]),
    lane('ready'),
    lane('gated'),
    lane('quarantine'),
    ...(age === null ? [] : [`oldest       ${formatDuration(age * 1000)}`]),
    ...uploads
      .slice(0, shownUploads)
      .map(
        ({ id, offset, bytes }) =>
          `${holder === null ? 'upload stopped' : 'uploading   '} ${id}: ${formatSize(offset)} of ${formatSize(bytes)} arrived`,
      ),
    `delivered    ${delivered}${last ? `, last ${last.id} ${formatDuration(now - Date.parse(last.received_at))} ago` : ''}`,
    ...(dropped ? [`dropped      ${tombstones.count}, last ${dropped.id} by ${dropped.by}: ${dropped.reason}`] : []),
    ...roomLines(room),
    ...(holder === undefined ? [] : [`agent        ${holder === null ? 'not running' : `at work, process ${holder}`}`]),
    ...(beat ? [`heartbeat    ${beatText(beat, now)}`] : []),
    ...(beat?.directives?.update ? [`update       ${updateText(beat.directives.update)}`] : []),
    `shipping     ${held?.text ?? 'may run'}`,
    ...stuck.map(({ id, reason }) => `stuck        ${id}: ${reason}`),
    `receiver     ${gate.reachable ? 'reachable' : 'not reachable'}${gate.detail ? `: ${gate.detail}` : ''}`,
    ...(gate.answer ? [`gate         ${describeGate(gate.answer)}`] : []),
  ]
}

function beatText({ at, outcome, heard_at, directives = {} }: LastBeat, now: number): string {
  const ago = (time: string) => `${formatDuration(now - Date.parse(time))} ago`
  const asked = Object.keys(directives).filter((name) => name !== 'update')
  const words = asked.length > 0 ? `, the receiver asks for: ${asked.join(', ')}` : ''
  if (outcome === 'heard') return `heard ${ago(at)}${words}`
  return `not heard ${ago(at)} (${outcome})${heard_at === undefined ? '' : `, last heard ${ago(heard_at)}`}`
}

function updateText({ allowed, reason, text, wave }: UpdateAnswer): string {
  return `${wave === undefined ? '' : `wave ${wave} `}${allowed ? 'may' : 'waits'} (${reason})${text === undefined ? '' : `: ${text}`}`
}

function roomLines({
  used_bytes: used,
  quota_bytes: quota,
  policy,
  second_copies: copies,
  reserve,
  stopped,
}: RoomSummary): string[] {
  const held = reserve.reduce((sum, { bytes }) => sum + bytes, 0)
  const wanted = reserve.reduce((sum, one) => sum + one.wanted, 0)
  return [
    ...(used === null ? [] : [`quota        ${formatSize(used)} of ${formatSize(quota)} (${policy})`]),
    ...(stopped ? [`packing      stopped (${stopped.reason}): ${stopped.count} not packed, first ${stopped.first}`] : []),
    ...(copies.count === 0 ? [] : [`second copy  ${copies.count} (${formatSize(copies.bytes)})`]),
    ...(wanted === 0 ? [] : [`reserve      ${formatSize(held)} of ${formatSize(wanted)}`]),
  ]
}

function describeGate({ mode, window, verdict, code, position }: GateAnswer): string {
  if (mode === 'off') return 'off'
  if (verdict === 'refuse') return `this host's code is refused (${code})`
  return position === undefined ? `${mode}, ${verdict ?? 'no verdict'}` : `this host's code is ${position} of ${window}`
}
