/** The textbook: a stream, readline, JSON.parse. Prints how many hosts there are. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

interface Host {
  last: string
  unstamped?: string
}

const [path = ''] = process.argv.slice(2)
const hosts = new Map<string, Host>()
for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
  const row = JSON.parse(line) as { host: string; received_at: string; commit?: string }
  const known = hosts.get(row.host) ?? { last: row.received_at }
  if (row.received_at > known.last) known.last = row.received_at
  if (!row.commit) known.unstamped = row.received_at
  hosts.set(row.host, known)
}
process.stdout.write(JSON.stringify({ hosts: hosts.size }))
