/** `ready.ts URL`: says in a line whether the receiver is ready, and why it is not: 0 or 1. A few tries, for the gate asks the forge first. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'

const url = process.argv[2] ?? 'http://127.0.0.1:9490/readyz'
const tries = 20

let said = ''
let ready = false
for (let k = 0; k < tries && !ready; k += 1) {
  if (k > 0) await sleep(500)
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000) })
    said = (await answer.text()).trim()
    ready = answer.ok
  } catch (error) {
    said = messageOf(error)
  }
}
process.stdout.write(ready ? 'well     the receiver is ready\n' : `unwell   the receiver is not ready: ${said}\n`)
process.exitCode = ready ? 0 : 1
