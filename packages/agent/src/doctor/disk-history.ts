/**
 * How much was free when this host reported, for the trend.
 *
 *     agent/disk.json     {"samples": [{"at": …, "free": {"<folder>": bytes}}]}
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { z } from 'zod'
import { keepSamples } from '../core/disk-trend.ts'

const Sample = z.object({ at: z.number(), free: z.record(z.string(), z.number()) })
export type FreeSample = z.infer<typeof Sample>
const History = z.object({ samples: z.array(Sample) })

function pathOf(stateDir: string): string {
  return join(stateDir, 'disk.json')
}

/** None where nothing was written yet, or nobody can read it: then there is no trend. */
export async function readFreeHistory(stateDir: string): Promise<FreeSample[]> {
  const text = await readFile(pathOf(stateDir), 'utf8').catch(() => '')
  return History.safeParse(parseObject(text)).data?.samples ?? []
}

/** @param sample its time is the present */
export async function addFreeSample(stateDir: string, sample: FreeSample): Promise<void> {
  const samples = [...keepSamples(await readFreeHistory(stateDir), sample.at), sample]
  await replaceFile(pathOf(stateDir), `${JSON.stringify({ samples })}\n`)
}
