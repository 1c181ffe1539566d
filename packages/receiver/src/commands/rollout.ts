/** `cis490-receiver rollout`: which host runs what, and who waits for whom. Asks the running receiver. */
import { counted } from '@cis490/shared/counted.ts'
import { formatDuration } from '@cis490/shared/duration.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import { type RolloutHost, RolloutView, rolloutPath } from '@cis490/shared/rollout.ts'
import type { Command } from 'commander'
import { AdminClient } from '../admin/client.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { StoreLayout } from '../store/layout.ts'

export function registerRollout(program: Command): void {
  addCommand(program, 'rollout', 'which host runs what, and who waits for whom to update', defaultConfigFile).action(run)
}

async function run(options: CommonOptions): Promise<void> {
  const { state_dir } = loadConfig(options.config, ReceiverConfig)
  const view = await ask(new AdminClient(new StoreLayout(state_dir).admin))
  if (options.json) printJson(view)
  else process.stdout.write(`${describe(view).map(printable).join('\n')}\n`)
  process.exitCode = exit.clean
}

async function ask(client: AdminClient): Promise<RolloutView> {
  const answer = await client.ask('GET', rolloutPath).catch((error: unknown) => {
    throw new UserError(`cannot reach the running receiver: ${messageOf(error)}; start it, or run this as its user or as root`)
  })
  const view = RolloutView.safeParse(parseObject(answer.body)).data
  if (answer.status === 200 && view) return view
  throw new UserError(`the running receiver answers ${answer.status} to this: it is of another version; restart it`)
}

function describe({ head, head_seen_at, soak_s, hosts, generated_at }: RolloutView): string[] {
  const now = Date.parse(generated_at)
  const ago = (time: string) => formatDuration(now - Date.parse(time))
  const rows = Object.entries(hosts).toSorted(([, a], [, b]) => a.wave - b.wave)
  const waiting = rows.filter(([, { update }]) => !update.allowed).length
  return [
    head === null
      ? 'head    not known'
      : `head    ${head.slice(0, 12)}${head_seen_at === null ? '' : `, for ${ago(head_seen_at)}`}`,
    `soak    ${formatDuration(soak_s * 1000)}`,
    ...rows.map(([host, one]) => lineOf(host, one, ago)),
    `${counted(rows.length, 'host')}, ${waiting} waiting`,
  ]
}

function lineOf(host: string, { wave, commit, since, report, update }: RolloutHost, ago: (time: string) => string): string {
  const runs = `${(commit ?? 'unknown').slice(0, 12)} for ${ago(since)}`
  const outcome = report ? `${report.outcome ?? '?'} ${ago(report.received_at)} ago` : 'no report'
  const word = `${update.allowed ? 'may' : 'waits'} (${update.reason})${update.allowed ? '' : `: ${update.text ?? ''}`}`
  return [`wave ${wave}`.padEnd(8), host.padEnd(16), runs.padEnd(24), outcome.padEnd(20), word].join('  ')
}
