/** One episode, packed and shipped over mutual TLS by the real agent to the real receiver: how much memory does each take, and does it grow? */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSize } from '@cis490/shared/size.ts'
import { makeCertificates } from '../scripts/local-fleet/certificates.ts'
import { checkout, programs } from '../scripts/local-fleet/children.ts'
import { writeAgentConfig, writeReceiverConfig } from '../scripts/local-fleet/configs.ts'
import { findHistory } from '../scripts/local-fleet/history.ts'
import { startReceiver } from '../scripts/local-fleet/listening.ts'
import { makeBigEpisode } from './big-episode.ts'
import type { Bench } from './frame/bench.ts'
import type { Goal } from './frame/goal.ts'
import type { Place } from './frame/place.ts'
import type { Contender } from './frame/series.ts'
import type { BenchOptions } from './options.ts'
import { measurePeak } from './peak-memory.ts'

const limit = 192 << 20
const growth = 8 << 20
const host = 'bench-host'

export const memory: Bench = {
  summary: 'peak memory of agent and receiver while a small and a big episode pass',
  need: (options) => sizesOf(options).big * 3 + (256 << 20),
  async *series(options, place) {
    const sizes = sizesOf(options)
    const contenders = [sizes.small, sizes.big].map((size) => contenderOf(size, place))
    const [small, big] = contenders.map(({ name }) => name) as [string, string]
    yield {
      name: 'peak memory (VmHWM) of the agent and the receiver, one episode at a time',
      contenders,
      columns: [
        { figure: 'agent', label: 'agent', unit: 'bytes' },
        { figure: 'receiver', label: 'receiver', unit: 'bytes' },
        { figure: 'seconds', label: 'seconds', unit: 's' },
      ],
      goals: ['agent', 'receiver'].flatMap((program): Goal[] => [
        { what: `peak of the ${program}`, ours: big, figure: program, form: 'ours', limit: { at_most: limit }, unit: 'bytes' },
        {
          what: `growth of the ${program}, ${small} to ${big}`,
          ours: big,
          peer: small,
          figure: program,
          form: 'ours-peer',
          limit: { at_most: growth },
          unit: 'bytes',
        },
      ]),
    }
  },
}

function sizesOf({ size, quick }: BenchOptions): { small: number; big: number } {
  return quick ? { small: 1 << 20, big: 2 << 20 } : { small: 64 << 20, big: size ?? 4 * 2 ** 30 }
}

/** Programs of its own for each run: a peak never goes down again. */
function contenderOf(size: number, { dir, children }: Place): Contender {
  return {
    name: formatSize(size),
    async run(round) {
      const home = join(dir, `${size}-${round}`)
      const certificates = await makeCertificates(join(home, 'certificates'), [host])
      const history = await findHistory(checkout, home)
      const receiver = await startReceiver(children, (await writeReceiverConfig(home, certificates, history)).config)
      const agent = await writeAgentConfig(home, host, receiver.url, certificates)
      await makeBigEpisode(agent.episodes, size, host, history.head)
      const begun = performance.now()
      const meters = { receiver: measurePeak(receiver.child.pid), agent: undefined as ReturnType<typeof measurePeak> | undefined }
      const onStart = (pid: number) => {
        meters.agent = measurePeak(pid)
      }
      try {
        await children.run('agent', programs.agent, ['ship', '--config', agent.config], [0], { onStart })
        const seconds = (performance.now() - begun) / 1000
        return { agent: meters.agent?.peak() ?? Number.NaN, receiver: meters.receiver.peak(), seconds }
      } finally {
        meters.receiver.stop()
        meters.agent?.stop()
        process.kill(receiver.child.pid, 'SIGINT')
        await receiver.child.ended
        await rm(home, { recursive: true, force: true })
      }
    },
  }
}
