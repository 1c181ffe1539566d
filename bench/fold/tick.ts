/** One look at what is new, as each evaluation after the first takes it: the saved facts, then the new rows. Prints milliseconds. */
import { pulledBackTo } from '@cis490/fleet/core/time.ts'
import { loadCheckpoint, saveCheckpoint } from '@cis490/fleet/facts/checkpoint.ts'
import { readFacts } from '@cis490/fleet/facts/read.ts'

const [stateDir = ''] = process.argv.slice(2)
const limit = () => pulledBackTo(Number.MAX_SAFE_INTEGER)
const begun = performance.now()
const { facts, cursors } = await loadCheckpoint(stateDir)
const loaded = performance.now()
const next = await readFacts(stateDir, facts, cursors, { limit, at: Date.now() })
const ms = performance.now() - loaded
await saveCheckpoint(stateDir, { facts, cursors: next.cursors })
process.stdout.write(JSON.stringify({ ms, load_ms: loaded - begun, hosts: facts.accepted.size, skipped: next.skipped }))
