/** `POST /v1/hooks/forgejo`: a push event only makes the gate look now; nothing in it is believed. */
import type { IncomingMessage } from 'node:http'
import { Refusal } from '@cis490/shared/problems.ts'
import { signatureIsValid } from '../forge/webhook.ts'
import { readBody } from '../http/body.ts'

const maxEventBytes = 5 << 20

export interface HookPorts {
  readonly secret: string | undefined
  readonly limits: { readonly idle_timeout: number; readonly min_rate: number }
  refresh(): void
}

export async function forgejoHook(request: IncomingMessage, ports: HookPorts): Promise<Response> {
  if (ports.secret === undefined) throw new Refusal('not-found', 'no webhook secret is configured')
  const chunks: Buffer[] = []
  await readBody(request, ports.limits, maxEventBytes, (chunk) => {
    chunks.push(chunk)
    return undefined
  })
  const signature = request.headers['x-forgejo-signature'] ?? request.headers['x-gitea-signature']
  if (!signatureIsValid(Buffer.concat(chunks), typeof signature === 'string' ? signature : undefined, ports.secret))
    throw new Refusal('unauthorized', 'the signature of the event does not fit the secret')
  ports.refresh()
  return new Response(null, { status: 204 })
}
