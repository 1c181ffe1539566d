/** Load over raw TLS, in a process of its own: as many requests as it is told, on as many kept-alive connections, one at a time on each. */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { percentile } from '../frame/median.ts'
import { Connection } from './connection.ts'
import { type LoadJob, type LoadResult, requestsOf } from './job.ts'

/** The first connections are made and the bodies are there before the clock starts. */
async function run(job: LoadJob): Promise<LoadResult> {
  const ca = readFileSync(job.ca)
  const identities = job.identities.map(({ cert, key, host }) => {
    return { host, secureContext: createSecureContext({ ca, cert: readFileSync(cert), key: readFileSync(key) }) }
  })
  const connections = await Promise.all(
    Array.from({ length: job.connections }, async (_, k) => {
      const { host, secureContext } = identities[k % identities.length] as (typeof identities)[number]
      return { host, wire: await Connection.open({ port: job.port, secureContext }) }
    }),
  )
  const requests = requestsOf(job)
  const waits: number[] = []
  const refusals = new Map<string, number>()
  let next = 0
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await Promise.all(
    connections.map(async ({ host, wire }) => {
      while (next < job.requests) {
        const request = requests(next++, host)
        const asked = performance.now()
        const status = await wire.ask(request)
        waits.push(performance.now() - asked)
        if (status !== 201 && status !== 204) refusals.set(String(status), (refusals.get(String(status)) ?? 0) + 1)
      }
    }),
  )
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  for (const { wire } of connections) wire.close()
  return {
    seconds,
    cpu_s: (user + system) / 1e6,
    p50_ms: percentile(waits, 0.5),
    p99_ms: percentile(waits, 0.99),
    refusals: Object.fromEntries(refusals),
  }
}

const result = await run(JSON.parse(process.argv[2] ?? '') as LoadJob)
process.stdout.write(`${JSON.stringify(result)}\n`)
