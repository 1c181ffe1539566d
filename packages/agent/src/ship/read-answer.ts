/** A response as a plain value, read up to 1 MiB. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isProblemCode, type Problem, problem } from '@cis490/shared/problems.ts'
import { mediaType } from '@cis490/shared/protocol.ts'
import type { Dispatcher } from 'undici'
import type { Answered } from '../core/answer.ts'

const limit = 1 << 20

export async function readAnswer(response: Dispatcher.ResponseData): Promise<Answered> {
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : String(value ?? ''),
    ]),
  )
  const body = await readBounded(response)
  const problem = problemOf(response.statusCode, headers['content-type'] ?? '', body)
  return { kind: 'answer', status: response.statusCode, headers, body, ...(problem ? { problem } : {}) }
}

async function readBounded(response: Dispatcher.ResponseData): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    // Nobody of ours answers at this length; leaving the loop ends the connection.
    if (size > limit) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function problemOf(status: number, contentType: string, body: string): Problem | undefined {
  if (status < 400 || contentType.split(';')[0]?.trim().toLowerCase() !== mediaType.problem) return undefined
  const value = parseObject(body)
  if (!value || !isProblemCode(value['code'])) return undefined
  const text = (key: string) => (typeof value[key] === 'string' ? (value[key] as string) : undefined)
  const members = Object.fromEntries(
    ['remediation', 'your_commit', 'head_commit', 'stored_sha256'].map((key) => [key, text(key)]),
  )
  const expected = value['expected-offset']
  const offset = Number.isSafeInteger(expected) && (expected as number) >= 0 ? { 'expected-offset': expected as number } : {}
  return { ...problem(value['code'], text('detail') ?? ''), status, ...dropAbsent(members), ...offset }
}

function dropAbsent(members: Record<string, string | undefined>): Partial<Problem> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
