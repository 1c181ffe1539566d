/** Waits until a daemon says where it listens. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { type Child, ChildFailed, type Children, programs } from './children.ts'

const startMs = 20_000

export interface ReceiverRunning {
  readonly child: Child
  readonly url: string
  readonly opsUrl: string
}

export async function startReceiver(children: Children, config: string): Promise<ReceiverRunning> {
  const { child, urls } = await startDaemon(
    children,
    'receiver',
    programs.receiver,
    ['serve', '--config', config],
    ['receiver', 'ops'],
  )
  return { child, url: urls['receiver'] as string, opsUrl: urls['ops'] as string }
}

/** @returns the address of each listener. @throws ChildFailed when the daemon ends or is silent for 20 s */
export async function startDaemon(
  children: Children,
  name: string,
  program: string,
  args: readonly string[],
  listeners: readonly string[],
): Promise<{ child: Child; urls: Record<string, string> }> {
  const urls: Record<string, string> = {}
  const all = Promise.withResolvers<'listening'>()
  const onLine = (line: string) => {
    const row = parseObject(line)
    if (row?.['event'] !== 'listening') return
    urls[String(row['listener'])] = String(row['url'])
    if (listeners.every((listener) => listener in urls)) all.resolve('listening')
  }
  const child = children.start(name, program, args, { onLine })
  const timer = new AbortController()
  const late = sleep(startMs, 'did not listen within 20 s', { signal: timer.signal }).catch(() => 'stopped')
  const outcome = await Promise.race([all.promise, child.ended.then((ending) => `ended with ${ending}`), late])
  timer.abort()
  if (outcome !== 'listening') throw new ChildFailed(child, outcome)
  return { child, urls }
}
