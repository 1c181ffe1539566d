/** `cis490-agent ship`: scan, then one attempt for each ready entry. */
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Command } from 'commander'
import { makeApp } from '../app.ts'
import { defaultConfigFile } from '../config.ts'
import type { Entry } from '../outbox/entry.ts'
import { gateAsker } from './ask-gate.ts'
import { AgentAtWork, type AgentContext, action, type CommandOptions, readConfig, stopAgent, withOutbox } from './context.ts'
import { heldBack } from './make-manners.ts'
import { packProgress, scanExit } from './scan.ts'
import { scan } from './scan-episodes.ts'
import type { ScanResult } from './scan-result.ts'
import { settleBrought } from './settle-carried.ts'
import { type PassResult, shipPass } from './ship-pass.ts'
import { endOnSignal } from './signals.ts'

export function registerShip(program: Command): void {
  addCommand(program, 'ship', 'scan, then try to deliver each ready episode once', defaultConfigFile)
    .option('--force', 'although shipping is paused')
    .action(action(runShip))
}

interface ShipOptions extends CommandOptions {
  readonly force?: true
}

async function runShip(options: ShipOptions): Promise<number> {
  using ending = endOnSignal()
  return await withOutbox(options, (context) => shipNow(context, options, ending.signal)).catch((error: unknown) => {
    throw error instanceof AgentAtWork ? besideDaemon(options, error) : error
  })
}

/** A daemon that is paused does not ship by itself. */
function besideDaemon(options: ShipOptions, error: AgentAtWork): UserError {
  const held = heldBack(readConfig(options), Date.now(), false)
  if (held?.reason !== 'paused') return error
  const cure = `"cis490-agent resume", or stop the daemon (${stopAgent}), then ship --force`
  return new UserError(`shipping is ${held.text}; nothing was sent: ${cure}`, exit.undetermined)
}

async function shipNow(context: AgentContext, options: ShipOptions, signal: AbortSignal): Promise<number> {
  sayManners(context, options.force === true)
  const bar = transferProgress(() => context.outbox.entries())
  await using app = makeApp(context, process.stderr, (_, bytes) => bar.add(bytes), 'rate')
  await settleBrought(context, app.shipping.pins)
  const gateAllows = gateAsker(app.shipping, signal)
  const scanned = await scan(context, { gateAllows, onProgress: packProgress(), signal }).catch((error: unknown) => {
    throw signal.aborted ? new UserError('interrupted; nothing is lost, ship again') : error
  })
  await bar.start()
  const result = await shipPass(app.shipping, 'all', signal)
  bar.done()
  const left = await context.outbox.entries()
  if (options.json) printJson({ ...result, ...lanes(left), refused: scanned.refused.length, later: scanned.later.length })
  else process.stdout.write(`${describe(result, left, scanned)}\n`)
  const code = scanExit(scanned, left)
  return code === exit.clean && left.length > 0 ? exit.undetermined : code
}

/** A person who says `ship` means now: windows do not hold it back, a pause of another person does. */
function sayManners({ config, log, now }: AgentContext, force: boolean): void {
  const held = heldBack(config, now(), false)
  if (held === undefined) return
  const { reason, text } = held
  if (reason === 'paused' && !force)
    throw new UserError(`shipping is ${text}; nothing was sent: "cis490-agent resume" first, or ship --force`, exit.undetermined)
  log.info({ event: 'ships-all-the-same', reason, text }, 'ships because a person asked for it')
}

/** One bar over all bytes that wait; on a terminal only, the log has a line for each delivery. */
function transferProgress(entries: () => Promise<Entry[]>) {
  const stream = process.stderr
  let sent = 0
  let progress: ReturnType<typeof makeProgress> | undefined
  return {
    async start(): Promise<void> {
      const total = (await entries()).reduce((sum, entry) => sum + (entry.lane === 'ready' ? entry.bytes : 0), 0)
      if (stream.isTTY && total > 0) progress = makeProgress({ label: 'shipping', total, stream })
    },
    add(bytes: number): void {
      sent += bytes
      progress?.update(sent)
    },
    done: () => progress?.done(),
  }
}

function lanes(entries: readonly Entry[]): Record<Entry['lane'], number> {
  const count = (lane: Entry['lane']) => entries.filter((entry) => entry.lane === lane).length
  return { ready: count('ready'), gated: count('gated'), quarantine: count('quarantine') }
}

function describe(result: PassResult, left: readonly Entry[], scanned: ScanResult): string {
  const { ready, gated, quarantine } = lanes(left)
  const rest = [
    ...(ready > 0 ? [`${ready} left for later`] : []),
    ...(gated > 0 ? [`${gated} gated`] : []),
    ...(quarantine > 0 ? [`${quarantine} in quarantine`] : []),
    ...(scanned.refused.length > 0 ? [`${scanned.refused.length} cannot be packed (see: outbox list)`] : []),
    ...(scanned.later.length > 0 ? [`${scanned.later.length} to be packed later`] : []),
  ]
  const delivered = `${result.delivered} delivered (${formatSize(result.bytes)})`
  return [delivered, ...(rest.length > 0 ? rest : ['nothing left'])].join(', ')
}
