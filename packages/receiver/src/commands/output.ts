/** Standard output for long results: waits for a slow reader, and ends quietly when the reader has gone (`| head`). */
import { once } from 'node:events'
import { beginOutput } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'

export class Output {
  #gone = false

  constructor() {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      this.#gone = true
    })
  }

  /** The reader has enough: nothing more needs to be found. */
  get gone(): boolean {
    return this.#gone
  }

  async write(text: string): Promise<void> {
    if (text !== '') beginOutput()
    if (this.#gone || text === '' || process.stdout.write(text)) return
    await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => undefined)
  }
}

/**
 * One JSON document that is too long for memory: the fields of `head`, then `episodes` as they come.
 * @throws what the batches throw, after the document was closed with the message in `failed`
 */
export async function printEpisodes(out: Output, head: object, batches: AsyncIterable<readonly object[]>): Promise<void> {
  const fields = JSON.stringify(head).slice(1, -1)
  await out.write(`{${fields}${fields === '' ? '' : ','}"episodes":[`)
  let some = false
  try {
    for await (const batch of batches) {
      if (out.gone) return
      if (batch.length === 0) continue
      await out.write(`${some ? ',' : ''}\n${batch.map((one) => JSON.stringify(one)).join(',\n')}`)
      some = true
    }
  } catch (error) {
    await out.write(`\n],"failed":${JSON.stringify(messageOf(error))}}\n`)
    throw error
  }
  await out.write('\n]}\n')
}
