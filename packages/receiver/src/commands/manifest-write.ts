/** Where a manifest goes, and what is said about it. */
import { resolve } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { printJson, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { explainErrno } from '@cis490/shared/node/errno-text.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { ManifestEntry, ManifestHeader } from '../core/manifest.ts'
import { NewFile } from '../store/new-file.ts'
import { Output, printEpisodes } from './output.ts'

type Batches = AsyncIterable<readonly ManifestEntry[]>

/** On standard output: JSON lines, the header first, or with `asOne` a single document. */
export async function print(header: ManifestHeader, batches: Batches, asOne: boolean): Promise<void> {
  const out = new Output()
  if (asOne) return await printEpisodes(out, header, batches)
  await out.write(`${JSON.stringify(header)}\n`)
  for await (const batch of batches) {
    if (out.gone) return
    if (batch.length > 0) await out.write(`${batch.map((entry) => JSON.stringify(entry)).join('\n')}\n`)
  }
}

/** Into a file, as JSON lines. @throws UserError when it cannot be written */
export async function save(out: string, header: ManifestHeader, batches: Batches, json: boolean): Promise<void> {
  const path = resolve(out)
  try {
    await using file = await NewFile.open(path)
    await file.write(`${JSON.stringify(header)}\n`)
    for await (const batch of batches) await file.write(batch.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    await file.publish()
  } catch (error) {
    throw new UserError(`--out ${out}: ${explainErrno(error) ?? messageOf(error)}`)
  }
  if (json) printJson(header)
  else process.stdout.write(`${path}: ${counted(header.count, 'episode')}, ${formatSize(header.bytes)}${leftOut(header)}\n`)
}

function leftOut({ left_out }: ManifestHeader): string {
  const parts = Object.entries(left_out).filter(([, many]) => many > 0)
  return parts.length === 0 ? '' : `; left out: ${parts.map(([why, many]) => `${many} ${why}`).join(', ')}`
}
