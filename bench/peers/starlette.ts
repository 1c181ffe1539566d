/** Starlette on uvicorn doing our durable ingest, with TLS in uvicorn or behind Caddy. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import type { Child } from '../../scripts/local-fleet/children.ts'
import { missingModules, missingProgram, python } from '../frame/installed.ts'
import { freePort, type Peer, type PeerPlace, stopper, untilItListens } from './peer.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))
const missing = () => missingModules(['starlette', 'uvicorn'], 'apt install python3-starlette python3-uvicorn')

export const starlette: Peer = {
  name: 'starlette',
  missing,
  async start(place) {
    const { ca, server } = place.certificates
    const tls = ['--ssl-certfile', server.cert, '--ssl-keyfile', server.key, '--ssl-ca-certs', ca, '--ssl-cert-reqs', '2']
    const { child, ...running } = await uvicorn(place, tls)
    return { name: 'starlette', upload: 'put', ...running, stop: stopper(child) }
  },
}

export const caddy: Peer = {
  name: 'caddy+starlette',
  missing: () => missingProgram(['caddy'], 'apt install caddy') ?? missing(),
  async start(place) {
    const { dir, children, certificates } = place
    const behind = await uvicorn(place, [])
    const port = await freePort()
    await replaceFile(
      join(dir, 'Caddyfile'),
      `{
  admin off
  auto_https off
}
https://localhost:${port} {
  bind 127.0.0.1
  tls ${certificates.server.cert} ${certificates.server.key} {
    protocols tls1.3
    client_auth {
      mode require_and_verify
      trusted_ca_cert_file ${certificates.ca}
    }
  }
  reverse_proxy 127.0.0.1:${behind.port}
}
`,
    )
    const child = children.start('caddy', '/usr/bin/env', [
      `HOME=${dir}`,
      'caddy',
      'run',
      '--config',
      join(dir, 'Caddyfile'),
      '--adapter',
      'caddyfile',
    ])
    await untilItListens(child, port)
    return {
      name: 'caddy+starlette',
      port,
      pids: [child.pid, ...behind.pids],
      store: behind.store,
      upload: 'put',
      stop: stopper(child, behind.child),
    }
  },
}

async function uvicorn(
  { children, dir }: PeerPlace,
  tls: readonly string[],
): Promise<{ port: number; pids: number[]; store: string; child: Child }> {
  const store = join(dir, 'store')
  await makeDir(store)
  const port = await freePort()
  const args = ['-m', 'uvicorn', 'starlette_receiver:app', '--app-dir', folder, '--host', '127.0.0.1', '--port', String(port)]
  const how = ['--no-access-log', '--log-level', 'warning', '--timeout-keep-alive', '60', ...tls]
  const env = [`CIS490_BENCH_STORE=${store}`, 'PYTHONDONTWRITEBYTECODE=1']
  const child = children.start('starlette', '/usr/bin/env', [...env, python, ...args, ...how])
  await untilItListens(child, port)
  return { port, pids: [child.pid], store, child }
}
