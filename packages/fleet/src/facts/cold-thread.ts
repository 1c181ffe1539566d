/**
 * Threads for a cold read. One can be started before it is known what there is to read: until a thread runs the rest of the program can be loaded,
 * so this loads nothing itself.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

/** A thread makes a few strings a block: room for more garbage than that is memory for nothing. */
const resourceLimits = { maxYoungGenerationSizeMb: 2 }

let ahead: Worker | undefined

/** Starts the thread that the first cold read will take, where it has a core of its own. It does not keep the process alive. */
export function startAhead(): void {
  if (ahead || availableParallelism() === 1) return
  ahead = start()
  ahead.unref()
  // Who reads nothing needs none; who does starts another.
  ahead.once('error', () => {
    ahead = undefined
  })
}

/** @returns a thread that waits for its `ColdWork` */
export function takeThread(): Worker {
  const thread = ahead ?? start()
  ahead = undefined
  thread.ref()
  return thread
}

function start(): Worker {
  return new Worker(new URL('./cold-worker.ts', import.meta.url), { resourceLimits })
}
